"""Check one user's desired state for what Hermes refuses, misreads or is misled by: offline, before anything is built.

`lint_desired_state` yields problems with the place that set the value. It also reports what a chosen way of working
cannot prevent. `provision.aisa.lint` checks base URLs, models and API modes against the gateway's catalogue.
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
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import RESERVED_PROVIDERS
from provision.hermes.guardrails.settings import SWITCH_WORDS
from provision.hermes.guardrails.unenforced import contradictions_of, unenforced
from provision.hermes.routing.lookalike import looks_like
from provision.hermes.routing.wire import ascii_host
from provision.hermes.unread import allowed_releases, unread_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.errors import Place

    Origin = Callable[[str], Place]

OWNED_SETTINGS = {
    "model": "set model, context_length and provider instead",
    facts.PROVIDERS: "set provider, base_url, key_env and api_mode instead",
    facts.CUSTOM_PROVIDERS: "remove it: a second endpoint would compete with the provisioned one",
    facts.FALLBACK_PROVIDERS: "set fallback_models instead",
    facts.FALLBACK_MODEL: "set fallback_models instead",
    facts.VERSION_KEY: "remove it: provision writes the version that this Hermes expects",
    "x_provision": "remove it: provision marks its settings with it",
    "secrets": "remove it: the key comes sealed in the bundle, and a secret source would replace it when Hermes starts",
    "provider": "remove it: Hermes moves it into the model section",
    facts.BASE_URL: "remove it: Hermes moves it into the model section",
    facts.API_BASE: "remove it: Hermes moves it into the model section",
    facts.API_KEY: "put the key into the vault: `provision keys import`",
    facts.CONTEXT_LENGTH: "set the profile's context_length instead",
}
"""Hermes settings that a profile's `hermes:` must not set, and the hint for each."""
_TEMPLATE = re.compile(r"\$\{|\{\{|\{%|\{#")
_SECRET_SETTING = re.compile(r"(?i)(^|_)(api_?key|token|secret|password|passwd|credential|access_key|private_key)s?$")
_SECRET_QUERY = re.compile(r"(?i)key|token|secret|sig|auth|pass")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ENV_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


def lint_desired_state(state: DesiredState) -> Iterator[Problem]:
    """Yield every problem of one user's desired state. No message contains a value that may be secret."""
    profile, at = state.profile, state.origin
    yield from _provider(profile, at)
    yield from _limits(profile, at)
    yield from _texts(profile, at)
    yield from _base_url(profile, at)
    yield from _settings(profile, at)
    yield from unread_settings(profile, at)
    yield from _policy(profile, at)
    yield from _key_env(profile, at)
    yield from _env(profile, at)
    yield from _scope(state, at)
    yield from _delivery(state, at)


