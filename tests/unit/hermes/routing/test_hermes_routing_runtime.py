"""Endpoint, key and mode, in the order in which Hermes' resolver tries them."""

from __future__ import annotations

import pytest
from routecraft import AISA, KEY, resolver_input

from provision.hermes.routing.providers import HermesStopsError, NotModelledError
from provision.hermes.routing.runtime import requested_provider, resolve_runtime

PLAIN = "model: {provider: custom, default: m, base_url: https://h.example/v1, api_key: inline-key}"
MANUAL = {"source": "manual", "access_token": "pool-key"}


def test_the_named_provider_reads_key_env() -> None:
    found = resolve_runtime(resolver_input(AISA, AISA_API_KEY=KEY, CUSTOM_BASE_URL="http://evil"))
    assert (found.provider, found.base_url, found.mode) == ("custom", "https://api.aisa.one/v1", "chat_completions")
    assert (found.key, found.entry, found.plain) == (KEY, ("providers", "aisa"), False)


@pytest.mark.parametrize(
    ("config", "pools", "key"),
    [
        (AISA, {"custom:aisa": [MANUAL]}, "pool-key"),
        (AISA + "custom_providers: []\n", {"custom:aisa": [MANUAL]}, KEY),  # switches the pool off
        (AISA.replace("key_env: AISA_API_KEY", "api_key: inline-key"), {}, "inline-key"),
        (AISA.replace("key_env: AISA_API_KEY, ", ""), {}, KEY),  # the variable derived from the host
        (AISA.replace("AISA_API_KEY", "OTHER_KEY").replace("aisa.one", "h"), {}, "no-key-required"),
    ],
)
def test_which_key_is_sent(config: str, pools: dict[str, list[dict[str, object]]], key: str) -> None:
    assert resolve_runtime(resolver_input(config, pools, AISA_API_KEY=KEY)).key == key


def test_plain_custom_follows_custom_base_url() -> None:
    found = resolve_runtime(resolver_input(PLAIN, CUSTOM_BASE_URL="http://evil/"))
    assert (found.base_url, found.plain, found.url_source) == (
        "http://evil",
        True,
        "CUSTOM_BASE_URL (process environment)",
    )
    assert resolve_runtime(resolver_input(PLAIN)).key == "inline-key"


def test_plain_custom_ignores_codex_responses() -> None:
    config = PLAIN.replace("default: m", "default: m, api_mode: codex_responses")
    assert resolve_runtime(resolver_input(config)).mode == "chat_completions"
    assert (
        resolve_runtime(resolver_input(config.replace("codex_responses", "Anthropic_Messages"))).mode
        == "anthropic_messages"
    )


def test_without_a_provider_openrouter_is_used_if_its_key_is_set() -> None:
    found = resolve_runtime(resolver_input("model: m", OPENROUTER_API_KEY="sk-or-key"))
    assert (found.provider, found.base_url, found.key) == ("openrouter", "https://openrouter.ai/api/v1", "sk-or-key")
    with pytest.raises(HermesStopsError, match="no inference provider"):
        resolve_runtime(resolver_input("model: m"))
    with pytest.raises(NotModelledError, match="GEMINI_API_KEY"):
        resolve_runtime(resolver_input("model: m", GEMINI_API_KEY="abcdef"))
    with pytest.raises(NotModelledError, match="bedrock"):
        resolve_runtime(resolver_input("model: m", AWS_PROFILE="work"))


@pytest.mark.parametrize("provider", ["", "provider: auto, "])
def test_a_url_without_a_provider(provider: str) -> None:
    found = resolve_runtime(resolver_input(f"model: {{{provider}base_url: https://h.example/v1, api_key: inline-key}}"))
    assert (found.base_url, found.key, found.plain) == ("https://h.example/v1", "inline-key", True)


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        ("model: {provider: nowhere}", HermesStopsError, "no provider has the name nowhere"),
        ("model: {provider: anthropic}", NotModelledError, "anthropic"),
        ("{model: {provider: x}, providers: {x: {api: https://h, enabled: false}}}", HermesStopsError, "disabled"),
        ("model: {provider: openai-api}", HermesStopsError, "OPENAI_API_KEY"),
        ("model: {provider: moa}", NotModelledError, "moa"),
    ],
)
def test_where_hermes_stops_or_leaves(config: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        resolve_runtime(resolver_input(config))


@pytest.mark.parametrize("config", ["model: [a]", "model: {default: 1}", "model: {base_url: [u]}"])
def test_a_model_of_the_wrong_type(config: str) -> None:
    with pytest.raises(HermesStopsError):
        resolver_input(config).check()


def test_the_requested_provider() -> None:
    asked = resolver_input("model: {provider: ' Custom:X '}", HERMES_INFERENCE_PROVIDER="openrouter")
    assert requested_provider(asked, None) == "custom:x"
    assert requested_provider(asked, " Groq ") == "groq"
    assert requested_provider(resolver_input("model: m", HERMES_INFERENCE_PROVIDER="X"), None) == "x"
    assert requested_provider(resolver_input("model: m"), None) == "auto"
