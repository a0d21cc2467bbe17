"""The rendering: one user's `config.yaml`, `.env` and `WELCOME.md` from the effective profile and the workspace's templates.

The text a template gives is parsed again as Hermes parses it and judged: a template may add what it likes, but not route
elsewhere, hold a secret or mean something else in YAML 1.1. So a slip in a template is an error on the operator's
screen and never a broken machine. Equal profiles give equal bytes; a key appears in the `.env` alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.detect.shapes import is_placeholder
from provision.fleet.desired import ApiMode, Platform
from provision.hermes.env.dotenv import format_env
from provision.hermes.env.parsers import EnvFileError
from provision.hermes.facts import v0_19 as facts
from provision.hermes.rendering.config_check import check_config
from provision.hermes.rendering.templates import CONFIG, WELCOME, TemplateError, Templates

if TYPE_CHECKING:
    from provision.fleet.desired import DesiredState, EffectiveProfile

_NO_DIGEST = "cfg_" + "0" * 32  # begins with a letter: no YAML reader takes it for a number
_HOMES = {Platform.LINUX: "~/.hermes", Platform.MACOS: "~/.hermes", Platform.WINDOWS: r"%LOCALAPPDATA%\hermes"}


@dataclass(frozen=True, slots=True)
class Rendering:
    """A `config.yaml`: its bytes, what Hermes reads from them, and a digest of that which ignores `x_provision`."""

    text: bytes
    data: dict[str, Any]
    digest: str


def render_config(profile: EffectiveProfile, templates: Templates) -> Rendering:
    """The `config.yaml` of everybody with this profile; `profile.base_url` must already be as Hermes is to get it.

    Raises TemplateError, with the template's file and line, when the template does not render or its result would not
    do what the profile says.
    """
    text = templates.render(CONFIG, _config_values(profile))
    data = check_config(text, profile, templates, _NO_DIGEST)
    body = {name: value for name, value in data.items() if name != "x_provision"}
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=True, default=str, separators=(",", ":"))
    digest = "cfg_" + hashlib.sha256(canonical.encode()).hexdigest()[:32]
    if text.count(_NO_DIGEST) != 1:
        raise TemplateError("`digest` must stand in the text once, under x_provision", place=templates.place(CONFIG))
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
        "hermes": dict(profile.hermes),
        "managed": profile.managed,
        "model_pins": dict(facts.MANAGED_MODEL_PINS) if profile.managed else {},
        "provider_pins": dict(facts.MANAGED_PROVIDER_PINS) if profile.managed else {},
        "root_pins": dict(facts.MANAGED_ROOT_PINS) if profile.managed else {},
        "config_version": facts.CONFIG_VERSION,
        "digest": _NO_DIGEST,
    }


def render_env(profile: EffectiveProfile, key: str) -> bytes:
    """The plaintext `.env` lines that travel sealed: the key under its name, then the profile's own non-secret lines.

    No empty `CUSTOM_BASE_URL=`: a named provider is immune to that variable, and an install takes a user's line out.
    Raises EnvFileError, which never quotes the key, for a value Hermes would misread and for what is not a key.
    """
    if not key.strip() or is_placeholder(key):
        raise EnvFileError(f"the key for {profile.key_env} is empty or a placeholder", hint="import the real key")
    if profile.key_env in profile.env:
        raise EnvFileError(f"env: must not set {profile.key_env}: that is the key's own name")
    return format_env({profile.key_env: key, **profile.env})


def render_managed_env(profile: EffectiveProfile) -> bytes:
    """The `.env` of Hermes' managed scope, which everybody on the machine can read: pins and non-secret lines, no key."""
    if profile.key_env in profile.env:
        raise EnvFileError(f"env: must not set {profile.key_env}: that is the key's own name")
    return format_env({**profile.env, **facts.MANAGED_ENV_PINS})


def render_welcome(state: DesiredState, templates: Templates) -> bytes:
    """One user's page: steps, test prompts, what to do on errors. It holds no secret; about ten microseconds."""
    profile = state.profile
    values = {
        "user": state.user,
        "platform": state.platform.value,
        "hermes_home": state.hermes_home or _HOMES[state.platform],
        "hermes_profile": state.hermes_profile,
        "profile": profile.name,
        "description": profile.description,
        "provider": profile.provider,
        "model": profile.model,
        "base_url": profile.base_url,
        "key_env": profile.key_env,
        "fallback_models": profile.fallback_models,
        "secret_delivery": profile.secret_delivery.value,
        "capabilities": profile.capabilities,
        "managed": profile.managed,
    }
    return templates.render(WELCOME, values).encode()