def _provider(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    name, place = profile.provider, at("provider")
    if normalized_name(name) in RESERVED_PROVIDERS:
        hint = "choose another name, such as aisa"
        yield Problem(
            "provider-built-in",
            f"the provider name {normalized_name(name)!r} belongs to a built-in provider of Hermes, which would be used instead",
            place,
            hint,
        )
    elif not _PROVIDER.fullmatch(name):
        hint = "use a-z, 0-9, and inside also `.` `_` `-`: Hermes compares names in lower case, with dashes for spaces"
        yield Problem(
            "provider-name", f"invalid provider name {name!r}: Hermes would look for another spelling", place, hint
        )


def _limits(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    length = profile.context_length
    if length is not None and length < facts.MIN_CONTEXT_LENGTH:
        hint = "remove it: Hermes then detects the model's own length"
        message = f"context_length {length} is too small: Hermes refuses to start below {facts.MIN_CONTEXT_LENGTH}"
        yield Problem("context-length", message, at("context_length"), hint)
    if profile.model in profile.fallback_models:
        message = f"the fallback {profile.model} is the model itself"
        yield Problem("fallback-same", message, at("fallback_models"), "name another model", Severity.WARNING)


def _texts(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    fields = {"description": profile.description, "model": profile.model, "provider": profile.provider}
    texts = [*fields.items(), ("key_env", profile.key_env), ("base_url", profile.base_url)]
    texts += [("fallback_models", model) for model in profile.fallback_models]
    for field, text in texts:
        yield from _held(field, text, at(field))


def _held(field: str, text: str, place: Place) -> Iterator[Problem]:
    """Report a secret or a reference in a text that must contain neither."""
    if has_secret(text):
        hint = "remove it, replace that key, and put the new one into the vault: `provision keys import`"
        yield Problem("secret", f"{field} contains what looks like a secret", place, hint)
    if _TEMPLATE.search(text):
        hint = "write the value out: `${…}` and Jinja are not resolved here"
        yield Problem("reference", f"{field} contains a `${{…}}` or a template expression", place, hint)


def _base_url(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    try:
        parts = urlsplit(profile.base_url)
        user = parts.username or parts.password
    except ValueError:
        return  # not a URL: the check against the gateway reports it
    if target := looks_like(parts.hostname or ""):
        message = f"the host of base_url, {ascii_host(parts.hostname or '')}, is not {target}, but looks like it"
        yield Problem("lookalike-host", message, at("base_url"), "write the host in plain letters")
    if user:
        yield Problem(
            "secret", "base_url contains a user name or password", at("base_url"), "remove everything before the @"
        )
    if any(_SECRET_QUERY.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        yield Problem(
            "secret", "base_url contains a credential after the ?", at("base_url"), "put the key into the vault"
        )


def _settings(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    for key in profile.hermes:
        place = at(f"hermes.{key}")
        if key in OWNED_SETTINGS:
            yield Problem("hermes-owned", f"hermes: must not set {key}", place, OWNED_SETTINGS[key])
        elif key in facts.HIJACKING_ENV or key == profile.key_env:
            yield Problem(
                "hermes-owned",
                f"hermes: must not set {key}: Hermes' gateway process copies it into its environment",
                place,
            )
    yield from _setting_values(profile.hermes, "hermes", at, 0)
    security = profile.hermes.get("security")
    if isinstance(security, Mapping) and security.get("redact_secrets") is False:
        place = at("hermes.security.redact_secrets")
        message = "security.redact_secrets is false: Hermes shows secrets in its output and logs"
        yield Problem("redaction-off", message, place, "remove it, or set it to true", Severity.WARNING)


def _policy(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    """A rule that this Hermes does not enforce, and settings of the profile that say something else than its policy."""
    if profile.policy is None:
        return
    for path in contradictions_of(profile):
        yield Problem("policy-contradicted", f"{path} says something else than policy:", at(path), "remove one of them")
    for name, why in unenforced(profile, allowed_releases(profile.hermes_version)):
        severity = Severity.WARNING if profile.policy.best_effort else Severity.ERROR
        hint = (
            ""
            if profile.policy.best_effort
            else "remove the rule, or write enforce: best-effort: then it is only reported"
        )
        yield Problem(
            "policy-unenforced", f"policy.{name} is not enforced: {why}", at(f"policy.{name}"), hint, severity
        )


def _setting_values(value: Any, path: str, at: Origin, depth: int) -> Iterator[Problem]:
    if depth > 50:
        yield Problem("too-deep", f"{path[:60]}… is nested too deeply", at("hermes"))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            below = f"{path}.{key}"
            if _SECRET_SETTING.search(str(key)) and isinstance(item, str) and item and not _TEMPLATE.search(item):
                hint = "settings are not encrypted: put the secret into the vault"
                yield Problem("secret", f"{below} would contain a secret in clear", at(below), hint)
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
        yield Problem(
            "key-env", f"invalid key_env {name!r}: not a variable name", place, "use a name such as AISA_API_KEY"
        )
        return
    if name in facts.HIJACKING_ENV or name in facts.DENIED_ENV or name in facts.WEAKENING_ENV:
        yield Problem(
            "key-env",
            f"key_env {name} has another meaning for Hermes or the system",
            place,
            "use a name such as AISA_API_KEY",
        )
    elif name.startswith("HERMES_"):
        yield Problem(
            "key-env",
            f"key_env {name} begins with HERMES_, which is reserved for Hermes",
            place,
            "use a name such as AISA_API_KEY",
        )
    elif name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_TOKEN", "OLLAMA_API_KEY"):
        hint = "use a name such as AISA_API_KEY: other programs and Hermes' own providers would send this key elsewhere"
        yield Problem("key-env-shared", f"key_env {name} belongs to another provider", place, hint, Severity.WARNING)
    elif not name.endswith(facts.CREDENTIAL_SUFFIXES):
        hint = f"use a name that ends in {', '.join(facts.CREDENTIAL_SUFFIXES)}"
        message = f"key_env {name} does not look like a credential, so Hermes does not mask it in its output"
        yield Problem("key-env-unmasked", message, place, hint, Severity.WARNING)
    if name in profile.env:
        yield Problem("env-key", f"env: must not set {name}: the key has this name", at(f"env.{name}"))


def _env(profile: EffectiveProfile, at: Origin) -> Iterator[Problem]:
    for name, value in profile.env.items():
        place, field = at(f"env.{name}"), f"env.{name}"
        if reason := check_value(name, value):
            yield Problem("env-value", f"{field} cannot be written: {reason}", place, "choose another value")
        if name in facts.HIJACKING_ENV:
            hint = "remove it: an install also removes this line from users' files"
            yield Problem("env-hijack", f"{field} would change where Hermes sends requests", place, hint)
        elif name in facts.DENIED_ENV:
            yield Problem(
                "env-denied", f"{field} changes which programs run; Hermes' own settings screen refuses it", place
            )
        elif name in facts.WEAKENING_ENV:
            yield Problem("env-weakens", f"{field}: {facts.WEAKENING_ENV[name]}", place, "", Severity.WARNING)
        elif name.endswith("_BASE_URL") or name in (*facts.PROXY_ENV, *facts.TRUST_ENV, *facts.MODEL_ENV_ELSEWHERE):
            message = f"{field} changes where some of Hermes' requests go"
            yield Problem("env-route", message, place, "remove it, unless this is intended", Severity.WARNING)
        said = value.strip().lower()
        named = _SECRET_SETTING.search(name) and said not in {"", *SWITCH_WORDS} and not is_placeholder(value)
        if has_secret(value) or named:
            yield Problem(
                "secret",
                f"{field} contains what looks like a secret",
                place,
                "remove it: all operators and users can read a profile",
            )
        elif _TEMPLATE.search(value):
            yield Problem(
                "reference", f"{field} contains a `${{…}}` or a template expression", place, "write the value out"
            )


def _scope(state: DesiredState, at: Origin) -> Iterator[Problem]:
    if not state.profile.managed:
        return
    place = at("managed")
    if state.platform is not Platform.LINUX:
        message = f"Hermes has no managed scope on {state.platform.value}: this user would not get these settings"
        yield Problem("managed-platform", message, place, "set managed: false for these users")
        return
    if state.profile.secret_delivery is SecretDelivery.RUN:
        hint = "start Hermes with `provision run`: the managed scope contains no key"
        yield Problem(
            "managed-run",
            "managed settings with secret_delivery: run work only if `provision run` starts Hermes",
            place,
            hint,
            Severity.NOTE,
        )
    message = (
        "the managed scope (/etc/hermes) does not confine a user: a user can switch it off (HERMES_MANAGED_DIR in .env), "
        "use another provider (--provider custom:…, a second entry whose name differs only in case) or another model, "
        "and Hermes ignores the whole scope if its YAML is invalid"
    )
    yield Problem(
        "managed-limits",
        message,
        place,
        "run `provision status` on the machine: it shows the real route",
        Severity.NOTE,
    )


def _delivery(state: DesiredState, at: Origin) -> Iterator[Problem]:
    if state.profile.secret_delivery is not SecretDelivery.RUN:
        return
    message = (
        "secret_delivery: run stores no key on disk, so Hermes works only if `provision run -- hermes` starts it; the Desktop "
        "app, the messaging gateway and cron jobs started in another way send no key and get 401"
    )
    yield Problem(
        "run-delivery",
        message,
        at("secret_delivery"),
        "set secret_delivery: file for users who need those",
        Severity.NOTE,
    )
