"""What Hermes 0.19 would refuse, misread or be led astray by in one user's desired state: offline, before anything is built.

`lint_desired_state` yields problems with the place that set the value. It says plainly what a chosen way of working cannot prevent;
base URLs, models and API modes against the gateway's catalogue are judged elsewhere (`provision.aisa.lint`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from provision.detect.shapes import has_secret, is_placeholder
from provision.errors import Problem, Severity
from provision.fleet.desired import DesiredState, EffectiveProfile, Platform, SecretDelivery
from provision.hermes.config.naming import normalized_name
from provision.hermes.env.dotenv import check_value
from provision.hermes.facts import v0_19 as facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.errors import Place

    Origin = Callable[[str], Place]

OWNED_SETTINGS = {
    "model": "model, context_length and provider say it",
    "providers": "provider, base_url, key_env and api_mode say it",
    "custom_providers": "a second endpoint would compete with the provisioned one",
    "fallback_providers": "fallback_models says it",
    "fallback_model": "fallback_models says it",
    "_config_version": "provision writes the one this Hermes expects",
    "x_provision": "provision marks its settings with it",
    "secrets": "the key comes sealed in the bundle; a secret source would replace it when Hermes starts",
    "provider": "Hermes takes it into the model section",
    "base_url": "Hermes takes it into the model section",
    "api_base": "Hermes takes it into the model section",
    "api_key": "a key belongs in the vault",
    "context_length": "context_length of the profile says it",
}
"""Hermes settings that a profile's `hermes:` may not set, and what to use instead."""
_DENIED = """LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_DEBUG DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH DYLD_FRAMEWORK_PATH
DYLD_FALLBACK_LIBRARY_PATH DYLD_FALLBACK_FRAMEWORK_PATH PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONEXECUTABLE
PYTHONNOUSERSITE NODE_OPTIONS NODE_PATH PATH SHELL BROWSER EDITOR VISUAL PAGER GIT_SSH_COMMAND GIT_EXEC_PATH GIT_SHELL
HERMES_HOME HERMES_PROFILE HERMES_CONFIG HERMES_ENV"""
DENIED_ENV = frozenset(_DENIED.split())
"""Names that Hermes' own writer refuses (`hermes_cli/config.py`, `_ENV_VAR_NAME_DENYLIST`): they run or redirect programs."""
WEAKENING_ENV = {
    "HERMES_REDACT_SECRETS": "secrets would appear in Hermes' output and logs",
    "HERMES_YOLO_MODE": "Hermes would run commands without asking",
    "HERMES_SKIP_CHMOD": "Hermes would leave its files readable for others",
    "HERMES_DUMP_REQUEST_STDOUT": "requests would be printed, headers and all",
    "PYTHON_DOTENV_DISABLED": "Hermes would not load any .env",
}
_TEMPLATE = re.compile(r"\$\{|\{\{|\{%|\{#")
_SECRET_SETTING = re.compile(r"(?i)(^|_)(api_?key|token|secret|password|passwd|credential|access_key|private_key)s?$")
_SECRET_QUERY = re.compile(r"(?i)key|token|secret|sig|auth|pass")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ENV_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


def lint_desired_state(state: DesiredState) -> Iterator[Problem]:
    """Every problem of one user's desired state that Hermes makes one; none of the messages holds a value that may be secret."""
    profile, at = state.profile, state.origin
    yield from _provider(profile, at)
    yield from _limits(profile, at)
    yield from _texts(profile, at)
    yield from _base_url(profile, at)
    yield from _settings(profile, at)
    yield from _key_env(profile, at)
    yield from _env(profile, at)
    yield from _scope(state, at)
    yield from _delivery(state, at)


