"""Which key Hermes takes from a credential pool."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.hermes.home import HomeFiles
from provision.hermes.routing.pool import AuthStore, pick_pooled_key, pool_name, read_auth
from provision.hermes.routing.providers import NotModelledError

URL = "https://api.aisa.one/v1"
INLINE = {"providers": {"aisa": {"base_url": URL, "api_key": "inline-key"}}}
MANUAL = {"source": "manual", "access_token": "manual-key"}


def picked(*entries: dict[str, Any], config: dict[str, Any] | None = None, now: float | None = None) -> str | None:
    auth = AuthStore({"custom:aisa": [(entry, f"auth.json {n}") for n, entry in enumerate(entries)]})
    found = pick_pooled_key(config if config is not None else INLINE, auth, "custom:aisa", now=now)
    return found.key if found else None


def test_an_inline_key_fills_the_pool_and_a_manual_entry_wins() -> None:
    assert picked() == "inline-key"
    assert picked(MANUAL) == "manual-key"
    assert picked(config={}) is None


def test_a_borrowed_entry_takes_its_key_from_the_configuration_and_keeps_its_priority() -> None:
    borrowed = {"source": "config:aisa", "access_token": "stale", "priority": 1}
    assert picked(borrowed) == "inline-key"
    assert picked(borrowed, {**MANUAL, "priority": 0}) == "manual-key"
    assert picked(borrowed, {**MANUAL, "priority": 2}) == "inline-key"


def test_the_lowest_priority_number_wins() -> None:
    assert picked({**MANUAL, "priority": 5}, {**MANUAL, "access_token": "second", "priority": 1}) == "second"


@pytest.mark.parametrize(
    "entry",
    [
        {**MANUAL, "last_status": "dead"},
        {"source": "manual", "access_token": ""},
        {"source": "config:aisa", "access_token": "stale"},  # borrowed: the configuration has no such entry
    ],
)
def test_an_entry_that_is_not_used(entry: dict[str, Any]) -> None:
    assert picked(entry, config={}) is None


def test_an_entry_on_hold_depends_on_the_time() -> None:
    on_hold = {**MANUAL, "last_status": "exhausted", "last_status_at": 1000, "last_error_code": 401}
    assert picked(on_hold, now=1299) == "inline-key"
    assert picked(on_hold, now=1301) == "manual-key"
    assert picked({**on_hold, "last_error_code": 429}, now=1301) == "inline-key"
    assert picked({**on_hold, "last_error_reset_at": 1200}, now=1201) == "manual-key"
    with pytest.raises(NotModelledError, match="on hold"):
        picked(on_hold)


def test_a_pool_that_changes_keys_is_in_doubt() -> None:
    auth = AuthStore({"custom:aisa": [(MANUAL, "a"), ({**MANUAL, "access_token": "other", "request_count": -1}, "b")]})
    found = pick_pooled_key(
        {"credential_pool_strategies": {"custom:aisa": "least_used"}}, auth, "custom:aisa", now=None
    )
    assert found is not None
    assert (found.key, found.manual) == ("other", True)
    assert found.doubt == "the pool custom:aisa changes keys (least_used)"


def test_the_pool_of_an_endpoint() -> None:
    config = {"providers": {"My Own": {"base_url": f"{URL}/"}, "aisa": {"base_url": URL}}}
    assert pool_name(config, URL, "Aisa") == "custom:aisa"
    assert pool_name(config, URL, None) == "custom:my-own"
    assert pool_name(config, "https://other", "other") is None
    assert pool_name({**config, "custom_providers": []}, URL, "aisa") is None


def test_a_hermes_profile_inherits_pools_that_it_does_not_have() -> None:
    def home(path: str, pools: object) -> HomeFiles:
        return HomeFiles(path, auth=json.dumps({"credential_pool": pools}).encode())

    own = home("/h/profiles/blue", {"custom:a": [MANUAL], "custom:b": []})
    auth = read_auth(own, home("/h", {"custom:a": [{}], "custom:b": [MANUAL]}))
    assert auth.entries("custom:a") == [(MANUAL, "/h/profiles/blue/auth.json credential_pool.custom:a[0]")]
    assert auth.entries("custom:b") == [(MANUAL, "/h/auth.json credential_pool.custom:b[0]")]
    assert read_auth(HomeFiles("/h", auth=b"{"), None).unreadable == ("/h/auth.json",)
