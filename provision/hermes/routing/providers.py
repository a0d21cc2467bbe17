"""Providers that a configuration defines: which entry a name means, and what it says.

Modelled on `runtime_provider._get_named_custom_provider` and `config.get_compatible_custom_providers`, quirks included:
the first entry whose name *normalises* to the one asked for wins, `api` comes before `url` before `base_url` in one place
and after it in another, and misspelled keys count only where the entry is read the second way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provision.hermes.facts.v0_19 import BUILT_IN_PROVIDERS, PROVIDER_ALIASES
from provision.hermes.routing.environment import is_usable
from provision.hermes.routing.wire import parse_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.environment import Environment

_CAMEL = {
    "apiKey": "api_key",
    "baseUrl": "base_url",
    "apiMode": "api_mode",
    "keyEnv": "key_env",
    "apiKeyEnv": "key_env",
    "defaultModel": "default_model",
}
_NOT_REGISTERED = frozenset({"moa", "vertex"})
URL_KEYS = ("api", "url", "base_url")


class StopError(Exception):
    """Hermes would end here without a request; the text is its reason, without any value from the files."""


class ElsewhereError(Exception):
    """What Hermes would do is not modelled, or cannot be told from the files; the text says why, without their values."""


@dataclass(frozen=True, slots=True)
class NamedProvider:
    """A provider entry as Hermes uses it. `path` leads to it in the configuration; `key` may be the empty string."""

    name: str
    base_url: str = field(repr=False)
    key: str = field(repr=False)
    key_source: str
    mode: str | None
    path: tuple[str | int, ...]
    entry: dict[Any, Any] = field(repr=False)


def fold_name(name: str) -> str:
    """A provider's name as Hermes compares it."""
    return name.strip().lower().replace(" ", "-")


def resolve_alias(name: str) -> str | None:
    """What `auth.resolve_provider` makes of a name: a built-in, `custom`, `auto`, or None when it knows none such."""
    name = name.strip().lower()
    name = PROVIDER_ALIASES.get(name, name)
    known = name in {"custom", "auto"} or (name in BUILT_IN_PROVIDERS and name not in _NOT_REGISTERED)
    return name if known else None


def is_enabled(entry: object) -> bool:
    """Whether an entry is not switched off by `enabled: false` (or its textual kin)."""
    flag = entry.get("enabled", True) if isinstance(entry, dict) else True
    if isinstance(flag, str):
        return flag.strip().lower() not in {"false", "0", "no", "off"}
    return bool(flag)


def find_named_provider(config: dict[Any, Any], requested: str, environment: Environment) -> NamedProvider | None:
    """The entry that `model.provider: requested` means, or None when it names no entry with a URL.

    Raises StopError where a value of the wrong type makes Hermes fail.
    """
    wanted = fold_name(requested)
    if not wanted or wanted == "auto":
        return None
    if wanted != "custom" and not wanted.startswith("custom:") and resolve_alias(wanted) == wanted:
        return None  # the built-in wins over an entry of its exact name
    found = _in_providers(config.get("providers"), wanted, environment)
    if found or isinstance(config.get("custom_providers"), dict):
        return found
    for entry, path in compatible_entries(config):
        key_name = entry.get("provider_key", "")
        names = {fold_name(entry["name"])} | ({fold_name(key_name)} if key_name else set())
        if wanted in names | {f"custom:{n}" for n in names}:
            key, source = str(entry.get("api_key") or "").strip(), _dotted(path, "api_key")
            if not is_usable(key):
                env = str(entry.get("key_env") or "").strip()
                key, source = (environment.get(env), _env_source(environment, env)) if env else ("", "")
            return NamedProvider(
                entry["name"], entry["base_url"], key, source, parse_mode(entry.get("api_mode")), path, entry
            )
    return None


