"""The previous key is found by its fingerprint and replaced, also in Hermes profiles, which inherit nothing."""

from __future__ import annotations

import pytest
from bundlecraft import Shop, resigned

from provision.bundle.manifest import MANIFEST, Manifest, parse_manifest
from provision.detect.fingerprint import fingerprint
from provision.endpoint.replace_old_key import plan_key_replacement, replace_in_profiles
from provision.endpoint.state import InstalledBundle, KeptFiles
from provision.fleet.desired import SecretDelivery
from provision.hermes.home import HomeFiles

SHOP = Shop(users=("ada",))
OLD, NEW = SHOP.keys["ada"].reveal(), "sk-aisa-TEST-replacement-key-00001"
BUNDLE = SHOP.bundle("ada")
MANIFEST_NOW = parse_manifest(BUNDLE[MANIFEST])
INSTALLED = InstalledBundle(MANIFEST_NOW, KeptFiles(manifest=BUNDLE[MANIFEST]))
HOME = HomeFiles("/h", config=f"model:\n  api_key: {OLD}\n".encode(), env=b"")


def next_manifest(**fields: object) -> Manifest:
    mark = fingerprint(NEW, MANIFEST_NOW.salt)
    return parse_manifest(resigned(BUNDLE, SHOP.signer, key_fingerprint=mark, **fields)[MANIFEST])


def test_the_previous_key_is_found_where_only_a_copy_is_left() -> None:
    found = plan_key_replacement(next_manifest(), NEW, INSTALLED, (HomeFiles("/h"), HOME))
    assert found is not None
    assert (found.old, found.new, found.key_env) == (OLD, NEW, "AISA_API_KEY")
    assert OLD not in repr(found)
    assert NEW not in repr(found)


def test_nothing_is_replaced_without_a_previous_key_or_copy() -> None:
    assert plan_key_replacement(next_manifest(), NEW, None, (HOME,)) is None
    assert plan_key_replacement(MANIFEST_NOW, OLD, INSTALLED, (HOME,)) is None
    assert plan_key_replacement(next_manifest(), NEW, INSTALLED, (HomeFiles("/h", config=b"a: 1\n"),)) is None


def test_with_run_delivery_no_new_key_goes_to_the_disk() -> None:
    manifest = next_manifest(secret_delivery=SecretDelivery.RUN)
    found = plan_key_replacement(manifest, NEW, INSTALLED, (HOME,))
    assert found is not None
    assert found.new is None


@pytest.mark.parametrize("has_env", [True, False])
def test_a_profile_gets_the_variable_that_its_settings_refer_to(has_env: bool) -> None:
    replacement = plan_key_replacement(next_manifest(), NEW, INSTALLED, (HOME,))
    assert replacement is not None
    config = f"model:\n  provider: aisa\n  base_url: https://api.aisa.one/v1\n  api_key: {OLD}\n".encode()
    profile = HomeFiles("/h/profiles/work", config=config, env=b"OTHER=1\n" if has_env else None)
    done = {name: replaced for name, _, replaced in replace_in_profiles({"work": profile}, replacement)}
    assert set(done) == {"profiles/work/.env", "profiles/work/auth.json", "profiles/work/config.yaml"}
    assert OLD.encode() not in (done["profiles/work/config.yaml"].data or b"")
    assert b"${AISA_API_KEY}" in (done["profiles/work/config.yaml"].data or b"")
    assert f"AISA_API_KEY={NEW}".encode() in (done["profiles/work/.env"].data or b"")
    assert (b"OTHER=1" in (done["profiles/work/.env"].data or b"")) is has_env
