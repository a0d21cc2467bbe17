"""Keys in clear become variables' names, wherever Hermes reads them from; the route stays what it was."""

from __future__ import annotations

import pytest
import seeded
import yaml

from provision.detect.fingerprint import fingerprint
from provision.hermes.config.inline_keys import MovedKeys, move_inline_keys, name_endpoint
from provision.hermes.config.merge import change_config
from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.route import Route, resolve_route

KEY = "sk-aisa-" + seeded.token_urlsafe(32)
OTHER = "opaque" + seeded.token_hex(16)
URL = "https://api.aisa.one/v1"


def moved(config: dict, env: dict | None = None, *, name: bool = False) -> tuple[dict, MovedKeys, str | None]:  # type: ignore[type-arg]
    found: list[MovedKeys] = []
    named: list[str | None] = []

    def change(draft) -> None:  # type: ignore[no-untyped-def]
        named.append(name_endpoint(draft) if name else None)
        found.append(move_inline_keys(draft, env or {}))

    data = change_config(yaml.safe_dump(config, sort_keys=False).encode(), change).data
    return yaml.safe_load(data), found[0], named[0]


def route(config: dict, env: dict) -> Route:  # type: ignore[type-arg]
    lines = "".join(f"{k}={v}\n" for k, v in env.items()).encode()
    files = HermesFiles(HomeFiles("/h", config=yaml.safe_dump(config).encode(), env=lines))
    return resolve_route(files, environ={"HOME": "/"}, fingerprint=lambda key: fingerprint(key, b"s" * 16))


def test_a_named_provider_gets_key_env_and_everything_else_a_reference() -> None:
    config = {
        "model": {"provider": "custom:aisa", "default": "m", "api_key": KEY},
        "providers": {
            "aisa": {"base_url": URL, "api_key": KEY},
            "mine": {"base_url": "https://x.example", "apiKey": OTHER},
        },
        "fallback_model": {"provider": "custom", "model": "m", "base_url": URL, "api_key": KEY},
        "auxiliary": {"vision": {"base_url": URL, "api_key": KEY}},
        "delegation": {"api_key": KEY},
    }
    after, done, _ = moved(config)
    assert KEY not in str(after)
    assert OTHER not in str(after)
    assert after["providers"]["aisa"] == {"base_url": URL, "key_env": "AISA_API_KEY"}
    assert after["providers"]["mine"]["key_env"] == "MINE_API_KEY"
    for entry in (after["model"], after["fallback_model"], after["auxiliary"]["vision"], after["delegation"]):
        assert entry["api_key"] == "${AISA_API_KEY}"
    assert done.env == {"AISA_API_KEY": KEY, "MINE_API_KEY": OTHER}


def test_a_variable_that_has_the_key_is_used_and_one_that_has_another_is_not_overwritten() -> None:
    config = {"providers": {"aisa": {"base_url": URL, "api_key": KEY}}}
    after, done, _ = moved(config, {"TEAM_API_KEY": KEY})
    assert after["providers"]["aisa"]["key_env"] == "TEAM_API_KEY"
    assert done.env == {}
    after, done, _ = moved(config, {"AISA_API_KEY": OTHER})
    assert after["providers"]["aisa"]["key_env"] != "AISA_API_KEY"
    assert list(done.env.values()) == [KEY]


@pytest.mark.parametrize("value", ["${AISA_API_KEY}", "your-api-key-here", "", "short", 7, None])
def test_what_is_no_key_stays(value: object) -> None:
    config = {"providers": {"aisa": {"base_url": URL, "api_key": value}}}
    after, done, _ = moved(config)
    assert after == config
    assert not done.env


def test_a_key_that_env_cannot_hold_is_left_and_said() -> None:
    config = {"providers": {"aisa": {"base_url": URL, "api_key": "with spaces and # signs"}}}
    after, done, _ = moved(config)
    assert after == config
    assert done.left[0].startswith("providers.aisa.api_key: ")
    assert "spaces" not in done.left[0]


@pytest.mark.parametrize("mode", [None, "codex_responses", "chat_completions", "anthropic_messages"])
@pytest.mark.parametrize("entry", [True, False])
def test_what_the_wizard_wrote_gets_a_name_and_keeps_its_route(mode: str | None, entry: bool) -> None:
    with_mode = {"api_mode": mode} if mode else {}
    config = {
        "model": {"provider": "custom", "default": "gpt-5.2", "base_url": URL, "api_key": KEY, **with_mode},
        "_config_version": 33,
    }
    if entry:
        config["custom_providers"] = [{"name": "Api.aisa.one", "base_url": URL, "api_key": KEY, **with_mode}]
    before = route(config, {})
    after, done, name = moved(config, name=True)
    assert name == ("api.aisa.one" if entry else "aisa")
    assert KEY not in str(after)
    now = route(after, dict(done.env))
    assert now.key == before.key
    assert (now.model, now.url) == (before.model, before.url) or mode == "codex_responses"
    assert not [h.id for h in now.hazards if h.id in ("inline-key", "plain-custom")]


def test_a_name_is_only_given_where_one_is_missing() -> None:
    for model in ({"provider": "custom:x", "base_url": URL, "api_key": KEY}, {"provider": "custom", "base_url": URL}):
        config = {"model": model}
        assert moved(config, name=True)[2] is None
    taken = {
        "model": {"provider": "custom", "base_url": URL, "api_key": KEY},
        "providers": {"aisa": {"base_url": "https://x"}},
    }
    assert moved(taken, name=True)[2] is None
