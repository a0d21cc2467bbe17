"""The route model's own promises: what it says, what it hides, and when it says that something is unknown."""

from __future__ import annotations

import dataclasses
import json
from functools import partial

import pytest

from provision.detect.fingerprint import UNPROVISIONED_SALT, fingerprint
from provision.errors import Severity
from provision.hermes.home import HermesFiles, HomeFiles
from provision.hermes.routing.hazards import Expected
from provision.hermes.routing.route import Route, resolve_route

KEY = "sk-aisa-TEST-route"
mark = partial(fingerprint, salt=UNPROVISIONED_SALT)
CONFIG = """
model: {provider: custom:aisa, default: gpt-5.2}
providers:
  aisa: {api: https://api.aisa.one/v1, key_env: AISA_API_KEY, api_mode: chat_completions}
_config_version: 33
"""
WANTED = Expected("aisa", "https://api.aisa.one/v1", "gpt-5.2", "chat_completions", "AISA_API_KEY", mark(KEY))


def home(config: str = CONFIG, env: str = f"AISA_API_KEY={KEY}\n", **more: bytes) -> HermesFiles:
    return HermesFiles(HomeFiles("/h", config.encode(), env.encode(), **more))


def route(files: HermesFiles, expected: Expected | None = WANTED, **environ: str) -> Route:
    return resolve_route(files, environ=environ, fingerprint=mark, expected=expected)


def ids(found: Route) -> set[str]:
    return {h.id for h in found.hazards}


def test_a_clean_home_has_a_route_and_no_hazards() -> None:
    found = route(home())
    assert (found.url, found.path) == ("https://api.aisa.one/v1/chat/completions", "/v1/chat/completions")
    assert (found.model, found.api_mode, found.header) == ("gpt-5.2", "chat_completions", "authorization")
    assert found.key_fingerprint == mark(KEY)
    assert found.key_source == "env:AISA_API_KEY (/h/.env:1 AISA_API_KEY)"
    assert found.refusal is None
    assert found.unknown is None
    assert found.hazards == ()


def test_no_text_contains_the_key() -> None:
    inline = CONFIG.replace("key_env:", f"api_key: {KEY}, extra_headers: {{Authorization: Bearer {KEY}}}, key_env:")
    found = route(home(inline, f"AISA_API_KEY={KEY}\nCUSTOM_BASE_URL=https://u:{KEY}@h.example\n"))
    assert KEY not in repr(found)
    assert KEY not in json.dumps([dataclasses.asdict(h) for h in found.hazards])
    assert found.key is not None
    assert KEY not in str(found.key)


@pytest.mark.parametrize(
    ("change", "hazard"),
    [
        (("custom:aisa", "custom:other"), None),
        (("https://api.aisa.one/v1", "https://other.example/v1"), "wrong-url"),
        (("gpt-5.2", "gpt-5.1"), "wrong-model"),
        (("chat_completions", "codex_responses"), "wrong-mode"),
        (("aisa: {", "aisa: {api_key: sk-another-test, "), "wrong-key"),
    ],
)
def test_differences_from_what_is_expected(change: tuple[str, str], hazard: str | None) -> None:
    found = route(home(CONFIG.replace(*change)))
    assert found.refusal if hazard is None else hazard in ids(found)


@pytest.mark.parametrize(
    ("secrets", "env", "doubt"),
    [
        ("bitwarden: {enabled: true}", "BWS_ACCESS_TOKEN=x", True),
        ("bitwarden: {enabled: true}", "", False),
        ("bitwarden: {enabled: true, override_existing: false}", "BWS_ACCESS_TOKEN=x", False),
        ("onepassword: {enabled: true, env: {AISA_API_KEY: 'op://v/i/f'}}", "", True),
        ("onepassword: {enabled: true, env: {OTHER: 'op://v/i/f'}}", "", False),
        ("mine: {enabled: true}", "", True),
        ("mine: {enabled: false}", "", False),
    ],
)
def test_secret_sources_make_the_key_unknown(secrets: str, env: str, doubt: bool) -> None:
    found = route(home(f"{CONFIG}secrets: {{{secrets}}}\n", f"AISA_API_KEY={KEY}\n{env}\n"))
    assert found.key_source.startswith("unknown: ") is doubt
    assert bool(found.unknown) is doubt
    assert (found.key is None) is doubt
    assert ("secret-source" in ids(found)) is ("true" in secrets.partition("enabled: ")[2][:4])


