"""What a base URL, an API mode and a model become on the wire."""

from __future__ import annotations

import pytest

from provision.hermes.routing import wire as endpoint


@pytest.mark.parametrize(
    ("base_url", "mode", "url", "path"),
    [
        (
            "https://api.aisa.one/v1",
            "chat_completions",
            "https://api.aisa.one/v1/chat/completions",
            "/v1/chat/completions",
        ),
        ("https://api.aisa.one/v1", "codex_responses", "https://api.aisa.one/v1/responses", "/v1/responses"),
        ("https://api.aisa.one/v1/", "anthropic_messages", "https://api.aisa.one/v1/messages", "/v1/messages"),
        ("https://api.aisa.one", "anthropic_messages", "https://api.aisa.one/v1/messages", "/v1/messages"),
        ("http://127.0.0.1:80/v1", "chat_completions", "http://127.0.0.1/v1/chat/completions", "/v1/chat/completions"),
        ("http://[::1]:8080", "chat_completions", "http://[::1]:8080/chat/completions", "/chat/completions"),
        (
            "https://u:p@h.example/v1?x=1#f",
            "chat_completions",
            "https://h.example/v1/chat/completions",
            "/v1/chat/completions",
        ),
    ],
)
def test_request_url(base_url: str, mode: str, url: str, path: str) -> None:
    assert endpoint.request_url(base_url, mode) == (url, path)


@pytest.mark.parametrize(
    "base_url", ["", "api.aisa.one/v1", "ftp://h/v1", "https://", "http://h:port/v1", "http://[::1"]
)
def test_what_is_no_url_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError):
        endpoint.request_url(base_url, "chat_completions")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.aisa.one/v1", "AISA_API_KEY"),
        ("https://eu.gate.aisa.one", "AISA_API_KEY"),
        ("https://api.aisa.one.attacker.test/v1", "ATTACKER_API_KEY"),
        ("http://127.0.0.1:8080/v1", ""),
        ("http://localhost/v1", ""),
        ("https://api.openai.com/v1", ""),
        ("https://9lives.com", ""),
        ("", ""),
    ],
)
def test_the_variable_named_after_a_host(url: str, name: str) -> None:
    assert endpoint.host_derived_env(url) == name


def test_modes_inferred_from_urls() -> None:
    assert endpoint.mode_of_url("https://api.openai.com/v1") == "codex_responses"
    assert endpoint.mode_of_url("https://h.example/anthropic/") == "anthropic_messages"
    assert endpoint.mode_of_url("https://h.example/api.openai.com/v1") is None


def test_mode_names() -> None:
    assert endpoint.parse_mode(" Codex_Responses ") == "codex_responses"
    assert endpoint.parse_mode("responses") is None
    assert endpoint.parse_mode(5) is None


def test_models_on_the_wire() -> None:
    assert endpoint.model_on_wire("anthropic/claude-sonnet-4.6", "anthropic_messages") == "claude-sonnet-4-6"
    assert endpoint.model_on_wire("gpt-5.2", "anthropic_messages") == "gpt-5.2"
    assert endpoint.model_on_wire("anthropic/claude-sonnet-4.6", "chat_completions") == "anthropic/claude-sonnet-4.6"


def test_origins_tell_ports_apart() -> None:
    assert endpoint.origin("https://H.example/v1") == endpoint.origin("https://h.example:443")
    assert endpoint.origin("http://127.0.0.1:1") != endpoint.origin("http://127.0.0.1:2")
