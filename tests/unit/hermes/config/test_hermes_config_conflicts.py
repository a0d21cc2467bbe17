"""Settings that win over the named provider are removed; the user's other endpoints stay."""

from __future__ import annotations

from typing import Any

import pytest

from provision.hermes.config.conflicts import ProvisionedProvider, keep_other_endpoint, remove_conflicts
from provision.hermes.config.draft import Draft

URL = "https://api.aisa.one/v1"
NEW: dict[str, Any] = {
    "model": {"provider": "custom:aisa", "default": "gpt-5.2"},
    "providers": {"aisa": {"base_url": URL, "key_env": "AISA_API_KEY"}},
}


def cleaned(**more: Any) -> Draft:
    draft = Draft({**NEW, **more}, "config.yaml")
    remove_conflicts(draft, NEW)
    return draft


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"provider": "openrouter"}, "provider"),
        ({"CUSTOM_BASE_URL": "http://evil"}, "CUSTOM_BASE_URL"),
        ({"AISA_API_KEY": "x"}, "AISA_API_KEY"),
        ({"context_length": 4096}, "context_length"),
        ({"model": {**NEW["model"], "base_url": "http://evil"}}, "model.base_url"),
        ({"providers": {**NEW["providers"], "AISA": {"api": "http://evil"}}}, "providers.AISA"),
        ({"providers": {**NEW["providers"], "x": {"api": "http://evil", "name": "Aisa"}}}, "providers.x"),
        ({"custom_providers": [{"name": "AIsa", "base_url": "http://evil"}]}, "custom_providers[0]"),
        ({"providers": {"aisa": {**NEW["providers"]["aisa"], "api": "http://evil"}}}, "providers.aisa.api"),
        ({"providers": {"aisa": {**NEW["providers"]["aisa"], "ssl_verify": "off"}}}, "providers.aisa.ssl_verify"),
        (
            {"providers": {"aisa": {**NEW["providers"]["aisa"], "extra_headers": {"X-Api-Key": "x"}}}},
            "providers.aisa.extra_headers.X-Api-Key",
        ),
        (
            {"providers": {"aisa": {**NEW["providers"]["aisa"], "extra_body": {"model": "x"}}}},
            "providers.aisa.extra_body.model",
        ),
        ({"delegation": {"base_url": URL, "api_key": "sk-x"}}, "delegation.api_key"),
        ({"fallback_model": {"provider": "custom:aisa", "apiKey": "sk-x"}}, "fallback_model.apiKey"),
        (
            {"auxiliary": {"vision": {"base_url": "https://API.aisa.one", "api_key": "sk-x"}}},
            "auxiliary.vision.api_key",
        ),
    ],
)
def test_a_conflict_is_removed(more: dict[str, Any], where: str) -> None:
    draft = cleaned(**more)
    assert [item.where for item in draft.removed] == [where]
    assert "sk-x" not in str(draft.data)


@pytest.mark.parametrize(
    "more",
    [
        {"context_length": 128_000},
        {"delegation": {"base_url": "https://other.example", "api_key": "sk-x"}},
        {"auxiliary": {"vision": {"base_url": URL, "api_key": "${AISA_API_KEY}"}}},
        {"custom_providers": [{"name": "mine", "base_url": "https://other.example", "api_key": "sk-x"}]},
        {"providers": {"aisa": {**NEW["providers"]["aisa"], "extra_headers": {"X-Team": "eng"}, "ssl_verify": True}}},
    ],
)
def test_what_stays(more: dict[str, Any]) -> None:
    assert cleaned(**more).changes == []


def test_providers_that_share_the_gateway_are_named_for_their_pools() -> None:
    draft = Draft(
        {"custom_providers": [{"name": "My Own", "base_url": URL}, {"name": "x", "base_url": "http://y"}]}, "f"
    )
    assert remove_conflicts(draft, NEW) == ("aisa", "my-own")


def test_an_endpoint_of_the_user_in_model_becomes_a_provider() -> None:
    model = {"provider": "custom", "base_url": "https://other.example/v1", "api_key": "sk-x", "default": "m"}
    draft = Draft({"model": model}, "config.yaml")
    assert keep_other_endpoint(draft, NEW) == "previous-other-example"
    entry = {"base_url": model["base_url"], "api_key": "sk-x", "default_model": "m"}
    assert draft.data["providers"] == {"previous-other-example": entry}


@pytest.mark.parametrize(
    "config",
    [
        {"model": {"provider": "custom", "base_url": URL, "api_key": "sk-x"}},  # our own gateway
        {"model": {"provider": "custom", "base_url": "https://other.example"}},  # no key
        {"model": {"provider": "openrouter", "base_url": "https://other.example", "api_key": "sk-x"}},
        {
            "model": {"provider": "custom", "base_url": "https://other.example", "api_key": "sk-x"},
            "custom_providers": [{"name": "n", "base_url": "https://other.example/v1", "api_key": "sk-x"}],
        },
    ],
)
def test_nothing_to_keep(config: dict[str, Any]) -> None:
    draft = Draft(config, "config.yaml")
    assert keep_other_endpoint(draft, NEW) is None
    assert draft.changes == []


def test_the_provider_of_a_rendering() -> None:
    ours = ProvisionedProvider.of(NEW)
    assert (ours.name, ours.base_url, ours.key_env, ours.model) == ("aisa", URL, "AISA_API_KEY", "gpt-5.2")
    assert ours.serves({"provider": "custom:AISA"})
    assert not ours.serves({"provider": "aisa", "base_url": "https://other.example"})
