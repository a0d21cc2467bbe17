"""What `check` says about one user, from Hermes' point of view: rule, severity and the place that set the value."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from provision.errors import Place, Severity
from provision.fleet.desired import DesiredState, EffectiveProfile, Platform, SecretDelivery
from provision.hermes.lint import lint_desired_state

PROFILE = EffectiveProfile("eng", "gpt-5.2", "https://api.aisa.one/v1", hermes={"security": {"redact_secrets": True}})
LIKE_A_KEY = "sk-" + "FAKE" * 6


def _judged(platform: Platform = Platform.LINUX, **fields: Any) -> list[tuple[str, str]]:
    origins = {name: Place(f"{name}.yaml", 1) for name in [*fields, "hermes.security"]}
    state = DesiredState(
        "ada", dataclasses.replace(PROFILE, **fields), Place("inventory.yaml", 3), platform, origins=origins
    )
    problems = list(lint_desired_state(state))
    assert not any(LIKE_A_KEY in str(p) for p in problems)
    return [(p.rule, p.severity.value) for p in problems]


def test_a_sound_state_has_no_problem() -> None:
    assert _judged() == []
    assert (
        _judged(context_length=64000, fallback_models=("gpt-5.1",), env={"TEAM": "eng"}, description="Größe 1 & 2")
        == []
    )
    assert ("secret", "error") not in _judged(env={"HERMES_REDACT_SECRETS": "true"})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"provider": "openrouter"}, ("provider-built-in", "error")),
        ({"provider": "OpenRouter"}, ("provider-built-in", "error")),
        ({"provider": "custom"}, ("provider-built-in", "error")),
        ({"provider": "claude"}, ("provider-built-in", "error")),
        ({"provider": "My Gateway"}, ("provider-name", "error")),
        ({"provider": "aisa:x"}, ("provider-name", "error")),
        ({"context_length": 63999}, ("context-length", "error")),
        ({"fallback_models": ("gpt-5.2",)}, ("fallback-same", "warning")),
        ({"description": f"the key is {LIKE_A_KEY}"}, ("secret", "error")),
        ({"description": "${HOME}"}, ("reference", "error")),
        ({"model": "{{ 7 }}"}, ("reference", "error")),
        ({"base_url": "https://user:pw@api.aisa.one/v1"}, ("secret", "error")),
        ({"base_url": "https://api.aisa.one/v1?api_key=x"}, ("secret", "error")),
        ({"hermes": {"model": {"default": "x"}}}, ("hermes-owned", "error")),
        ({"hermes": {"providers": {}}}, ("hermes-owned", "error")),
        ({"hermes": {"secrets": {"bitwarden": {}}}}, ("hermes-owned", "error")),
        ({"hermes": {"CUSTOM_BASE_URL": "x"}}, ("hermes-owned", "error")),
        ({"hermes": {"security": {"redact_secrets": False}}}, ("redaction-off", "warning")),
        ({"hermes": {"telegram": {"bot_token": "123:abc"}}}, ("secret", "error")),
        ({"hermes": {"x_a": [{"b": LIKE_A_KEY}]}}, ("secret", "error")),
        ({"hermes": {"x_a": {"token": "${TOKEN}"}}}, ("reference", "error")),
        ({"key_env": "aisa key"}, ("key-env", "error")),
        ({"key_env": "CUSTOM_BASE_URL"}, ("key-env", "error")),
        ({"key_env": "PATH"}, ("key-env", "error")),
        ({"key_env": "HERMES_KEY"}, ("key-env", "error")),
        ({"key_env": "OPENAI_API_KEY"}, ("key-env-shared", "warning")),
        ({"key_env": "AISA"}, ("key-env-unmasked", "warning")),
        ({"env": {"AISA_API_KEY": ""}}, ("env-key", "error")),
        ({"env": {"A": "two words"}}, ("env-value", "error")),
        ({"env": {"HERMES_INFERENCE_MODEL": "x"}}, ("env-hijack", "error")),
        ({"env": {"LD_PRELOAD": "x.so"}}, ("env-denied", "error")),
        ({"env": {"HERMES_YOLO_MODE": "1"}}, ("env-weakens", "warning")),
        ({"env": {"HTTPS_PROXY": "http://p:3128"}}, ("env-route", "warning")),
        ({"env": {"MY_TOKEN": "abc"}}, ("secret", "error")),
        ({"secret_delivery": SecretDelivery.RUN}, ("run-delivery", "note")),
        ({"managed": True}, ("managed-limits", "note")),
    ],
)
def test_each_mistake_is_found_alone(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in _judged(**fields)
    assert {s for _, s in _judged(**fields)} <= {expected[1], "error"}


def test_managed_scope_is_for_linux() -> None:
    assert _judged(Platform.WINDOWS, managed=True) == [("managed-platform", "error")]


def test_problems_stand_where_the_value_was_set() -> None:
    origins = {"hermes.security": Place("base.yaml", 7, 3), "env.A": Place("eng.yaml", 9, 2)}
    profile = dataclasses.replace(PROFILE, hermes={"security": {"redact_secrets": False}}, env={"A": "b c"})
    state = DesiredState("ada", profile, Place("inventory.yaml", 3), origins=origins)
    assert [(p.rule, p.place) for p in lint_desired_state(state)] == [
        ("redaction-off", Place("base.yaml", 7, 3)),
        ("env-value", Place("eng.yaml", 9, 2)),
    ]
    assert Severity.WARNING in {p.severity for p in lint_desired_state(state)}
