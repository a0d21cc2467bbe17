"""Each hazard of the configuration, and the differences from the expected route."""

from __future__ import annotations

from dataclasses import replace

import pytest
from routecraft import AISA, KEY, route_context

from provision.hermes.home import HomeFiles
from provision.hermes.routing.config_hazards import config_hazards, mismatches
from provision.hermes.routing.hazards import Expected

EXPECTED = Expected("aisa", "https://api.aisa.one/v1", "gpt-5.2", "chat_completions", "AISA_API_KEY", "fp_1")
PLAIN = """
model: {provider: custom, default: m, base_url: https://h.example/v1, api_key: sk-aisa-TEST-inline%s}
_config_version: 33
"""


def entry(more: str) -> str:
    return AISA.replace("api_mode: chat_completions", more)


@pytest.mark.parametrize(
    ("config", "ids"),
    [
        (AISA, []),
        (AISA.replace("_config_version: 33", "_config_version: 32"), ["config-version"]),
        (entry("base_url: https://other"), ["url-precedence"]),
        (entry("base_url: https://api.aisa.one/v1/"), []),
        (entry("api_mode: responses"), ["invalid-mode"]),
        (entry("api_mode: chat_completions, transport: codex_responses"), ["mode-precedence"]),
        (entry("enabled: false"), ["disabled-provider"]),
        (entry("api_key: sk-aisa-TEST-inline"), ["inline-key"]),
        (entry("extra_body: {model: m}"), ["extra-body-model"]),
        (entry("ssl_verify: 'No'"), ["tls-off"]),
        (entry("ssl_ca_cert: /ca"), ["tls-trust"]),
        (entry("extra_headers: {X-API-Key: x, X-Team: y}"), ["extra-header-key"]),
        (AISA.replace("gpt-5.2", "gpt-5.2, default_headers: {Authorization: x}"), ["extra-header-key"]),
        (AISA.replace("gpt-5.2", "gpt-5.2, context_length: 4096"), ["context-length"]),
        (AISA.replace("gpt-5.2", "gpt-5.2, context_length: 64k"), ["context-length"]),
        (AISA.replace("key_env: AISA_API_KEY", "key_env: NOT_SET").replace("aisa.one", "h"), ["no-key"]),
        (AISA.replace("key_env: AISA_API_KEY", "api_key: '${NOT_SET}'"), ["unresolved-reference", "inline-key"]),
        (AISA.replace("https://", "http://"), ["plain-http"]),
        (AISA.replace("https://", "https://u:p@"), ["url-userinfo"]),
        (AISA.replace("/v1", "/v1?x=1"), ["url-query"]),
        (AISA + "custom_providers: {a: 1}\n", ["custom-providers-mapping"]),
        (AISA + "custom_providers: [{name: Aisa, base_url: 'https://h'}]\n", ["second-entry"]),
        (PLAIN % "", ["plain-custom", "inline-key"]),
        (PLAIN % ", api_mode: codex_responses", ["plain-custom", "inline-key", "responses-ignored"]),
    ],
)
def test_the_hazards_of_a_configuration(config: str, ids: list[str]) -> None:
    assert [hazard.id for hazard in config_hazards(route_context(config))] == ids


@pytest.mark.parametrize(
    ("managed", "ids"),
    [
        (HomeFiles("/etc/hermes", b"model: m\n"), ["managed-model-text"]),
        (HomeFiles("/etc/hermes", b"a: [\n"), ["managed-malformed"]),
        (HomeFiles("/etc/hermes"), ["managed-empty"]),
        (HomeFiles("/etc/hermes", b"x_provision: {}\n"), ["managed-left"]),
        (HomeFiles("/etc/hermes", b"secrets: {}\n"), ["managed-secrets"]),
    ],
)
def test_the_hazards_of_the_managed_scope(managed: HomeFiles, ids: list[str]) -> None:
    context = route_context(managed=managed, expected=EXPECTED, OPENROUTER_API_KEY="sk-or-key")
    assert [hazard.id for hazard in config_hazards(context)][: len(ids)] == ids


@pytest.mark.parametrize(
    ("change", "id_"),
    [
        ({}, None),
        ({"provider": "other"}, "wrong-provider"),
        ({"base_url": "https://API.aisa.one/v1/"}, None),
        ({"base_url": "https://other/v1"}, "wrong-url"),
        ({"model": "gpt-5.1"}, "wrong-model"),
        ({"api_mode": "codex_responses"}, "wrong-mode"),
        ({"api_mode": "auto"}, None),
        ({"key_fingerprint": "fp_2"}, "wrong-key"),
        ({"key_fingerprint": None}, None),
    ],
)
def test_a_difference_from_the_expected_route(change: dict[str, str | None], id_: str | None) -> None:
    context = route_context(expected=replace(EXPECTED, **change))
    found = mismatches(context, model="gpt-5.2", mode="chat_completions", fingerprint="fp_1")
    assert [hazard.id for hazard in found] == ([id_] if id_ else [])


def test_the_remediation_depends_on_the_file_that_sets_the_value() -> None:
    managed = HomeFiles("/etc/hermes", b"model: {default: other}\n")
    context = route_context(managed=managed, expected=EXPECTED)
    (hazard,) = mismatches(context, model="other", mode="chat_completions", fingerprint="fp_1")
    assert hazard.where == "/etc/hermes/config.yaml model.default"
    assert "as root" in hazard.cure
    (hazard,) = mismatches(route_context(expected=EXPECTED), model="other", mode="chat_completions", fingerprint="fp_1")
    assert (hazard.where, hazard.cure) == ("/h/config.yaml", "install the bundle again")


def test_no_text_contains_the_key() -> None:
    context = route_context(entry(f"api_key: {KEY}, extra_headers: {{Authorization: {KEY}}}"))
    assert KEY not in repr(list(config_hazards(context)))


@pytest.mark.parametrize(
    ("writers", "why"),
    [((), None), (("Users",), "may change the managed scope: Users"), (None, "is unknown")],
)
def test_a_managed_scope_belongs_to_administrators(writers: tuple[str, ...] | None, why: str | None) -> None:
    context = route_context(managed=HomeFiles("/etc/hermes", b"model: {default: other}\n"))
    context = replace(context, files=replace(context.files, managed_writers=writers))
    found = [hazard for hazard in config_hazards(context) if hazard.id == "managed-writable"]
    assert len(found) == (why is not None)
    assert all(why is not None and why in hazard.why for hazard in found)