def _provider(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    name, place = profile.provider, at("provider")
    if normalized_name(name) in facts.RESERVED_PROVIDERS:
        hint = "choose a name of your own, such as aisa"
        yield Problem(
            "provider-built-in",
            f"Hermes has a provider {normalized_name(name)!r} of its own and would use that",
            place,
            hint,
        )
    elif not _PROVIDER.fullmatch(name):
        hint = "a-z, 0-9, and `.` `_` `-` inside: Hermes compares names in lower case and with dashes for blanks"
        yield Problem("provider-name", f"{name!r} is not a name Hermes finds again as it is written", place, hint)


def _limits(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    length = profile.context_length
    if length is not None and length < facts.MIN_CONTEXT_LENGTH:
        hint = "leave it out: Hermes then finds the model's own"
        message = f"context_length is {length}, and Hermes refuses to start below {facts.MIN_CONTEXT_LENGTH}"
        yield Problem("context-length", message, at("context_length"), hint)
    if profile.model in profile.fallback_models:
        message = f"{profile.model} is its own fallback"
        yield Problem("fallback-same", message, at("fallback_models"), "name another model", Severity.WARNING)


def _texts(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    fields = {"description": profile.description, "model": profile.model, "provider": profile.provider}
    texts = [*fields.items(), ("key_env", profile.key_env), ("base_url", profile.base_url)]
    texts += [("fallback_models", model) for model in profile.fallback_models]
    for field, text in texts:
        yield from _held(field, text, at(field))


def _held(field: str, text: str, place: Place) -> Iterator[Problem]:
    """A secret or a reference in a place that must hold neither."""
    if has_secret(text):
        hint = "take it out, replace that key, and put the new one into the vault: `provision keys import`"
        yield Problem("secret", f"{field} holds what looks like a secret", place, hint)
    if _TEMPLATE.search(text):
        hint = "values here are written out; `${…}` and Jinja are not resolved"
        yield Problem("reference", f"{field} holds a `${{…}}` or a template expression", place, hint)


def _base_url(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    try:
        parts = urlsplit(profile.base_url)
        user = parts.username or parts.password
    except ValueError:
        return  # not an address at all: the gateway's judge says so
    if user:
        yield Problem(
            "secret", "base_url holds a user name or password", at("base_url"), "take out everything before the @"
        )
    if any(_SECRET_QUERY.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        yield Problem(
            "secret", "base_url holds a credential after the ?", at("base_url"), "the key goes into the vault"
        )


def _settings(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    for key in profile.hermes:
        place = at(f"hermes.{key}")
        if key in OWNED_SETTINGS:
            yield Problem("hermes-owned", f"hermes: must not set {key}", place, OWNED_SETTINGS[key])
        elif key in facts.HIJACKING_ENV or key == profile.key_env:
            yield Problem(
                "hermes-owned", f"hermes: must not set {key}: the gateway process copies it into its environment", place
            )
    yield from _setting_values(profile.hermes, "hermes", at, 0)
    security = profile.hermes.get("security")
    if isinstance(security, Mapping) and security.get("redact_secrets") is False:
        place = at("hermes.security.redact_secrets")
        message = "security.redact_secrets is false: Hermes would print and log secrets"
        yield Problem("redaction-off", message, place, "leave it out, or set true", Severity.WARNING)


def _setting_values(value: Any, path: str, at: Origin, depth: int) -> Iterator[Problem]:
    if depth > 50:
        yield Problem("too-deep", f"{path[:60]}… is nested too deeply", at("hermes"))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            below = f"{path}.{key}"
            if _SECRET_SETTING.search(str(key)) and isinstance(item, str) and item and not _TEMPLATE.search(item):
                hint = "settings travel in the clear; a secret belongs in the vault"
                yield Problem("secret", f"{below} would hold a secret in clear", at(below), hint)
            else:
                yield from _setting_values(item, below, at, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _setting_values(item, path, at, depth + 1)
    elif isinstance(value, str):
        yield from _held(path, value, at(path))


def _key_env(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    name, place = profile.key_env, at("key_env")
    if not _ENV_NAME.fullmatch(name):
        yield Problem("key-env", f"key_env {name!r} is not the name of a variable", place, "such as AISA_API_KEY")
        return
    if name in facts.HIJACKING_ENV or name in DENIED_ENV or name in WEAKENING_ENV:
        yield Problem(
            "key-env", f"key_env {name} means something else to Hermes or to the system", place, "such as AISA_API_KEY"
        )
    elif name.startswith("HERMES_"):
        yield Problem(
            "key-env",
            f"key_env {name} begins with HERMES_, which Hermes keeps for itself",
            place,
            "such as AISA_API_KEY",
        )
    elif name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_TOKEN", "OLLAMA_API_KEY"):
        hint = "such as AISA_API_KEY: other programs, and Hermes' own providers, would send this key elsewhere"
        yield Problem("key-env-shared", f"key_env {name} is another provider's variable", place, hint, Severity.WARNING)
    elif not name.endswith(facts.CREDENTIAL_SUFFIXES):
        hint = f"end it in one of {', '.join(facts.CREDENTIAL_SUFFIXES)}"
        message = f"key_env {name} does not look like a credential to Hermes, which then does not mask it in its output"
        yield Problem("key-env-unmasked", message, place, hint, Severity.WARNING)
    if name in profile.env:
        yield Problem("env-key", f"env: must not set {name}: that is the key's own name", at(f"env.{name}"))


def _env(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    for name, value in profile.env.items():
        place, field = at(f"env.{name}"), f"env.{name}"
        if reason := check_value(name, value):
            yield Problem("env-value", f"{field} cannot be written: {reason}", place, "choose another value")
        if name in facts.HIJACKING_ENV:
            hint = "take it out: installs remove this line from users' files, too"
            yield Problem("env-hijack", f"{field} would change where Hermes sends requests", place, hint)
        elif name in DENIED_ENV:
            yield Problem(
                "env-denied", f"{field} changes which programs run; Hermes' own settings screen refuses it", place
            )
        elif name in WEAKENING_ENV:
            yield Problem("env-weakens", f"{field}: {WEAKENING_ENV[name]}", place, "", Severity.WARNING)
        elif name.endswith("_BASE_URL") or name in (*facts.PROXY_ENV, *facts.TRUST_ENV, *facts.MODEL_ENV_ELSEWHERE):
            message = f"{field} changes how some of Hermes' requests travel"
            yield Problem("env-route", message, place, "keep it only if that is what you want", Severity.WARNING)
        if has_secret(value) or (_SECRET_SETTING.search(name) and value and not is_placeholder(value)):
            yield Problem(
                "secret",
                f"{field} holds what looks like a secret",
                place,
                "env: is for settings; a profile is readable by all",
            )
        elif _TEMPLATE.search(value):
            yield Problem(
                "reference", f"{field} holds a `${{…}}` or a template expression", place, "write the value out"
            )


def _scope(state: DesiredState, at: Origin) -> Iterator[Problem]:
    if not state.profile.managed:
        return
    place = at("managed")
    if state.platform is not Platform.LINUX:
        message = f"Hermes has no managed scope on {state.platform.value}: this user would get none of these settings"
        yield Problem("managed-platform", message, place, "use managed: false for these users")
        return
    if state.profile.secret_delivery is SecretDelivery.RUN:
        hint = "the managed scope has no key; `provision run` supplies it"
        yield Problem(
            "managed-run",
            "managed settings with secret_delivery: run need Hermes started by `provision run`",
            place,
            hint,
            Severity.NOTE,
        )
    message = (
        "the managed scope (/etc/hermes) guides, it does not confine: a user can switch it off (HERMES_MANAGED_DIR in .env), "
        "pick another provider (--provider custom:…, a second entry whose name differs in case only) or another model, "
        "and a mistake in its YAML makes Hermes ignore all of it"
    )
    yield Problem(
        "managed-limits", message, place, "`provision status` on the machine shows the real route", Severity.NOTE
    )


def _delivery(state: DesiredState, at: Origin) -> Iterator[Problem]:
    if state.profile.secret_delivery is not SecretDelivery.RUN:
        return
    message = (
        "secret_delivery: run leaves no key on disk, so Hermes works only when started by `provision run -- hermes`; the Desktop "
        "app, the messaging gateway and cron jobs started otherwise send no key and get 401"
    )
    yield Problem("run-delivery", message, at("secret_delivery"), "use file where those are needed", Severity.NOTE)
