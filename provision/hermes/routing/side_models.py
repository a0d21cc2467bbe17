"""Destinations of requests to a model beside the main one: auxiliary tasks, fallbacks, delegation, other providers, presets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.hermes.config.draft import dotted_path
from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.routing.providers import (
    HermesStopsError,
    NotModelledError,
    compatible_entries,
    find_named_provider,
    fold_name,
    resolve_alias,
)
from provision.hermes.routing.runtime import resolve_runtime
from provision.hermes.routing.side_clients import SideClient, discovered, env_source, main_client, resolve_client
from provision.hermes.routing.wire import host_matches, is_requested, same_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.destination import Destination, TeamSide
    from provision.hermes.routing.hazards import RouteContext

_DISCOVERY_CURE = "install a bundle with side_routes: team, or remove that key"
_USE_TEAM = "remove it, or set the team's provider"
_AGENT_KINDS = frozenset({"channel", "cron", "delegation", "model-alias"})
"""Kinds of which each request is that of a running agent."""
_FALLBACK = "if the gateway refuses or cannot be reached"


def model_destinations(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield the destination of every request to a model except the main one."""
    config = s.layers.config
    yield from _auxiliary(s, team)
    for entry, path in fallback_entries(config):
        own_key, source = _own_key(s, entry, path)
        client = resolve_client(s, text_at(entry, "provider"), text_at(entry, facts.BASE_URL), own_key, source)
        yield from found_destination(s, team, "fallback", path, client, _FALLBACK)
    yield from _delegation(s, team)
    yield from _other_providers(s, team)
    aliases = config.get(facts.MODEL_ALIASES)
    for name, entry in aliases.items() if isinstance(aliases, dict) else ():
        if isinstance(entry, dict) and entry.get("model"):
            when = "if that model is requested"
            yield from runtime_destinations(
                s, team, {"provider": "custom"} | entry, (facts.MODEL_ALIASES, str(name)), "model-alias", when
            )
    yield from _presets(s, team)


def fallback_entries(config: dict[Any, Any]) -> Iterator[tuple[dict[Any, Any], tuple[str | int, ...]]]:
    """Yield the entries of the main fallback chain with their paths (`fallback_config.get_fallback_chain`)."""
    for key in (facts.FALLBACK_PROVIDERS, facts.FALLBACK_MODEL):
        value = config.get(key)
        entries = [(e, (key, n)) for n, e in enumerate(value)] if isinstance(value, list) else [(value, (key,))]
        for entry, path in entries:
            if isinstance(entry, dict) and entry.get("provider") and entry.get("model"):
                yield entry, path


