"""Resolve which endpoint a provider's name means for a side request.

Models `agent/auxiliary_client.py`: `resolve_provider_client`, which serves auxiliary tasks and fallbacks, and the order in which
`auto` tries further providers (`_get_provider_chain`). Other rules than those of the main route: no credential pool for a
named entry, no key by the host's name, and `OPENAI_API_KEY` for plain `custom` with a URL.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.routing.providers import (
    HermesStopsError,
    NotModelledError,
    find_named_provider,
    resolve_alias,
)
from provision.hermes.routing.runtime import resolve_runtime
from provision.hermes.routing.wire import host_matches, hostname

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.hazards import RouteContext

_LOGIN = "whether this login answers is not known from the files"
_NEWER = "a built-in provider of newer releases; its URL and key are not modelled"


@dataclass(frozen=True, slots=True)
class SideClient:
    """An endpoint that a side request reaches, with its key. `doubt` says why that is not certain."""

    url: str = field(repr=False)
    key: str = field(default="", repr=False)
    key_source: str = ""
    doubt: str = ""
    key_also_to: str = ""
    """A further URL that gets the key, but no content."""
    headers: bool = True
    """Whether `model.default_headers` are sent, too."""


def resolve_client(
    s: RouteContext, provider: str, url: str = "", key: str = "", source: str = "", *, in_turn: bool = False
) -> SideClient | None:
    """Return what `provider`, with its own URL and key if any, leads to; None if Hermes finds no endpoint.

    `in_turn`: plain `custom` without a URL means the main endpoint, because the request knows the running turn.
    """
    asked = provider.strip().lower()
    name = _aux_name(s, asked)
    if name == "auto":
        return main_client(s) or discovered(s)
    if name == "openrouter":
        return _openrouter(s, key, source)
    if name == "custom":
        return _custom(s, url, key, source, in_turn=in_turn)
    try:
        entry = find_named_provider(s.layers.config, asked, s.environment) or find_named_provider(
            s.layers.config, name, s.environment
        )
    except HermesStopsError:
        return None
    if entry:
        return SideClient(entry.base_url, entry.key, entry.key_source)
    if name in side.LOGIN_ENDPOINTS:
        return SideClient(side.LOGIN_ENDPOINTS[name], doubt=_LOGIN) if name in logins(s) or not _logged(name) else None
    if name not in side.ENDPOINTS:
        newer = resolve_alias(name) is None and resolve_alias(name, s.environment.hermes) is not None
        return SideClient(url, key, source, doubt=_NEWER) if newer else None
    built_in = side.ENDPOINTS[name]
    url = _pool_url(s, name) if name in side.FIXED_ENDPOINTS else url
    own, own_source = (key, source) if key else _built_in_key(s, name)
    if not own or not (url or built_in.url):
        return None
    return SideClient(url or _built_in_url(s, name, own), own, own_source, key_also_to=_key_also_to(s, name))


def main_client(s: RouteContext) -> SideClient | None:
    """Return the main endpoint with its key, if there is one."""
    source = s.runtime.key_source if s.runtime else ""
    return SideClient(s.base_url, s.key, source) if s.base_url else None


def chosen_client(s: RouteContext, provider: str) -> SideClient | None:
    """Return the endpoint of a provider that a conversation or a route of the API server chose; None if it has no key at all.

    Without a provider, and with one that Hermes cannot resolve, the key is that of the main route, and only the URL changes.
    """
    try:
        found = resolve_runtime(s.asked, provider.lower()) if provider else None
    except (HermesStopsError, NotModelledError):
        found = None
    if found is None:
        return SideClient(s.base_url, s.key, "inherited from the main route" if s.key else "")
    if not found.key:
        return None
    key = found.key if found.key != facts.NO_KEY else ""
    return SideClient(found.base_url, key, found.key_source if key else "")


def discovered(s: RouteContext) -> SideClient | None:
    """Return the first provider that Hermes tries by itself when the main endpoint refuses (`_try_payment_fallback`)."""
    return next(_discovery(s), None)


def _discovery(s: RouteContext) -> Iterator[SideClient]:
    if router := _openrouter(s, "", ""):
        yield router
    if "nous" in logins(s):
        yield SideClient(side.LOGIN_ENDPOINTS["nous"], doubt=_LOGIN, headers=False)
    if plain := _plain_custom(s):
        yield plain
    yield from _key_chain(s)


def _key_chain(s: RouteContext) -> Iterator[SideClient]:
    for name, endpoint in side.ENDPOINTS.items():
        key, source = _built_in_key(s, name) if endpoint.discovered else ("", "")
        if key and not any(source.startswith(f"env:{env} ") for env in side.IMPLICIT_KEY_ENV):
            url = _pool_url(s, name) or _built_in_url(s, name, key)
            yield SideClient(url, key, source, key_also_to=_key_also_to(s, name))


def logins(s: RouteContext) -> frozenset[str]:
    """Return the names of the built-in providers that `auth.json` has a login for."""
    try:
        store = json.loads(s.home.auth or b"null")
    except (ValueError, RecursionError):
        return frozenset()
    found = store.get("providers") if isinstance(store, dict) else None
    return frozenset(map(str, found)) if isinstance(found, dict) else frozenset()


def _logged(name: str) -> bool:
    return name in {"nous", "openai-codex", "xai-oauth", "qwen-oauth", "minimax-oauth"}


def _aux_name(s: RouteContext, name: str) -> str:
    """Normalize a provider's name (`_normalize_aux_provider`): `main` is the provider of the running turn."""
    name = name or "auto"
    if name.startswith(facts.CUSTOM_PREFIX):
        name = name.removeprefix(facts.CUSTOM_PREFIX).strip() or "custom"
    if name == "main":
        name = s.runtime.provider if s.runtime else "custom"
    if name == "codex":
        return "openai-codex"
    return side.TASK_ALIASES.get(name, name)


