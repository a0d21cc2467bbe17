"""Hazards beside the main route: settings that send some requests, and perhaps the key, to another host.

Hermes uses fallbacks after a failed connection and after 401: with a revoked key it silently continues elsewhere.
Delegation, auxiliary tasks, aliases and cron jobs have their own routes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.hermes.facts import names as facts
from provision.hermes.routing.hazards import Hazard, RouteContext, error, note, warning
from provision.hermes.routing.providers import HermesStopsError, find_named_provider, fold_name, resolve_alias
from provision.hermes.routing.wire import hostname, origin

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN = frozenset({"", "auto", "main"})


def side_hazards(s: RouteContext) -> Iterator[Hazard]:
    """Yield all side routes to a host other than the main one."""
    config = s.layers.config
    for key in (facts.FALLBACK_PROVIDERS, facts.FALLBACK_MODEL):
        value = config.get(key)
        entries: list[tuple[Any, tuple[str | int, ...]]] = (
            [(e, (key, n)) for n, e in enumerate(value)] if isinstance(value, list) else [(value, (key,))]
        )
        for entry, path in entries:
            if isinstance(entry, dict) and entry.get("provider") and entry.get("model"):
                yield from _side(
                    s,
                    entry,
                    s.layers.where(*path),
                    "fallback",
                    "used if the gateway cannot be reached or refuses the key",
                )
    yield from _section(s, config.get(facts.DELEGATION), (facts.DELEGATION,), "delegation", "subagents use it")
    auxiliary = config.get(facts.AUXILIARY)
    for task, entry in auxiliary.items() if isinstance(auxiliary, dict) else ():
        yield from _section(s, entry, (facts.AUXILIARY, str(task)), "auxiliary", "side tasks use it")
    aliases = config.get(facts.MODEL_ALIASES)
    for name, entry in aliases.items() if isinstance(aliases, dict) else ():
        if isinstance(entry, dict) and entry.get("model"):
            where = s.layers.where(facts.MODEL_ALIASES, str(name))
            yield from _side(s, {"provider": "custom"} | entry, where, "model-alias", "used if that model is requested")
    for number, job in enumerate(_jobs(s)):
        if isinstance(job, dict) and (job.get(facts.BASE_URL) or job.get("provider")):
            yield from _side(
                s, job, f"{s.home.where(facts.JOBS_NAME)} jobs[{number}]", "cron", "a scheduled job uses it"
            )
    yield from _switches(s)


def _switches(s: RouteContext) -> Iterator[Hazard]:
    security, plugins = s.layers.config.get("security"), s.layers.config.get("plugins")
    if isinstance(security, dict) and security.get("redact_secrets") is False:
        where = s.layers.where("security", "redact_secrets")
        yield warning("redaction-off", where, "Hermes writes secrets unmasked into logs and output", "remove the line")
    if isinstance(plugins, dict) and plugins.get("enabled"):
        where = s.layers.where("plugins", "enabled")
        yield note("plugins", where, "a plugin can change any request", "check that you know every plugin")


def _section(s: RouteContext, entry: object, path: tuple[str | int, ...], id_: str, when: str) -> Iterator[Hazard]:
    if isinstance(entry, dict) and (entry.get(facts.BASE_URL) or str(entry.get("provider") or "").lower() not in _OWN):
        yield from _side(s, entry, s.layers.where(*path), id_, when)


def _jobs(s: RouteContext) -> list[Any]:
    try:
        store = json.loads(s.home.jobs or b"null")
    except (ValueError, RecursionError):
        return []
    jobs = store.get("jobs") if isinstance(store, dict) else None
    return jobs if isinstance(jobs, list) else []


def _side(s: RouteContext, entry: dict[Any, Any], where: str, id_: str, when: str) -> Iterator[Hazard]:
    cure = "remove it, or set the provisioned provider"
    provider = str(entry.get("provider") or "").strip().lower()
    explicit = entry.get(facts.BASE_URL)
    try:
        named = find_named_provider(s.layers.config, provider, s.environment) if provider not in _OWN else None
    except HermesStopsError:
        named = None
    url = explicit if isinstance(explicit, str) and explicit.strip() else named.base_url if named else ""
    if str(entry.get(facts.API_KEY) or "").strip():
        yield warning(f"{id_}-inline-key", f"{where}.api_key", "a key in clear in the configuration", "move it to .env")
    if not url:
        if provider in _OWN or fold_name(provider) == fold_name(s.requested):
            return
        if resolve_alias(provider) in {None, "custom", "auto"}:
            yield note(f"{id_}-nowhere", where, f"{when}; its endpoint does not exist", cure)
        else:
            yield warning(f"{id_}-elsewhere", where, f"{when}; it goes to a built-in provider", cure)
        return
    if s.base_url and origin(url) == origin(s.base_url):
        return
    if s.key and s.key in _keys(s, entry, named.key if named else ""):
        yield error(f"{id_}-leaks-key", where, f"{when}; it sends this gateway's key to {hostname(url)}", cure)
    else:
        yield warning(f"{id_}-elsewhere", where, f"{when}; it goes to {hostname(url)}", cure)


def _keys(s: RouteContext, entry: dict[Any, Any], named_key: str) -> set[str]:
    env = str(entry.get(facts.KEY_ENV) or entry.get(facts.KEY_ENV_ALIASES[0]) or "").strip()
    inline = str(entry.get(facts.API_KEY) or "").strip()
    return {inline, s.environment.get(env) if env else "", named_key} - {""}
