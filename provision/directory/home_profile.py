"""Make a team profile out of an existing Hermes home: model, address, mode, and the settings worth keeping. Never a key. Pure.

A setting is kept if a profile may set it (`hermes.lint`), if it chooses no route (the profile does), and if it names no path of
the machine or account that the home is from. Everything else is listed with the reason. An MCP server is kept or left out whole:
without its token it would only fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.detect.shapes import has_secret, mask_secrets
from provision.errors import Place, ProvisionError
from provision.fleet.desired import ApiMode, DesiredState, EffectiveProfile
from provision.fleet.names import MODEL
from provision.hermes.config.draft import dotted_path
from provision.hermes.config.naming import normalized_name
from provision.hermes.config.read_yaml import read_yaml
from provision.hermes.env.parsers import read_env_raw
from provision.hermes.facts import names as facts
from provision.hermes.lint import OWNED_SETTINGS, lint_desired_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.hermes.home import HomeFiles
    from provision.hermes.routing.route import Route

SettingPath = tuple[str, ...]

_ENDINGS = {
    "chat_completions": "/chat/completions",
    "codex_responses": "/responses",
    "anthropic_messages": "/v1/messages",
}
_ROUTE_KEYS = frozenset({
    *("provider", "fallback_chain", "model_provider", facts.API_KEY, facts.API_MODE, facts.API_BASE),
    *(*facts.ALL_URL_KEYS, *facts.KEY_ENV_KEYS),
})  # fmt: skip
_SIDE_SECTIONS = frozenset({facts.AUXILIARY, facts.DELEGATION, "moa", "cron"})
"""Sections in which a `model` belongs to a provider that is left out."""
_WHOLE = frozenset({"mcp_servers", facts.PROVIDERS})


class NoProfileError(ProvisionError):
    """No team profile can be made of a home."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A setting of the home that is not in the profile, and why. No text contains its value."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class HomeProfile:
    """The settings of a profile file, what of the home is in them, and what is not."""

    settings: dict[str, Any]
    kept: tuple[str, ...]
    left: tuple[LeftOut, ...]


def profile_of_home(home: HomeFiles, route: Route, name: str, places: Sequence[str]) -> HomeProfile:
    """The profile that does what a home does now. `places` are paths of the machine and account that the home is from.

    Raises NoProfileError if Hermes would send nothing from this home, or if it is not known what.
    """
    mode, base_url, config = _mode(route), _base_url(route), read_yaml(home.config or b"").mapping
    model = _model(config) or route.model or ""
    if not re.fullmatch(MODEL, model):
        raise NoProfileError("the model of this home is not the id of a model", hint="set model.default there first")
    settings: dict[str, Any] = {"model": model, "base_url": base_url, "api_mode": mode.value}
    effective = EffectiveProfile(name, model, base_url, mode)
    left: list[LeftOut] = []
    length = _mapping(config.get("model")).get(facts.CONTEXT_LENGTH)
    if isinstance(length, int) and not isinstance(length, bool):
        if length >= facts.MIN_CONTEXT_LENGTH:
            settings["context_length"] = length
        else:
            left.append(LeftOut("model.context_length", f"Hermes refuses less than {facts.MIN_CONTEXT_LENGTH}"))
    if fallbacks := list(dict.fromkeys(_fallbacks(config, route, base_url, model, left))):
        settings["fallback_models"] = fallbacks
    kept: list[str] = []
    found: dict[str, Any] = {}
    for path, value in _units(config):
        if path == (facts.PROVIDERS, normalized_name(route.provider.removeprefix(facts.CUSTOM_PREFIX))):
            continue  # it is the profile's base_url and api_mode
        if (why := _refusal(path, value, effective, places)) is None:
            _put(found, path, value)
            kept.append(mask_secrets(dotted_path(path)))
        elif why:
            left.append(LeftOut(mask_secrets(dotted_path(path)), why))
    if found:
        settings["hermes"] = found
    if env := dict(_env(home, effective, places, left)):
        settings["env"] = env
    return HomeProfile(settings, (*kept, *(f".env: {each}" for each in env)), tuple(left))


def _mode(route: Route) -> ApiMode:
    why = route.refusal or route.unknown
    if why or not route.url or route.api_mode not in _ENDINGS:
        raise NoProfileError(
            f"it is not known where this home sends its requests: {why or route.api_mode or 'no address'}",
            hint="provision status --home HOME shows the route; make Hermes work there first",
        )
    return ApiMode(route.api_mode)


