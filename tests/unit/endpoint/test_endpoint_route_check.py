"""The three checks of a route against its manifest: each one names only what is its own."""

from __future__ import annotations

import pytest
from bundlecraft import Shop

from provision.bundle.manifest import MANIFEST, parse_manifest
from provision.endpoint.route_check import check_route
from provision.hermes.home import HermesFiles, HomeFiles

SHOP = Shop(users=("ada",))
BUNDLE = SHOP.bundle("ada")
MADE = parse_manifest(BUNDLE[MANIFEST])
CONFIG = BUNDLE["config.yaml"].decode()
ENV = f"{MADE.key_env}={SHOP.keys['ada'].reveal()}\n"


def failed(config: str) -> set[str]:
    files = HermesFiles(HomeFiles("/h", config.encode(), ENV.encode()))
    return {name for name, check in check_route(files, MADE, environ={}).checks.items() if not check.ok}


def test_an_installed_home_passes() -> None:
    assert failed(CONFIG) == set()


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        (f"default: {MADE.model}", "default: other-model", {"model"}),
        (f"base_url: {MADE.base_url}", "base_url: https://x.example/v1", {"base_url"}),
        (f"key_env: {MADE.key_env}\n    api_mode", "api_key: other-key\n    api_mode", {"provider"}),
    ],
)
def test_one_changed_setting_fails_its_own_check_only(old: str, new: str, names: set[str]) -> None:
    assert old in CONFIG, CONFIG
    assert failed(CONFIG.replace(old, new)) == names