def test_an_unreadable_file_does_not_count_as_missing() -> None:
    files = home()
    files = dataclasses.replace(
        files, root=dataclasses.replace(files.root, auth=None, unreadable={"auth.json": "denied"})
    )
    found = route(files)
    assert found.unknown
    assert found.url is None
    assert "unreadable" in ids(found)


@pytest.mark.parametrize("strategy", ["random", "round_robin"])
def test_a_pool_that_rotates_is_not_certain(strategy: str) -> None:
    entries = [{"id": str(n), "source": "manual", "access_token": f"sk-pool-{n}", "priority": n} for n in range(2)]
    auth = json.dumps({"credential_pool": {"custom:aisa": entries}}).encode()
    config = f"{CONFIG}credential_pool_strategies: {{'custom:aisa': {strategy}}}\n"
    assert route(home(config, auth=auth)).unknown


def test_an_entry_on_hold_needs_the_clock() -> None:
    entry = {"source": "manual", "access_token": "sk-pool-1", "last_status": "exhausted", "last_status_at": 1000}
    files = home(auth=json.dumps({"credential_pool": {"custom:aisa": [entry]}}).encode())

    def at(now: float | None) -> Route:
        return resolve_route(files, environ={}, fingerprint=mark, now=now)

    assert at(1001.0).key_fingerprint == mark(KEY)
    assert at(1000.0 + 3601).key_fingerprint == mark("sk-pool-1")
    assert at(None).unknown


def test_proxies_and_trust_in_the_process_are_notes_and_in_env_warnings() -> None:
    def severity(found: Route, id_: str) -> set[Severity]:
        return {h.severity for h in found.hazards if h.id == id_}

    shell = route(home(), HTTPS_PROXY="http://p.example", SSL_CERT_FILE="/x")
    assert severity(shell, "proxy") == severity(shell, "tls-trust") == {Severity.NOTE}
    filed = route(home(env=f"AISA_API_KEY={KEY}\nHTTPS_PROXY=http://p.example\nSSL_CERT_FILE=/x\n"))
    assert severity(filed, "proxy") == severity(filed, "tls-trust") == {Severity.WARNING}


def test_hostile_pools_are_survived() -> None:
    for auth in (
        b"[]",
        b'{"credential_pool": []}',
        b'{"credential_pool": {"custom:aisa": [1, {"priority": "x"}]}}',
        b"[" * 99999,
    ):
        assert route(home(auth=auth)).key_fingerprint == mark(KEY)


def pool(token: str) -> bytes:
    return json.dumps({"credential_pool": {"custom:aisa": [{"source": "manual", "access_token": token}]}}).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_pool_token_with_a_line_break_sends_nothing(end: str) -> None:
    found = route(home(auth=pool("other-key" + end)))
    assert found.refusal
    assert found.path is None or found.key is None
    assert "other-key" not in repr(found)


def test_auth_json_with_a_byte_order_mark_is_ignored() -> None:
    assert route(home(auth=pool("other-key"))).key_fingerprint == mark("other-key")
    assert route(home(auth=b"\xef\xbb\xbf" + pool("other-key"))).key_fingerprint == mark(KEY)


def test_a_header_that_replaces_the_key_is_the_place_of_the_hazard() -> None:
    found = route(home(CONFIG.replace("gpt-5.2}", "gpt-5.2, default_headers: {Authorization: Bearer other}}")))
    (hazard,) = [h for h in found.hazards if h.id == "wrong-key"]
    assert "model.default_headers.Authorization" in hazard.where
    assert hazard.cure == "remove that header"


def test_a_host_of_another_alphabet_is_an_error_and_shown_as_sent() -> None:
    found = route(home(CONFIG.replace("api.aisa.one", "\u0430pi.aisa.one")))
    assert found.url
    assert found.url.startswith("https://xn--")
    assert [h.severity for h in found.hazards if h.id == "lookalike-host"] == [Severity.ERROR]


def test_dots_in_the_path_are_shown_as_sent() -> None:
    found = route(home(CONFIG.replace("one/v1", "one/x/../v1")), expected=None)
    assert found.path == "/v1/chat/completions"


def test_a_key_in_the_variable_of_another_service_is_reported() -> None:
    env = f"AISA_API_KEY={KEY}\nTAVILY_API_KEY={KEY}\nMY_NOTE={KEY}\nFAL_KEY=own-key-of-the-user\n"
    found = [d for d in route(home(env=env)).destinations if d.verdict != "stays"]
    assert [(d.kind, d.name, d.key_fingerprint) for d in found] == [("service-key", "TAVILY_API_KEY", mark(KEY))]