def _openrouter(s: RouteContext, key: str, source: str) -> SideClient | None:
    if pooled := _pool_key(s, "openrouter"):
        entry_url = str(pooled.get(facts.BASE_URL) or "") or facts.OPENROUTER_URL
        return SideClient(entry_url, key or _token(pooled), source or "auth.json pool", headers=False)
    env = facts.OPENROUTER_KEY_ENV
    key, source = (key, source) if key else (s.environment.get(env), env_source(s, env))
    return SideClient(facts.OPENROUTER_URL, key, source, headers=False) if key else None


def _custom(s: RouteContext, url: str, key: str, source: str, *, in_turn: bool) -> SideClient | None:
    if url:
        if not key:
            key, source = s.environment.get(facts.OPENAI_KEY_ENV), env_source(s, facts.OPENAI_KEY_ENV)
        if not key and s.base_url and hostname(url) == hostname(s.base_url):
            key, source = s.key, s.runtime.key_source if s.runtime else ""
        return SideClient(url, key, source if key else "")
    if in_turn:
        return main_client(s)
    return _plain_custom(s) or next(_key_chain(s), None)


def _plain_custom(s: RouteContext) -> SideClient | None:
    """Return the endpoint of plain `custom` (`_resolve_custom_runtime`): none if that would be OpenRouter."""
    try:
        found = resolve_runtime(s.asked, "custom")
    except (HermesStopsError, NotModelledError):
        return None
    if not found.base_url or host_matches(found.base_url, "openrouter.ai"):
        return None
    return SideClient(found.base_url, found.key if found.key != facts.NO_KEY else "", found.key_source)


def _built_in_key(s: RouteContext, name: str) -> tuple[str, str]:
    if pooled := _pool_key(s, name):
        return _token(pooled), "auth.json pool"
    for env in side.ENDPOINTS[name].key_env:
        if key := s.environment.usable(env):
            return key, env_source(s, env)
    return "", ""


def _built_in_url(s: RouteContext, name: str, key: str) -> str:
    begins, url = side.KIMI_CODE
    default = url if name.startswith("kimi-coding") and key.startswith(begins) else side.ENDPOINTS[name].url
    return _moved_url(s, name) or default


def _moved_url(s: RouteContext, name: str) -> str:
    url_env = side.ENDPOINTS[name].url_env
    return s.environment.get(url_env).rstrip("/") if url_env else ""


def _key_also_to(s: RouteContext, name: str) -> str:
    return "" if name == "zai" and _moved_url(s, name) else side.KEY_ALSO_TO.get(name, "")


def _pool_key(s: RouteContext, name: str) -> dict[str, Any] | None:
    return next((raw for raw, _ in s.asked.auth.entries(name) if _token(raw)), None)


def _pool_url(s: RouteContext, name: str) -> str:
    """Return the URL of the stored key itself: it counts while Hermes looks for a provider, and for `anthropic` always."""
    return str((_pool_key(s, name) or {}).get(facts.BASE_URL) or "")


def _token(raw: dict[str, Any]) -> str:
    return str(raw.get("access_token") or "").strip()


def env_source(s: RouteContext, name: str) -> str:
    """Return how a key from a variable is named in a report."""
    return f"env:{name} ({s.environment.place(name)})"
