"""Base URLs: what is wrong with each, and what Hermes must get instead."""

from __future__ import annotations

import dataclasses

import pytest

from provision.aisa.base_url import check_base_url, gateway_root, is_allowed, request_path, with_normalised_base_url
from provision.errors import Severity
from provision.fleet.desired import ApiMode, EffectiveProfile

HOSTS = ("api.aisa.one",)
RIGHT = "https://api.aisa.one/v1"
CHAT, RESPONSES, MESSAGES = ApiMode.CHAT_COMPLETIONS, ApiMode.CODEX_RESPONSES, ApiMode.ANTHROPIC_MESSAGES

# URL, rules of the errors, rules of what is less; every message must hold the right URL
WRONG = [
    ("https://api.aisa.one", {"base-url-v1-missing"}, set()),
    ("https://api.aisa.one/", {"base-url-v1-missing"}, {"base-url-slash"}),
    ("https://api.aisa.one/v1/", set(), {"base-url-slash"}),
    ("https://api.aisa.one/v1///", set(), {"base-url-slash"}),
    ("https://api.aisa.one//v1", {"base-url-slash"}, set()),
    ("https://api.aisa.one/v1/v1", {"base-url-v1-doubled"}, set()),
    ("https://api.aisa.one/v1/v1/v1/", {"base-url-v1-doubled"}, {"base-url-slash"}),
    ("https://api.aisa.one/v1/chat/completions", {"base-url-route"}, set()),
    ("https://api.aisa.one/v1/chat/completions/", {"base-url-route"}, {"base-url-slash"}),
    ("https://api.aisa.one/v1/responses", {"base-url-route"}, set()),
    ("https://api.aisa.one/v1/messages", {"base-url-route"}, set()),
    ("https://api.aisa.one/v1/models", {"base-url-route"}, set()),
    ("https://api.aisa.one/v1/chat", {"base-url-route"}, set()),
    ("https://api.aisa.one/chat/completions", {"base-url-route", "base-url-v1-missing"}, set()),
    ("http://api.aisa.one/v1", {"base-url-http"}, set()),
    ("HTTP://api.aisa.one/v1", {"base-url-http"}, {"base-url-case"}),
    ("https://api.aisa.one/apis/v1", {"base-url-apis"}, set()),
    ("https://api.aisa.one/APIS/v1", {"base-url-apis", "base-url-case"}, set()),
    ("https://API.AISA.ONE/v1", set(), {"base-url-case"}),
    ("https://api.aisa.one/V1", {"base-url-case"}, set()),
    ("https://api.aisa.one:443/v1", set(), {"base-url-port"}),
    ("https://api.aisa.one:8443/v1", {"base-url-port"}, set()),
    ("https://api.aisa.one:/v1", {"base-url-port"}, set()),
    ("https://api.aisa.one:99999/v1", {"base-url-port"}, set()),
    ("https://api.aisa.one/v1?key=x", {"base-url-query"}, set()),
    ("https://api.aisa.one/v1#x", {"base-url-query"}, set()),
    ("https://ada:secret@api.aisa.one/v1", {"base-url-userinfo"}, set()),
    ("https://api.aisa.one@evil.example/v1", {"base-url-userinfo", "base-url-host"}, set()),
    (" https://api.aisa.one/v1", {"base-url-whitespace"}, set()),
    ("https://api.aisa.one/v1\n", {"base-url-whitespace"}, set()),
    ("https://api. aisa.one/v1", {"base-url-whitespace"}, set()),
    ("https://api.aisa.one\\@evil.example/v1", {"base-url-whitespace", "base-url-path"}, set()),
    ("https://api.aisa.one/v1beta", {"base-url-path", "base-url-v1-missing"}, set()),
    ("https://api.aisa.one/api/v1", {"base-url-path"}, set()),
    ("api.aisa.one/v1", {"base-url-scheme"}, set()),
    ("//api.aisa.one/v1", {"base-url-scheme"}, set()),
    ("https:/api.aisa.one/v1", {"base-url-scheme"}, set()),
    ("https//api.aisa.one/v1", {"base-url-scheme"}, set()),
    ("htps://api.aisa.one/v1", {"base-url-scheme"}, set()),
    ("ftp://api.aisa.one/v1", {"base-url-scheme"}, set()),
    ("https://aisa.one/v1", {"base-url-look-alike"}, set()),
    ("https://www.aisa.one/v1", {"base-url-look-alike"}, set()),
    ("https://console.aisa.one/v1", {"base-url-look-alike"}, set()),
    ("https://api.aisa.one./v1", {"base-url-look-alike"}, set()),
    ("https://api.aisa.one.evil.example/v1", {"base-url-look-alike"}, set()),
    ("https://api.aisa.one-secure.example/v1", {"base-url-look-alike"}, set()),
    ("https://evil-api.aisa.one/v1", {"base-url-look-alike"}, set()),
    ("https://api-aisa.one/v1", {"base-url-look-alike"}, set()),
    ("https://apiaisa.one/v1", {"base-url-look-alike"}, set()),
    ("https://api.aisa.com/v1", {"base-url-look-alike"}, set()),
    ("https://api.aisa.ai/v1", {"base-url-look-alike"}, set()),
    ("https://api.aisaa.one/v1", {"base-url-look-alike"}, set()),
    ("https://api.asia.one/v1", {"base-url-look-alike"}, set()),
    ("https://api.a1sa.one/v1", {"base-url-look-alike"}, set()),
    ("https://api.aisa.0ne/v1", {"base-url-look-alike"}, set()),
    ("https://api.a\u0456sa.one/v1", {"base-url-look-alike"}, set()),
    ("https://\u0430\u0440\u0456.\u0430\u0456\u0455\u0430.one/v1", {"base-url-look-alike"}, set()),
    ("https://api.a\u0131sa.one/v1", {"base-url-look-alike"}, set()),
    ("https://\uff41pi.aisa.one/v1", {"base-url-look-alike"}, set()),
    ("https://api\u3002aisa\u3002one/v1", {"base-url-look-alike"}, set()),
    ("https://openrouter.ai/v1", {"base-url-host"}, set()),
    ("https://api.openai.com/v1", {"base-url-host"}, set()),
    ("https://127.0.0.1.evil.example/v1", {"base-url-host"}, set()),
    ("https://localhost.evil.example/v1", {"base-url-host"}, set()),
    ("https://2130706433/v1", {"base-url-host"}, set()),
    ("https://0.0.0.0/v1", {"base-url-host"}, set()),
    ("", {"base-url"}, set()),
    ("   ", {"base-url"}, set()),
    ("https://", {"base-url"}, set()),
    ("https:///v1", None, set()),
    ("https://[::1/v1", {"base-url"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("url", "errors", "less"), WRONG, ids=[repr(w[0]) for w in WRONG])
def test_mistake_is_named_and_corrected(url: str, errors: set[str] | None, less: set[str]) -> None:
    judged = check_base_url(url, CHAT, HOSTS)
    found = {m.rule for m in judged.mistakes if m.severity is Severity.ERROR}
    assert found == errors if errors is not None else found
    assert {m.rule for m in judged.mistakes if m.severity is not Severity.ERROR} - {"base-url-path"} == less
    assert judged.usable is (not found)
    if errors is not None:
        assert judged.suggested == RIGHT
        assert all(
            RIGHT in m.message for m in judged.mistakes if m.rule != "base-url-path" or m.severity is Severity.ERROR
        )
    assert not any("secret" in m.message for m in judged.mistakes)


@pytest.mark.parametrize("mode", [ApiMode.AUTO, CHAT, RESPONSES])
def test_right_url_has_no_mistake(mode: ApiMode) -> None:
    assert check_base_url(RIGHT, mode, HOSTS).mistakes == ()


def test_punycode_look_alike() -> None:
    host = "api.a\u0456sa.one".encode("idna").decode()
    assert host.startswith("api.xn--")
    judged = check_base_url(f"https://{host}/v1", CHAT, HOSTS)
    assert [m.rule for m in judged.mistakes] == ["base-url-look-alike"]


@pytest.mark.parametrize("url", [RIGHT, "https://api.aisa.one"])
def test_messages_mode_drops_v1_with_a_note_at_most(url: str) -> None:
    judged = check_base_url(url, MESSAGES, HOSTS)
    assert judged.normalised == "https://api.aisa.one"
    assert all(m.severity is Severity.NOTE for m in judged.mistakes)
    assert judged.usable


def test_messages_mode_still_reports_what_is_wrong() -> None:
    judged = check_base_url("https://api.aisa.one/v1/v1/messages", MESSAGES, HOSTS)
    assert {m.rule for m in judged.mistakes} == {"base-url-route", "base-url-v1-doubled", "base-url-v1-in-messages"}
    assert judged.normalised == "https://api.aisa.one"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:9/v1", "https://127.9.9.9/v1"]
)
def test_loopback_is_allowed_with_a_note(url: str) -> None:
    judged = check_base_url(url, CHAT, HOSTS)
    assert [(m.rule, m.severity) for m in judged.mistakes] == [("base-url-loopback", Severity.NOTE)]
    assert judged.normalised == url


def test_configured_gateway_may_have_a_port_and_a_path() -> None:
    hosts = ("gw.corp.example:8443",)
    judged = check_base_url("https://gw.corp.example:8443/aisa/v1", CHAT, hosts)
    assert judged.usable
    assert judged.normalised == "https://gw.corp.example:8443/aisa/v1"
    wrong = check_base_url("https://gw.corp.example/aisa/v1", CHAT, hosts)
    assert [m.rule for m in wrong.mistakes if m.severity is Severity.ERROR] == ["base-url-port"]
    assert wrong.suggested == "https://gw.corp.example:8443/aisa/v1"
    assert check_base_url(RIGHT, CHAT, hosts).usable is False


def test_normalising_never_changes_the_host() -> None:
    for url in ("https://api.aisa.one.evil.example/v1", "https://aisa.one/v1", "https://gw.corp.example/x/v1"):
        assert check_base_url(url, CHAT, HOSTS).normalised == url


def test_normalised_profile_keeps_its_identity_when_right() -> None:
    profile = EffectiveProfile(name="p", model="gpt-5.2", base_url=RIGHT)
    assert with_normalised_base_url(profile) is profile
    other = dataclasses.replace(profile, api_mode=MESSAGES)
    assert with_normalised_base_url(other).base_url == "https://api.aisa.one"


def test_routes() -> None:
    assert request_path(ApiMode.AUTO) == request_path(CHAT) == "/v1/chat/completions"
    assert request_path(RESPONSES) == "/v1/responses"
    assert request_path(MESSAGES) == "/v1/messages"
    assert gateway_root(RIGHT) == gateway_root("https://api.aisa.one") == "https://api.aisa.one"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (RIGHT, True),
        ("https://API.aisa.one/v1", True),
        ("http://127.0.0.1:1/v1", True),
        ("http://api.aisa.one/v1", False),
        ("https://api.aisa.one:8443/v1", False),
        ("https://api.aisa.one.evil.example/v1", False),
        ("https://api.aisa.one@evil.example/v1", False),
        ("https://evil.example/v1?https://api.aisa.one/", False),
        ("https://evil.example\\api.aisa.one/v1", False),
        ("https://api.aisa.one\n/v1", False),
        ("https://ap\u0131.aisa.one/v1", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_a_key_may_go_only_to_the_gateway(url: str, allowed: bool) -> None:
    assert is_allowed(url, HOSTS) is allowed
