"""Each hazard of the environment, its place and severity."""

from __future__ import annotations

import pytest
from routecraft import AISA, KEY, route_context

from provision.errors import Severity
from provision.hermes.home import HomeFiles
from provision.hermes.routing.environment_hazards import (
    enabled_secret_sources,
    environment_hazards,
    secret_source_doubt,
)

LINE = f"AISA_API_KEY={KEY}\n"
PLAIN = (
    "model: {provider: custom, default: m, base_url: https://h.example/v1, api_key: inline-key}\n_config_version: 33"
)


@pytest.mark.parametrize(
    ("line", "id_", "severity"),
    [
        ("CUSTOM_BASE_URL=http://x", "custom-base-url", "warning"),
        ("HERMES_INFERENCE_MODEL=m", "inference-model", "error"),
        ("HERMES_MANAGED_DIR=/x", "managed-dir-moved", "error"),
        ("HERMES_HOME=/x", "home-moved", "error"),
        ("HERMES_IGNORE_USER_CONFIG=Yes", "ignore-user-config", "error"),
        ("HTTPS_PROXY=http://p", "proxy", "warning"),
        ("SSL_CERT_FILE=/ca", "tls-trust", "warning"),
        ("HERMES_MODEL=m", "model-of-cron", "warning"),
        ("HERMES_REDACT_SECRETS=off", "redaction-off", "warning"),
        ("HERMES_DUMP_REQUEST_STDOUT=1", "request-dump", "warning"),
    ],
)
def test_a_line_of_the_env_file(line: str, id_: str, severity: str) -> None:
    (hazard,) = environment_hazards(route_context(env=LINE + line + "\n"))
    assert (hazard.id, hazard.severity.value) == (id_, severity)
    assert hazard.where == f"/h/.env:2 {line.partition('=')[0]}"


@pytest.mark.parametrize(
    "line",
    ["CUSTOM_BASE_URL=", "HERMES_IGNORE_USER_CONFIG=0", "HERMES_REDACT_SECRETS=true", "HTTPS_PROXY=", "NO_PROXY=x"],
)
def test_a_line_without_effect(line: str) -> None:
    assert list(environment_hazards(route_context(env=LINE + line + "\n"))) == []


def test_custom_base_url_is_an_error_for_plain_custom() -> None:
    (hazard,) = environment_hazards(route_context(PLAIN, CUSTOM_BASE_URL="http://x"))
    assert (hazard.id, hazard.severity, hazard.where) == ("custom-base-url", Severity.ERROR, "process environment")


def test_a_proxy_of_the_shell_is_a_note_and_loopback_needs_none() -> None:
    (hazard,) = environment_hazards(route_context(HTTPS_PROXY="http://p"))
    assert hazard.severity is Severity.NOTE
    local = route_context(AISA.replace("https://api.aisa.one", "http://127.0.0.1:8"), HTTPS_PROXY="http://p")
    assert list(environment_hazards(local)) == []


def test_scalars_at_the_top_level_become_variables() -> None:
    found = environment_hazards(route_context(AISA + "CUSTOM_BASE_URL: http://x\nOPENAI_BASE_URL: u\nMINE: 1\n"))
    assert [(h.id, h.where) for h in found] == [
        ("root-scalar", "/h/config.yaml CUSTOM_BASE_URL"),
        ("root-scalar", "/h/config.yaml OPENAI_BASE_URL"),
    ]


def test_a_byte_order_mark_hides_the_first_variable() -> None:
    (hazard,) = environment_hazards(route_context(env="\ufeffOTHER=1\n" + LINE))
    assert (hazard.id, "'OTHER'" in hazard.why) == ("bom", True)


def test_files_that_were_not_read() -> None:
    managed = HomeFiles("/etc/hermes", unreadable={"config.yaml": "permission denied"})
    found = list(environment_hazards(route_context(managed=managed, unreadable={"auth.json": "too large"})))
    assert {(h.id, h.where) for h in found} == {
        ("unreadable", "/h/auth.json"),
        ("unreadable", "/etc/hermes/config.yaml"),
    }


@pytest.mark.parametrize(
    ("value", "on"), [("true", True), ("1", True), ("false", False), ("'off'", False), ("null", False)]
)
def test_enabled_secret_sources(value: str, on: bool) -> None:
    context = route_context(AISA + f"secrets: {{bitwarden: {{enabled: {value}}}, other: {{}}}}\n")
    assert list(enabled_secret_sources(context)) == (["bitwarden"] if on else [])


@pytest.mark.parametrize(
    ("settings", "env", "doubt"),
    [
        ("bitwarden: {enabled: true}", "", False),  # without its access token it does nothing
        ("bitwarden: {enabled: true, access_token_env: T}", "T=x\n", True),
        ("onepassword: {enabled: true, env: {OTHER: 'op://x'}}", "", False),
        ("onepassword: {enabled: true, env: {AISA_API_KEY: 'op://x'}}", "", True),
        ("plugin: {enabled: true}", "", True),
        ("plugin: {enabled: true, override_existing: false}", "", False),
    ],
)
def test_when_a_secret_source_makes_the_key_unknown(settings: str, env: str, doubt: bool) -> None:
    context = route_context(AISA + f"secrets: {{{settings}}}\n", LINE + env)
    assert (secret_source_doubt(context) is not None) is doubt


@pytest.mark.parametrize("value", ["remote", " Remote ", "plane"])
def test_a_config_backend_of_newer_releases_is_a_hazard_on_every_release(value: str) -> None:
    found = [h for h in environment_hazards(route_context(env=f"HERMES_CONFIG_BACKEND={value}\n")) if "newer" in h.id]
    assert [(h.id, h.severity, h.where) for h in found] == [
        ("newer-setting-decides", Severity.WARNING, "/h/.env:1 HERMES_CONFIG_BACKEND")
    ]
    assert "not read by 0.19.0, decides on newer ones" in found[0].why


@pytest.mark.parametrize("env", ["HERMES_CONFIG_BACKEND=file\n", "HERMES_CONFIG_BACKEND=\n", "X=1\n"])
def test_the_file_backend_is_no_hazard(env: str) -> None:
    assert not [h for h in environment_hazards(route_context(env=env)) if "newer" in h.id]


def test_a_suffix_of_the_home_counts_only_without_hermes_home() -> None:
    assert [h.id for h in environment_hazards(route_context(HERMES_DATA_DIR_SUFFIX="-x"))] == ["newer-setting-decides"]
    named = route_context(HERMES_DATA_DIR_SUFFIX="-x", HERMES_HOME="/h")
    assert not [h.id for h in environment_hazards(named) if "newer" in h.id]