def _auxiliary(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    section = s.layers.config.get(facts.AUXILIARY)
    section = section if isinstance(section, dict) else {}
    own = [str(k) for k, v in section.items() if isinstance(v, dict) and k not in side.AUXILIARY_TASKS]
    spread = discovered(s)
    for task in (*side.AUXILIARY_TASKS, *own):
        settings = section.get(task)
        yield from _task(s, team, (facts.AUXILIARY, task), settings if isinstance(settings, dict) else {}, spread)
    curator, settings = s.layers.config.get(side.OLD_CURATOR[0]), section.get("curator")
    old = curator.get(side.OLD_CURATOR[1]) if isinstance(curator, dict) else None
    if isinstance(old, dict) and old.get("provider") and old.get("model") and not _chosen(settings):
        yield from runtime_destinations(s, team, old, side.OLD_CURATOR, "auxiliary", "when it runs")


def _chosen(settings: object) -> bool:
    """Return whether a task that runs as an agent has a provider of its own: it counts only with a model."""
    return (
        isinstance(settings, dict)
        and text_at(settings, "provider") not in {"", "auto"}
        and bool(text_at(settings, "model"))
    )


def _task(
    s: RouteContext, team: TeamSide, path: tuple[str, str], settings: dict[Any, Any], spread: SideClient | None
) -> Iterator[Destination]:
    task = path[1]
    provider, url, key, source = _task_route(s, settings, path)
    if task in side.AGENT_TASKS:
        if not _chosen(settings):
            yield from found_destination(s, team, "auxiliary", path, main_client(s), "when it runs")
        else:
            yield from runtime_destinations(s, team, settings, path, "auxiliary", "when it runs")
        return
    automatic = provider in {"", "auto"}
    if task == "vision" and url and (provider.startswith(facts.CUSTOM_PREFIX) or provider == "main"):
        provider = "custom"  # unlike every other task, vision takes the URL beside a named provider
    body = tuple(texts(settings.get(facts.EXTRA_BODY)))
    client = main_client(s) if automatic else resolve_client(s, provider, url, key, source, in_turn=True)
    if client is None and (task == "vision" or provider in {"openrouter", "custom"}):
        client = main_client(s)
    if client is not None:
        yield from found_destination(s, team, "auxiliary", path, client, "when it runs", also=body)
    chain = settings.get("fallback_chain") if s.environment.hermes.task_chains else None
    when = side.REFUSAL if automatic else side.CAPACITY
    for number, entry in enumerate(chain if isinstance(chain, list) else ()):
        if isinstance(entry, dict) and entry.get("provider") and entry.get("model"):
            here = (*path, "fallback_chain", number)
            own_key, own_source = _own_key(s, entry, here)
            found = resolve_client(s, text_at(entry, "provider"), text_at(entry, facts.BASE_URL), own_key, own_source)
            yield from found_destination(s, team, "auxiliary", here, found, when, also=body)
    if task in side.PINNED_ELSEWHERE or task == "vision":
        return
    if automatic and spread is not None:
        yield from _spread(s, team, task, spread, when, body)
    elif not automatic and _falls_to_plain(s, provider) and (plain := resolve_client(s, "custom")):
        yield from _spread(s, team, task, plain, when, body)


def _falls_to_plain(s: RouteContext, provider: str) -> bool:
    """Return whether a task with this provider goes on to plain `custom` when its endpoint has no capacity.

    `_try_main_agent_model_fallback`: in a turn, the main provider of a custom endpoint is called `custom`, and is skipped only
    if the task's provider has that name. Plain custom then means the first provider with a key in the environment.
    """
    return bool(s.runtime and s.runtime.provider == "custom" and provider != "custom")


def _spread(  # noqa: PLR0917  what the task knows
    s: RouteContext, team: TeamSide, task: str, client: SideClient, when: str, body: tuple[str, ...]
) -> Iterator[Destination]:
    place = client.key_source.partition("(")[2].rstrip(")") or s.layers.where(facts.AUXILIARY, task)
    name = f"auxiliary.{task} (next provider)"
    yield team.destination(
        "auxiliary", name, place, client.url, when, key=client.key,
        key_source=client.key_source, also=(*body, *(_headers(s) if client.headers else ())), doubt=client.doubt,
        cure=_DISCOVERY_CURE,
    )  # fmt: skip
    yield from _key_alone(team, "auxiliary", name, place, client, when)


def _task_route(s: RouteContext, settings: dict[Any, Any], path: tuple[str | int, ...]) -> tuple[str, str, str, str]:
    """Return provider, URL, key and its source of a task (`_resolve_task_provider_model`)."""
    provider, url = text_at(settings, "provider"), text_at(settings, facts.BASE_URL)
    key, source = _own_key(s, settings, path, by_variable=s.environment.hermes.task_key_env)
    if provider.lower() in side.DIRECT_ALIASES:
        provider, url = "custom", url or side.DIRECT_ALIASES[provider.lower()]
    if url and key:
        return "custom", url, key, source
    if url and provider.lower() not in {"", "auto"}:
        return provider.lower(), url, "", ""
    return provider.lower(), "", key, source


def _delegation(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    settings = s.layers.config.get(facts.DELEGATION)
    settings = settings if isinstance(settings, dict) else {}
    when, path = "when the agent delegates", (facts.DELEGATION,)
    provider, url = text_at(settings, "provider"), text_at(settings, facts.BASE_URL)
    if url and provider.lower() not in side.NATIVE_DELEGATION:
        key, source = text_at(settings, facts.API_KEY), "delegation.api_key"
        if not key:
            key, source = s.key, "inherited from the main route"
        yield from found_destination(s, team, "delegation", path, SideClient(url, key, source), when)
    elif provider:
        yield from runtime_destinations(s, team, settings, path, "delegation", when)
    elif client := main_client(s):
        yield from found_destination(s, team, "delegation", path, client, when)


def _other_providers(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield every entry with a key of the team that is not the one in use: one keystroke sends the key there."""
    used = s.runtime.entry if s.runtime else ()
    for entry, path in compatible_entries(s.layers.config):
        if path == used or (s.base_url and team.here(entry[facts.BASE_URL])):
            continue
        name = fold_name(entry["name"])
        try:
            found = resolve_runtime(s.asked, f"{facts.CUSTOM_PREFIX}{name}")
        except (HermesStopsError, NotModelledError):
            continue
        if found.entry == path:
            key, source = found.key if found.key != facts.NO_KEY else "", found.key_source
        else:  # another entry has its name
            key, source = _own_key(s, entry, path)
        sent = entry.get(facts.EXTRA_HEADERS, {}) if s.environment.hermes.headers_in_settings else {}
        also = [*map(str, sent.values()), *texts(entry.get(facts.EXTRA_BODY))]
        if team.holds_key(key, entry[facts.BASE_URL], *also):
            yield team.destination(
                "provider", ".".join(map(str, path)), s.layers.where(*path), entry[facts.BASE_URL],
                f"one keystroke: --provider {facts.CUSTOM_PREFIX}{name}", key=key,
                key_source=source, also=also, cure="remove this gateway's key from that entry",
            )  # fmt: skip


def _presets(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    if not s.environment.hermes.moa_presets:
        router = resolve_client(s, "openrouter")
        yield from found_destination(s, team, "moa", ("moa",), router, "when the agent uses the tool mixture_of_agents")
        return
    moa = s.layers.config.get("moa")
    moa = moa if isinstance(moa, dict) else {}
    presets = moa.get("presets")
    shown = presets if isinstance(presets, dict) and presets else {"default": moa}
    for name, value in shown.items():
        preset = value if isinstance(value, dict) else {}
        slots = preset.get("reference_models")
        slots = slots if isinstance(slots, list) else [slots]
        known = [slot for slot in slots if _slot(slot)]
        last = preset.get("aggregator")
        switched_off = not preset.get("enabled", True)  # the aggregator then works alone
        for slot in [
            *(() if switched_off else known or [{"provider": p, "model": m} for p, m in side.MOA_REFERENCES]),
            last if _slot(last) else dict(zip(("provider", "model"), side.MOA_AGGREGATOR, strict=True)),
        ]:
            asked = {"provider": slot["provider"]}  # a preset reads nothing else of it
            for each in runtime_destinations(s, team, asked, ("moa", "presets", str(name)), "moa", "on /moa"):
                if resolve_alias(text_at(slot, "provider")) == "openrouter" and not host_matches(
                    each.host, "openrouter.ai"
                ):
                    continue  # a preset takes the key of that provider, but never another URL than its own
                yield each


def _slot(slot: object) -> bool:
    return isinstance(slot, dict) and bool(text_at(slot, "provider") and text_at(slot, "model"))


def runtime_destinations(  # noqa: PLR0917  what every caller knows, in one order
    s: RouteContext,
    team: TeamSide,
    entry: dict[Any, Any],
    path: tuple[str | int, ...],
    kind: str,
    when: str,
    place: str = "",
) -> Iterator[Destination]:
    """Yield where an entry leads that Hermes resolves as it resolves the main route (`resolve_runtime_provider`)."""
    provider, url = text_at(entry, "provider").lower(), text_at(entry, facts.BASE_URL)
    if provider in {"", "auto"} and not url:
        if client := main_client(s):
            yield from found_destination(s, team, kind, path, client, when, place)
        return
    key, source = _own_key(s, entry, path)
    try:
        found = resolve_runtime(s.asked, provider or "custom", url)
        used = key or (found.key if found.key != facts.NO_KEY else "")
        keyless = kind == "moa" and provider == "custom"  # without a URL that is OpenRouter, which gets the content
        client = (
            SideClient(found.base_url, used, source if key else found.key_source)
            if used or found.key or keyless
            else None
        )
    except HermesStopsError:
        client = None
    except NotModelledError:
        client = resolve_client(s, provider, url, key, source)
    if client is not None and client.url == facts.OPENROUTER_URL and not client.key and provider != "custom":
        client = None
    yield from found_destination(s, team, kind, path, client, when, place)


def found_destination(  # noqa: PLR0917  what every caller knows, in one order
    s: RouteContext,
    team: TeamSide,
    kind: str,
    path: tuple[str | int, ...],
    client: SideClient | None,
    when: str,
    place: str = "",
    also: tuple[str, ...] = (),
) -> Iterator[Destination]:
    """Yield the destination of a request to `client`, and that of its key alone; nothing without one. `also` is sent, too."""
    if client is None or (client.url and not is_requested(client.url)):
        return
    name = dotted_path(path)
    where = place or s.layers.where(*path)
    if kind in _AGENT_KINDS or path == side.OLD_CURATOR or (kind == "auxiliary" and path[-1] in side.AGENT_TASKS):
        also = (*also, *entry_additions(s, client.url))
    yield team.destination(
        kind, name, where, client.url, when, key=client.key, key_source=client.key_source,
        also=(*also, *(_headers(s) if client.headers else ())), doubt=client.doubt, cure=_USE_TEAM,
    )  # fmt: skip
    yield from _key_alone(team, kind, name, where, client, when)


def _key_alone(  # noqa: PLR0917  a destination's own fields, in its order
    team: TeamSide, kind: str, name: str, where: str, client: SideClient, when: str
) -> Iterator[Destination]:
    if client.key_also_to:
        yield team.destination(
            kind, f"{name} (key)", where, client.key_also_to, when, key=client.key, key_source=client.key_source,
            content=False, cure=_USE_TEAM,
        )  # fmt: skip


def entry_additions(s: RouteContext, url: str) -> tuple[str, ...]:
    """Return what a running agent also sends to a URL: headers and body of the entry with that URL, whoever chose it.

    As for the main route (`request.py`). A task and a fallback do not.
    """
    here = [entry for entry, _ in compatible_entries(s.layers.config) if same_url(entry[facts.BASE_URL], url)]
    bodies = tuple(text for entry in here for text in texts(entry.get(facts.EXTRA_BODY)))
    sends_headers = here and s.environment.hermes.headers_in_settings
    return (*(map(str, here[0].get(facts.EXTRA_HEADERS, {}).values()) if sends_headers else ()), *bodies)


def _headers(s: RouteContext) -> tuple[str, ...]:
    headers = s.asked.model.get("default_headers") if s.environment.hermes.headers_in_settings else None
    return tuple(str(v) for v in headers.values()) if isinstance(headers, dict) else ()


def _own_key(
    s: RouteContext, entry: dict[Any, Any], path: tuple[str | int, ...], *, by_variable: bool = True
) -> tuple[str, str]:
    """Return the key that an entry itself names, with its source: inline first, then `key_env` or `api_key_env`."""
    if key := text_at(entry, facts.API_KEY):
        return key, ".".join(map(str, (*path, facts.API_KEY)))
    if not by_variable:
        return "", ""
    env = text_at(entry, facts.KEY_ENV) or text_at(entry, facts.KEY_ENV_ALIASES[0])
    return (s.environment.get(env), env_source(s, env)) if env and s.environment.get(env) else ("", "")


def texts(value: object) -> Iterator[str]:
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def text_at(entry: dict[Any, Any], name: str) -> str:
    """Return a text of an entry without white space around it; an empty one for any other value."""
    value = entry.get(name)
    return value.strip() if isinstance(value, str) else ""


def leads_nowhere(s: RouteContext, provider: str, *, of_task: bool) -> bool:
    """Return whether no provider has this name: Hermes stops there, or uses the main endpoint.

    `of_task`: an auxiliary task or a fallback names it, where fewer aliases count.
    """
    bare = provider.removeprefix(facts.CUSTOM_PREFIX)
    known = {"", "auto", "main", "custom", *side.DIRECT_ALIASES, *side.LOGIN_ENDPOINTS}
    alias_only = resolve_alias(bare) not in {bare, None}
    try:
        entry = find_named_provider(s.layers.config, provider, s.environment)
    except HermesStopsError:
        return True
    if entry or provider in known:
        return False
    unknown = resolve_alias(bare) is None and resolve_alias(bare, s.environment.hermes) is None
    return unknown or (of_task and alias_only and bare not in side.TASK_ALIASES)