def _in_providers(providers: object, wanted: str, environment: Environment) -> NamedProvider | None:
    for key, entry in providers.items() if isinstance(providers, dict) else ():
        if not isinstance(entry, dict) or not is_enabled(entry):
            continue
        names = {require_text(key, "a provider's name")}
        names.add(fold_name(key))
        if shown := entry.get("name", ""):
            names |= {require_text(shown, f"providers.{key}.name"), fold_name(shown)}
        if wanted not in names | {f"custom:{fold_name(n)}" for n in names}:
            continue
        url = entry.get("api") or entry.get("url") or entry.get("base_url") or ""
        if not url:
            continue
        env = str(entry.get("key_env", "") or "").strip()
        value, source = (environment.get(env), _env_source(environment, env)) if env else ("", "")
        if not value and (value := str(entry.get("api_key", "") or "").strip()):
            source = f"providers.{key}.api_key"
        shown = entry.get("name", key)
        mode = parse_mode(entry.get("api_mode") or entry.get("transport"))
        path = ("providers", str(key))
        return NamedProvider(
            str(shown), require_text(url, f"the URL of providers.{key}").strip(), value, source, mode, path, entry
        )
    return None


def compatible_entries(config: dict[Any, Any]) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """All entries, from `custom_providers` and `providers`, in the one shape Hermes reads them in elsewhere, with their paths.

    `config.get_compatible_custom_providers`: nothing at all when `custom_providers` is there and no list.
    """
    listed = config.get("custom_providers")
    if listed is not None and not isinstance(listed, list):
        return
    providers = config.get("providers")
    found: list[tuple[dict[str, Any] | None, tuple[str | int, ...]]] = [
        (_compatible_entry(e, ""), ("custom_providers", n)) for n, e in enumerate(listed or ())
    ]
    if isinstance(providers, dict):
        found += [(_compatible_entry(e, str(k)), ("providers", str(k))) for k, e in providers.items()]
    keys: set[str] = set()
    routes: set[tuple[str, str, str]] = set()
    for entry, path in found:
        if entry is None:
            continue
        key = entry.get("provider_key", "").lower()
        route = (entry["name"].lower(), entry["base_url"].rstrip("/").lower(), entry.get("model", "").lower())
        if (key and key in keys) or route in routes:
            continue
        keys |= {key} - {""}
        routes.add(route)
        yield entry, path


def _compatible_entry(entry: object, key: str) -> dict[str, Any] | None:
    """`config._normalize_custom_provider_entry`, as far as the route goes."""
    if not isinstance(entry, dict):
        return None
    entry = dict(entry)
    if "api_key_env" in entry and "key_env" not in entry:
        entry["key_env"] = entry["api_key_env"]
    for camel, snake in _CAMEL.items():
        if camel in entry and snake not in entry:
            entry[snake] = entry[camel]
    url = next((u for k in ("base_url", "url", "api") if (u := _url(entry.get(k)))), "")
    name = str(entry["name"]).strip() if isinstance(entry.get("name"), str) else ""
    name = name or key.strip()
    if not url or not name:
        return None
    found: dict[str, Any] = {"name": name, "base_url": url}
    if key.strip():
        found["provider_key"] = key.strip()
    texts = {
        "api_key": entry.get("api_key"),
        "key_env": entry.get("key_env"),
        "api_mode": entry.get("api_mode") or entry.get("transport"),
        "model": entry.get("model") or entry.get("default_model"),
        "ssl_ca_cert": entry.get("ssl_ca_cert"),
    }
    found |= {k: v.strip() for k, v in texts.items() if isinstance(v, str) and v.strip()}
    found |= {k: entry[k] for k in ("models", "extra_body", "extra_headers") if isinstance(entry.get(k), dict)}
    if isinstance(entry.get("ssl_verify"), bool | str):
        found["ssl_verify"] = entry["ssl_verify"]
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
    """The value if it is text; Hermes fails on anything else in such a place, which is a StopError."""
    if not isinstance(value, str):
        raise StopError(f"{what} is not text")
    return value


def _env_source(environment: Environment, name: str) -> str:
    return f"env:{name} ({environment.place(name)})"


def _dotted(path: tuple[str | int, ...], last: str) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".") + f".{last}"
