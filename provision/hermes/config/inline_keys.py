"""Replace keys in clear in a `config.yaml` by the name of a variable, so that Hermes still sends the same key.

Hermes reads `key_env` in entries of `providers` and `custom_providers`. In all other places it expands `${NAME}`
(`docs/hermes.md`). The caller must verify with `resolve_route` that the next request stays the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.detect.shapes import aisa_shaped, is_placeholder
from provision.hermes.config.draft import ABSENT, Draft, SettingPath, dotted_path
from provision.hermes.config.naming import effective_url, host_and_port, normalized_name
from provision.hermes.env.dotenv import check_value
from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import RESERVED_PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECTIONS = (
    facts.PROVIDERS,
    facts.CUSTOM_PROVIDERS,
    facts.FALLBACK_PROVIDERS,
    facts.FALLBACK_MODEL,
    facts.AUXILIARY,
    facts.MODEL_ALIASES,
)
_NAMED = (facts.PROVIDERS, facts.CUSTOM_PROVIDERS)
_SHORTEST = 8
_GATEWAY_KEY = "AISA_API_KEY"


@dataclass(frozen=True, slots=True)
class MovedKeys:
    """The moved keys. `env`: variables that `.env` must define. `places`: the old places of the keys. `left`: keys that
    could not be moved, and why."""

    env: Mapping[str, str]
    places: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def move_inline_keys(draft: Draft, env: Mapping[str, str], *, by_name: bool = True) -> MovedKeys:
    """Replace every literal key in the draft by a reference. `env` contains what `.env` defines already.

    With `by_name` False, entries that could use `key_env` get `${NAME}` too, for homes where only that keeps the route.
    """
    new: dict[str, str] = {}
    places, left = [], []
    for path, key, entry in list(_literals(draft)):
        value = str(entry[key])
        name = _name_for(path, entry, value, {**env, **new})
        reason = check_value(name, value)
        if reason:
            left.append(f"{dotted_path((*path, key))}: {reason}")
            continue
        new[name] = value
        places.append(dotted_path((*path, key)))
        if by_name and path[0] in _NAMED:
            draft.delete((*path, key))
            for other in facts.KEY_ENV_KEYS:
                if other != facts.KEY_ENV:
                    draft.delete((*path, other))
            draft.set((*path, facts.KEY_ENV), name)
        else:
            draft.set((*path, key), f"${{{name}}}")
    return MovedKeys({n: v for n, v in new.items() if env.get(n) != v}, tuple(places), tuple(left))


def name_endpoint(draft: Draft) -> str | None:
    """Turn `model.provider: custom` with its own URL and key, as Hermes' wizard writes it, into a named provider.

    Only a named provider reads `key_env` and ignores `CUSTOM_BASE_URL`. Uses the entry of `custom_providers` that the
    wizard wrote as well, else adds one under `providers`. Returns its name, or None without such an endpoint.
    """
    model = draft.mapping("model")
    url, key = model.get(facts.BASE_URL), model.get(facts.API_KEY)
    place = host_and_port(url)
    if (
        str(model.get("provider")).strip().lower() != "custom"
        or place is None
        or not isinstance(key, str)
        or "$" in key
    ):
        return None
    mode = {facts.API_MODE: model[facts.API_MODE]} if isinstance(model.get(facts.API_MODE), str) else {}
    found = _entry_at(draft, str(url))
    if found is not None:
        path, name = found
        for field, value in ({facts.API_KEY: key} | mode).items():
            draft.set((*path, field), value)
    else:
        aisa = place[0] == "aisa.one" or place[0].endswith(".aisa.one")
        name = "aisa" if aisa else re.sub(r"[^a-z0-9]+", "-", place[0]).strip("-")
        holder = draft.get(facts.PROVIDERS)
        free = draft.get(facts.PROVIDERS, name) is ABSENT and name not in RESERVED_PROVIDERS
        if not free or not (holder is ABSENT or holder is None or isinstance(holder, dict)):
            return None
        if not isinstance(holder, dict):
            draft.set((facts.PROVIDERS,), {})
        draft.set((facts.PROVIDERS, name), {facts.BASE_URL: url, facts.API_KEY: key, **mode})
    draft.set(("model", "provider"), f"custom:{name}")
    for field in (facts.BASE_URL, facts.API_KEY, "apiKey", facts.API_MODE):
        draft.delete(("model", field))
    return name


def _entry_at(draft: Draft, url: str) -> tuple[SettingPath, str] | None:
    """Return the entry of `custom_providers` with this URL, and its normalized name."""
    legacy = draft.get(facts.CUSTOM_PROVIDERS)
    for i, entry in enumerate(legacy if isinstance(legacy, list) else []):
        if isinstance(entry, dict) and entry.get("name") and effective_url(entry).rstrip("/") == url.rstrip("/"):
            return (facts.CUSTOM_PROVIDERS, i), normalized_name(entry["name"])
    return None


def _literals(draft: Draft) -> Iterator[tuple[SettingPath, str, dict[Any, Any]]]:
    """Yield path, spelling and entry of every key in clear."""
    for path, entry in _entries(draft):
        for key in sorted(facts.INLINE_KEYS & entry.keys()):
            value = entry[key]
            if isinstance(value, str) and len(value) >= _SHORTEST and "$" not in value and not is_placeholder(value):
                yield path, key, entry


def _entries(draft: Draft) -> Iterator[tuple[SettingPath, dict[Any, Any]]]:
    yield ("model",), draft.mapping("model")
    yield (facts.DELEGATION,), draft.mapping(facts.DELEGATION)
    for section in _SECTIONS:
        holder = draft.get(section)
        if section == facts.FALLBACK_MODEL and isinstance(holder, dict):
            yield (section,), holder
        elif isinstance(holder, dict):
            yield from (((section, name), entry) for name, entry in holder.items() if isinstance(entry, dict))
        elif isinstance(holder, list):
            yield from (((section, i), entry) for i, entry in enumerate(holder) if isinstance(entry, dict))


def _name_for(path: SettingPath, entry: Mapping[str, Any], value: str, env: Mapping[str, str]) -> str:
    """Return a variable with this value, else a free name: from the entry, of the gateway, or made from the entry's name."""
    for name, held in env.items():
        if held == value and name.endswith("_API_KEY"):
            return name
    wanted = [str(entry[key]) for key in facts.KEY_ENV_KEYS if isinstance(entry.get(key), str)]
    place = host_and_port(entry.get(facts.BASE_URL) or effective_url(entry))
    if aisa_shaped(value) or (place and (place[0] == "aisa.one" or place[0].endswith(".aisa.one"))):
        wanted.append(_GATEWAY_KEY)
    called = entry.get("name") or (path[-1] if isinstance(path[-1], str) and len(path) > 1 else place and place[0])
    stem = re.sub(r"[^A-Z0-9]+", "_", str(called or path[0]).upper()).strip("_") or "CUSTOM"
    own = f"{stem}_API_KEY" if not stem[0].isdigit() else f"CUSTOM_{stem}_API_KEY"
    wanted += [f"CUSTOM_{own}" if own in facts.PROVIDER_KEY_ENV or own == facts.OPENROUTER_KEY_ENV else own]
    wanted += [f"{own.removesuffix('_API_KEY')}_{number}_API_KEY" for number in range(2, 100)]
    return next((name for name in wanted if env.get(name, value) == value), wanted[-1])
