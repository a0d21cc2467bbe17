"""What one request contains, once endpoint, key and mode are known."""

from __future__ import annotations

import pytest
from routecraft import AISA, resolver_input

from provision.hermes.routing.providers import HermesStopsError, NotModelledError
from provision.hermes.routing.request import build_request, with_fallback_credentials
from provision.hermes.routing.runtime import ResolvedEndpoint

URL = "https://api.aisa.one/v1"


def endpoint(url: str = URL, mode: str = "chat_completions", key: str = "sk-key") -> ResolvedEndpoint:
    return ResolvedEndpoint("custom", url, mode, key, "key_env")


def config(entry: str) -> str:
    return AISA.replace("api_mode: chat_completions", entry)


def test_a_plain_request() -> None:
    found = build_request(resolver_input(), endpoint(), "anthropic/claude-4.5")
    assert (found.url, found.model, found.header) == (
        f"{URL}/chat/completions",
        "anthropic/claude-4.5",
        "authorization",
    )
    assert (found.key, found.key_source) == ("sk-key", "key_env")


def test_messages_mode_has_its_own_path_header_and_names() -> None:
    found = build_request(resolver_input(), endpoint(mode="anthropic_messages"), "anthropic/claude-4.5")
    assert (found.path, found.model, found.header) == ("/v1/messages", "claude-4-5", "x-api-key")


@pytest.mark.parametrize("mode", ["chat_completions", "anthropic_messages"])
def test_headers_replace_the_key_but_not_in_messages_mode(mode: str) -> None:
    asked = resolver_input(config("extra_headers: {Authorization: Bearer other}"))
    found = build_request(asked, endpoint(mode=mode), "m")
    assert found.key == ("other" if mode == "chat_completions" else "sk-key")


def test_a_name_and_password_in_the_url_replace_the_key() -> None:
    found = build_request(resolver_input(), endpoint("https://ada:p%40w@h/v1"), "m")
    assert (found.key, found.url) == ("Basic YWRhOnBAdw==", "https://h/v1/chat/completions")


def test_extra_body_replaces_the_model_of_the_same_url() -> None:
    asked = resolver_input(config("extra_body: {model: other}"))
    assert build_request(asked, endpoint(f"{URL}/"), "m").model == "other"
    assert build_request(asked, endpoint("https://h/v1"), "m").model == "m"


@pytest.mark.parametrize(
    ("asked", "at", "error"),
    [
        (AISA, endpoint("https://${HOST}/v1"), HermesStopsError),
        (AISA, endpoint("ftp://h"), HermesStopsError),
        ("model: {context_length: 4096}", endpoint(), HermesStopsError),
        (config("models: {m: {context_length: '4096'}}"), endpoint(), HermesStopsError),
        (AISA, endpoint("https://h?x=1", "anthropic_messages"), NotModelledError),
        (AISA, endpoint(mode="bedrock_converse"), NotModelledError),
    ],
)
def test_where_no_request_is_sent(asked: str, at: ResolvedEndpoint, error: type[Exception]) -> None:
    with pytest.raises(error):
        build_request(resolver_input(asked), at, "m")


def test_without_a_key_openrouter_is_the_fallback_of_openrouter_only() -> None:
    missing = ResolvedEndpoint("openrouter", "https://h", "chat_completions", "", "")
    found = with_fallback_credentials(resolver_input(OPENROUTER_API_KEY="sk-or"), missing)
    assert (found.base_url, found.key) == ("https://openrouter.ai/api/v1", "sk-or")
    with pytest.raises(HermesStopsError):
        with_fallback_credentials(resolver_input(), missing)
    assert with_fallback_credentials(resolver_input(), endpoint()) == endpoint()
