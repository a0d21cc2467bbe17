"""Find the provider entry that a name means, and read it.

Models `runtime_provider._get_named_custom_provider` and `config.get_compatible_custom_providers`, with their quirks. The
first entry whose name *normalizes* to the requested one wins. One function reads `api` before `url` before `base_url`, the
other in the reverse order. Other spellings of settings count only in the second one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provision.hermes.facts import names as facts
from provision.hermes.facts.selection import NEWEST_VERIFIED
from provision.hermes.routing.environment import is_usable
from provision.hermes.routing.wire import parse_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.facts.release import HermesFacts
    from provision.hermes.routing.environment import Environment

_NOT_REGISTERED = frozenset({"moa", "vertex"})


class HermesStopsError(Exception):
    """Hermes stops here without a request. The text is the reason, without values from the files."""


class NotModelledError(Exception):
    """What Hermes does is not modelled, or depends on more than the files. The text says why, without values from the files."""


@dataclass(frozen=True, slots=True)
class NamedProvider:
    """A provider entry as Hermes uses it. `path` is its path in the configuration. `key` may be the empty string."""

    name: str
    base_url: str = field(repr=False)
    key: str = field(repr=False)
    key_source: str
    mode: str | None
    path: tuple[str | int, ...]
    entry: dict[Any, Any] = field(repr=False)


def fold_name(name: str) -> str:
    """Fold a provider's name as Hermes does: lower case, hyphens for spaces."""
    return name.strip().lower().replace(" ", "-")


def resolve_alias(name: str, hermes: HermesFacts = NEWEST_VERIFIED) -> str | None:
    """Resolve a name as `auth.resolve_provider` does: to a built-in provider, `custom` or `auto`, else None."""
    name = name.strip().lower()
    name = hermes.provider_aliases.get(name, name)
    known = name in {"custom", "auto"} or (name in hermes.built_in_providers and name not in _NOT_REGISTERED)
    return name if known else None


def is_enabled(entry: object, hermes: HermesFacts = NEWEST_VERIFIED) -> bool:
    """Return whether an entry is enabled: not switched off by `enabled: false` or the same as text, where that counts."""
    if not hermes.disabled_is_refused:
        return True
    flag = entry.get("enabled", True) if isinstance(entry, dict) else True
    if isinstance(flag, str):
        return flag.strip().lower() not in {"false", "0", "no", "off"}
    return bool(flag)


def find_named_provider(config: dict[Any, Any], requested: str, environment: Environment) -> NamedProvider | None:
    """Return the entry that `model.provider: requested` means, or None if no entry with a URL has that name.

    Raises HermesStopsError if a value of the wrong type makes Hermes fail.
    """
    wanted = fold_name(requested)
    if not wanted or wanted == "auto":
        return None
    if wanted == "custom" and not environment.hermes.entry_named_custom:
        return None
    if (
        wanted != "custom"
        and not wanted.startswith(facts.CUSTOM_PREFIX)
        and resolve_alias(wanted, environment.hermes) == wanted
    ):
        return None  # a built-in provider wins over an entry with exactly its name
    found = _in_providers(config.get(facts.PROVIDERS), wanted, environment)
    if found or isinstance(config.get(facts.CUSTOM_PROVIDERS), dict):
        return found
    for entry, path in compatible_entries(config):
        key_name = entry.get("provider_key", "")
        names = {fold_name(entry["name"])} | ({fold_name(key_name)} if key_name else set())
        if wanted in names | {f"custom:{n}" for n in names}:
            key, source = str(entry.get(facts.API_KEY) or "").strip(), _dotted(path, facts.API_KEY)
            if not is_usable(key):
                env = str(entry.get(facts.KEY_ENV) or "").strip()
                key, source = (environment.get(env), _env_source(environment, env)) if env else ("", "")
            return NamedProvider(
                entry["name"], entry[facts.BASE_URL], key, source, parse_mode(entry.get(facts.API_MODE)), path, entry
            )
    return None


