"""Destinations that follow from other files of a home than its settings: conversations, credential pools, memory, own code.

An install takes the team's key out of pools and memory services. What these files send elsewhere is always reported.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provision.hermes.auth_file import pool_tokens
from provision.hermes.config.draft import texts_with_paths, value_at
from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.facts.memory import LOCAL_MEMORY, MEMORY_SERVICES
from provision.hermes.routing.destination import Destination, DestinationVerdict
from provision.hermes.routing.providers import HermesStopsError, find_named_provider, fold_name
from provision.hermes.routing.side_clients import chosen_client, env_source
from provision.hermes.routing.side_models import entry_additions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.destination import TeamSide
    from provision.hermes.routing.hazards import RouteContext

_IN_SESSION = "in that conversation of the messaging gateway"
_NEW = "send /new in that conversation: it keeps its choice until then"


def file_destinations(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield the destinations of conversations, pools, memory and the user's own code."""
    if s.environment.hermes.gateway_choices:
        yield from _conversations(s, team)
    yield from _pools(s, team)
    yield from _memory(s, team)
    yield from _own_code(s)


def _conversations(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """`gateway.run._rehydrate_session_model_override`: the key is resolved again, and is sent to the URL that was kept."""
    for choice in s.home.sessions:
        if choice.unread:
            why = f"what conversations have chosen is not known: {choice.unread}"
            yield Destination(
                "channel", facts.STATE_NAME, choice.place, "", _IN_SESSION, DestinationVerdict.UNKNOWN, why=why,
                cure="make the file readable",
            )  # fmt: skip
            continue
        client = chosen_client(s, choice.provider)
        if client is None:
            continue
        yield team.destination(
            "channel", "model of a conversation", choice.place, choice.base_url or client.url, _IN_SESSION,
            key=client.key, key_source=client.key_source, also=entry_additions(s, choice.base_url or client.url), cure=_NEW,
        )  # fmt: skip


def _pools(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield every stored copy of the team's key that is for another provider than the one in use."""
    used = f"{facts.CUSTOM_PREFIX}{fold_name(s.requested)}"
    for pool, entries in s.asked.auth.pools.items():
        for entry, place in entries:
            token = next((each for each in pool_tokens(entry) if team.holds_key(each)), "")
            if pool == used or not token:
                continue
            custom = pool.startswith(facts.CUSTOM_PREFIX)
            url = (not custom and str(entry.get(facts.BASE_URL) or "")) or _url_of(s, pool)
            if not url and custom:
                continue  # no entry has that name any more
            yield team.destination(
                "provider", f"{facts.CREDENTIAL_POOL}.{pool}", place, url, f"one keystroke: --provider {pool}", key=token,
                key_source="auth.json pool", doubt="" if url else "where that provider is, is not modelled",
                cure="install the bundle again: it removes that copy",
            )  # fmt: skip


def _url_of(s: RouteContext, pool: str) -> str:
    if pool in side.ENDPOINTS:
        return side.ENDPOINTS[pool].url
    if pool == "openrouter" or pool in side.LOGIN_ENDPOINTS:
        return side.LOGIN_ENDPOINTS.get(pool, facts.OPENROUTER_URL)
    try:
        entry = find_named_provider(s.layers.config, pool, s.environment)
    except HermesStopsError:
        return ""
    return entry.base_url if entry else ""


def _memory(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    section: Any = s.layers.config.get("memory")
    name = str(section.get("provider") or "").strip() if isinstance(section, dict) else ""
    service = MEMORY_SERVICES.get(name)
    if not name or name in LOCAL_MEMORY:
        return
    where, when = s.layers.where("memory", "provider"), "every conversation"
    if service is None or not service.url:
        why = "a plug-in or program gets every conversation; where it sends it is not known"
        yield Destination(
            "memory",
            f"memory.{name}",
            where,
            "",
            when,
            DestinationVerdict.UNKNOWN,
            why=why,
            cure="check that you know it",
        )
        return
    key = s.environment.get(service.key_env)
    stored = s.home.memory.get(service.file, b"").decode("utf-8", "replace")
    if not (key or stored or service.elsewhere):
        return  # without a key the service is not used
    url = s.environment.get(service.url_env) if service.url_env else ""
    doubt = "its own settings may name another address" if stored or service.elsewhere else ""
    yield team.destination(
        "memory", f"memory.{name}", where, url or service.url, when, key=key,
        key_source=env_source(s, service.key_env) if key else "", also=tuple(_sent(stored, team)), doubt=doubt,
        cure="use memory on this machine, or put the host into allowed_hosts",
    )  # fmt: skip


def _sent(stored: str, team: TeamSide) -> Iterator[str]:
    """Yield the texts of a service's settings file, but not those in a mapping with a URL of the gateway."""
    try:
        store = json.loads(stored or "null")
    except (ValueError, RecursionError):
        yield stored
        return
    for path, text in texts_with_paths(store):
        if not team.beside(value_at(store, path[:-1])):
            yield text


def _own_code(s: RouteContext) -> Iterator[Destination]:
    for folder in s.home.code:
        hook = folder.startswith(f"{facts.HOOKS_FOLDER}/")
        yield Destination(
            "hook" if hook else "plugin", folder, s.home.where(folder), "",
            "on events of the messaging gateway" if hook else "in every session", DestinationVerdict.UNKNOWN,
            why="code of the user's gets content; where it sends it is not known" if hook else "a plug-in can send anything",
            cure="check that you know this code, or remove the folder",
        )  # fmt: skip