def _base_url(route: Route) -> str:
    ending = _ENDINGS[route.api_mode or ""]
    url = route.url or ""
    if not url.endswith(ending):
        raise NoProfileError("the address of this home has parts after the path, which a profile cannot have")
    return url.removesuffix(ending)


def _model(config: Mapping[Any, Any]) -> str:
    model = config.get("model")
    found = model.get("default", model.get("model")) if isinstance(model, dict) else model
    return found.strip() if isinstance(found, str) else ""


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _fallbacks(
    config: Mapping[Any, Any], route: Route, base_url: str, model: str, left: list[LeftOut]
) -> Iterator[str]:
    """Fallback models of the same provider; others are left out."""
    for section in (facts.FALLBACK_PROVIDERS, facts.FALLBACK_MODEL):
        value = config.get(section)
        for number, entry in enumerate(
            value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        ):
            name, url, other = (_mapping(entry).get(key) for key in ("model", facts.BASE_URL, "provider"))
            same = url == base_url or (not url and normalized_name(other or "") == normalized_name(route.provider))
            if same and isinstance(name, str) and re.fullmatch(MODEL, name):
                if name != model:
                    yield name
            else:
                left.append(LeftOut(f"{section}[{number}]", "it is not a model of the same gateway"))


def _units(config: Mapping[Any, Any], path: SettingPath = ()) -> Iterator[tuple[SettingPath, Any]]:
    """Every setting that is kept or left out as one: values, lists, and whole MCP servers."""
    for key, value in config.items():
        here = (*path, str(key))
        is_whole = len(path) == 1 and path[0] in _WHOLE
        if isinstance(value, dict) and value and not is_whole and isinstance(key, str):
            yield from _units(value, here)
        elif value is not None and value != {}:
            yield here, value


def _refusal(path: SettingPath, value: Any, effective: EffectiveProfile, places: Sequence[str]) -> str | None:
    """Why a setting is not in the profile; empty if that need not be said, None if it is."""
    if path[0] in {"model", facts.VERSION_KEY, "x_provision", facts.FALLBACK_PROVIDERS, facts.FALLBACK_MODEL}:
        return ""  # in the profile's own fields, or ours
    if path[0] in OWNED_SETTINGS:
        return "a profile has one provider, that of its base_url"
    if path[0] not in _WHOLE and (_ROUTE_KEYS & set(path) or (path[0] in _SIDE_SECTIONS and path[-1] == "model")):
        return "it chooses where requests go: a profile does that with side_routes"
    if any(place in text for text in _texts(value) for place in places):
        return "it names a path of this machine or account"
    nested: dict[str, Any] = {}
    _put(nested, path, value)
    return _problem(
        EffectiveProfile(effective.name, effective.model, effective.base_url, effective.api_mode, hermes=nested)
    )


def _problem(profile: EffectiveProfile) -> str | None:
    """Why a profile may not have the one setting that it has; None if it may."""
    state = DesiredState("-", profile, Place("-"))
    bare = DesiredState(
        "-", EffectiveProfile(profile.name, profile.model, profile.base_url, profile.api_mode), Place("-")
    )
    known = set(lint_desired_state(bare))
    found = next((problem for problem in lint_desired_state(state) if problem not in known), None)
    if found is None:
        return None
    return "it holds a secret, which belongs into no profile" if found.rule == "secret" else found.message


def _env(
    home: HomeFiles, effective: EffectiveProfile, places: Sequence[str], left: list[LeftOut]
) -> Iterator[tuple[str, str]]:
    """Lines of `.env` that are no secrets."""
    for name, value in read_env_raw(home.env or b"").items():
        if not value:
            continue
        if name.endswith(facts.CREDENTIAL_SUFFIXES) or has_secret(value):
            why: str | None = "a secret stays on its machine"
        elif any(place in value for place in places):
            why = "it names a path of this machine or account"
        else:
            profile = EffectiveProfile(
                effective.name, effective.model, effective.base_url, effective.api_mode, env={name: value}
            )
            why = _problem(profile)
        if why is None:
            yield name, value
        else:
            left.append(LeftOut(f".env: {mask_secrets(name)}", why))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _put(target: dict[str, Any], path: SettingPath, value: Any) -> None:
    for step in path[:-1]:
        target = target.setdefault(step, {})
    target[path[-1]] = value