def _in_providers(providers: object, wanted: str, environment: Environment) -> NamedProvider | None:
    for key, entry in providers.items() if isinstance(providers, dict) else ():
        if not isinstance(entry, dict) or not is_enabled(entry, environment.hermes):
            continue
        names = {require_text(key, "a provider's name")}
        names.add(fold_name(key))
        if shown := entry.get("name", ""):
            names |= {require_text(shown, f"providers.{key}.name"), fold_name(shown)}
        if wanted not in names | {f"custom:{fold_name(n)}" for n in names}:
            continue
        url = next((entry[k] for k in facts.URL_KEYS if entry.get(k)), "")
        if not url:
            continue
        env = str(entry.get(facts.KEY_ENV, "") or "").strip()
        value, source = (environment.get(env), _env_source(environment, env)) if env else ("", "")
        if not value and (value := str(entry.get(facts.API_KEY, "") or "").strip()):
            source = f"providers.{key}.api_key"
        shown = entry.get("name", key)
        mode = parse_mode(entry.get(facts.API_MODE) or entry.get(facts.TRANSPORT))
        path = (facts.PROVIDERS, str(key))
        return NamedProvider(
            str(shown), require_text(url, f"the URL of providers.{key}").strip(), value, source, mode, path, entry
        )
    return None


def compatible_entries(config: dict[Any, Any]) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """Yield all entries of `custom_providers` and `providers` in their compatible form, with their paths.

    `config.get_compatible_custom_providers`: yields nothing if `custom_providers` exists but is not a list.
    """
    listed = config.get(facts.CUSTOM_PROVIDERS)
    if listed is not None and not isinstance(listed, list):
        return
    providers = config.get(facts.PROVIDERS)
    found: list[tuple[dict[str, Any] | None, tuple[str | int, ...]]] = [
        (_compatible_entry(e, ""), (facts.CUSTOM_PROVIDERS, n)) for n, e in enumerate(listed or ())
    ]
    if isinstance(providers, dict):
        found += [(_compatible_entry(e, str(k)), (facts.PROVIDERS, str(k))) for k, e in providers.items()]
    keys: set[str] = set()
    routes: set[tuple[str, str, str]] = set()
    for entry, path in found:
        if entry is None:
            continue
        key = entry.get("provider_key", "").lower()
        route = (entry["name"].lower(), entry[facts.BASE_URL].rstrip("/").lower(), entry.get("model", "").lower())
        if (key and key in keys) or route in routes:
            continue
        keys |= {key} - {""}
        routes.add(route)
        yield entry, path


def _compatible_entry(entry: object, key: str) -> dict[str, Any] | None:
    """Convert an entry as `config._normalize_custom_provider_entry` does; only what affects the route."""
    if not isinstance(entry, dict):
        return None
    entry = dict(entry)
    if facts.KEY_ENV_ALIASES[0] in entry and facts.KEY_ENV not in entry:
        entry[facts.KEY_ENV] = entry[facts.KEY_ENV_ALIASES[0]]
    for camel, snake in facts.CAMEL_CASE_KEYS.items():
        if camel in entry and snake not in entry:
            entry[snake] = entry[camel]
    url = next((u for k in reversed(facts.URL_KEYS) if (u := _url(entry.get(k)))), "")
    name = str(entry["name"]).strip() if isinstance(entry.get("name"), str) else ""
    name = name or key.strip()
    if not url or not name:
        return None
    found: dict[str, Any] = {"name": name, facts.BASE_URL: url}
    if key.strip():
        found["provider_key"] = key.strip()
    texts = {
        facts.API_KEY: entry.get(facts.API_KEY),
        facts.KEY_ENV: entry.get(facts.KEY_ENV),
        facts.API_MODE: entry.get(facts.API_MODE) or entry.get(facts.TRANSPORT),
        "model": entry.get("model") or entry.get("default_model"),
        facts.SSL_CA_CERT: entry.get(facts.SSL_CA_CERT),
    }
    found |= {k: v.strip() for k, v in texts.items() if isinstance(v, str) and v.strip()}
    found |= {k: entry[k] for k in ("models", facts.EXTRA_BODY, facts.EXTRA_HEADERS) if isinstance(entry.get(k), dict)}
    if isinstance(entry.get(facts.SSL_VERIFY), bool | str):
        found[facts.SSL_VERIFY] = entry[facts.SSL_VERIFY]
    return found


def _url(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        return ""
    value = value.strip()
    if re.search(r"\{[^}]+\}", value):
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return value if parts.scheme and parts.netloc else ""


def require_text(value: object, what: str) -> str:
    """Return the value if it is text. Raises HermesStopsError otherwise, because Hermes fails there."""
    if not isinstance(value, str):
        raise HermesStopsError(f"{what} is not text")
    return value


def _env_source(environment: Environment, name: str) -> str:
    return f"env:{name} ({environment.place(name)})"


def _dotted(path: tuple[str | int, ...], last: str) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".") + f".{last}"
