"""Render one user's `config.yaml`, `.env` and `WELCOME.md` from the effective profile and the workspace's templates.

The result of a template is parsed as Hermes parses it, and checked: a template may add settings, but must not change the
route, contain a secret or mean something else in YAML 1.1. So a mistake in a template is an error for the operator and
never reaches a user's machine. Equal profiles give equal bytes. A key is in the `.env` only.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.detect.shapes import is_placeholder
from provision.fleet.desired import ApiMode, Platform
from provision.hermes.env.dotenv import format_env
from provision.hermes.env.parsers import EnvFileError
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import NEWEST_VERIFIED
from provision.hermes.guardrails.settings import policy_env
from provision.hermes.rendering.config_check import check_config
from provision.hermes.rendering.side_pins import rendered_settings
from provision.hermes.rendering.templates import CONFIG, TemplateError, Templates
from provision.hermes.rendering.welcome_page import welcome_html

if TYPE_CHECKING:
    from provision.fleet.desired import DesiredState, EffectiveProfile

_NO_DIGEST = "cfg_" + "0" * 32  # begins with a letter, so that no YAML reader reads a number
_HOMES = {Platform.LINUX: "~/.hermes", Platform.MACOS: "~/.hermes", Platform.WINDOWS: r"%LOCALAPPDATA%\hermes"}


@dataclass(frozen=True, slots=True)
class Rendering:
    """A `config.yaml`: its bytes, what Hermes reads from them, and a digest of that without `x_provision`."""

    text: bytes
    data: dict[str, Any]
    digest: str


def render_config(profile: EffectiveProfile, templates: Templates) -> Rendering:
    """Render the `config.yaml` for all users of a profile. `profile.base_url` must already be in the form for Hermes.

    Raises TemplateError, with the template's file and line, if the template does not render or the result does not do
    what the profile says.
    """
    text = templates.render(CONFIG, _config_values(profile))
    data = check_config(text, profile, templates, _NO_DIGEST)
    body = {name: value for name, value in data.items() if name != "x_provision"}
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=True, default=str, separators=(",", ":"))
    digest = "cfg_" + hashlib.sha256(canonical.encode()).hexdigest()[:32]
    if text.count(_NO_DIGEST) != 1:
        raise TemplateError("the template must write `digest` once, under x_provision", place=templates.place(CONFIG))
    data["x_provision"]["digest"] = digest
    return Rendering(text.replace(_NO_DIGEST, digest).encode(), data, digest)


def _config_values(profile: EffectiveProfile) -> dict[str, Any]:
    return {
        "profile": profile.name,
        "description": profile.description,
        "provider": profile.provider,
        "model": profile.model,
        "base_url": profile.base_url,
        "key_env": profile.key_env,
        "api_mode": None if profile.api_mode is ApiMode.AUTO else profile.api_mode.value,
        "context_length": profile.context_length,
        "fallback_models": list(profile.fallback_models),
        "hermes": rendered_settings(profile),
        "side_routes": profile.side_routes.value,
        "allowed_hosts": list(profile.allowed_hosts),
        "policy": profile.policy.fields() if profile.policy else {},
        "managed": profile.managed,
        "model_pins": dict(facts.MANAGED_MODEL_PINS) if profile.managed else {},
        "provider_pins": dict(facts.MANAGED_PROVIDER_PINS) if profile.managed else {},
        "root_pins": dict(facts.MANAGED_ROOT_PINS) if profile.managed else {},
        "config_version": NEWEST_VERIFIED.config_version,
        "digest": _NO_DIGEST,
    }


def render_env(profile: EffectiveProfile, key: str) -> bytes:
    """Render the plaintext `.env` that the bundle contains sealed: the key under its name, then the profile's `env` lines.

    No empty `CUSTOM_BASE_URL=` is needed: a named provider ignores that variable, and an install removes a user's line.
    Raises EnvFileError, which never quotes the key, for an empty key, a placeholder and a value that Hermes misreads.
    """
    if not key.strip() or is_placeholder(key):
        raise EnvFileError(
            f"the key for {profile.key_env} is empty or a placeholder",
            hint="import the real key: `provision keys import`",
        )
    if profile.key_env in profile.env:
        raise EnvFileError(f"env: must not set {profile.key_env}: the key has this name")
    return format_env({profile.key_env: key, **profile.env, **policy_env(profile.policy)})


def render_welcome(state: DesiredState, templates: Templates) -> bytes:
    """Render one user's page: steps, test prompts, what to do on errors. It contains no secret."""
    profile = state.profile
    values = {
        "user": state.user,
        "platform": state.platform.value,
        "hermes_home": state.hermes_home or _HOMES[state.platform],
        "hermes_profile": state.hermes_profile,
        "profile": profile.name,
        "description": _as_text(profile.description),
        "provider": profile.provider,
        "model": profile.model,
        "base_url": profile.base_url,
        "key_env": profile.key_env,
        "fallback_models": profile.fallback_models,
        "secret_delivery": profile.secret_delivery.value,
        "capabilities": profile.capabilities,
        "managed": profile.managed,
        "contact": _as_text(templates.notes.contact),
        "program_source": _as_text(templates.notes.program_source),
    }
    return templates.render(templates.welcome(profile.language)[0], values).encode()


def render_welcome_page(welcome: bytes, profile: EffectiveProfile, templates: Templates) -> bytes:
    """The same page for a browser, from the output of `render_welcome`."""
    return welcome_html(welcome, templates.welcome(profile.language)[1], templates.notes.contact)


def _as_text(description: str) -> str:
    """A description as Markdown text on one line: no link, no markup, no HTML, no cell of a table."""
    line = re.sub(r"([\\`*_{}\[\]<>#|!&~@])", r"\\\1", " ".join(description.split()))
    return re.sub(r"(?i)\bwww\.", r"www\\.", line.replace("://", "\\://"))
