"""Destinations that are no model: MCP servers, speech, the gateway's proxy, hooks and commands, observability, the environment.

A program of the user's that gets content or the key may send it anywhere: its destination is unknown, and never counts as
staying. Names of variables that Hermes withholds from programs are those of its own providers (`env_passthrough`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provision.hermes.config.draft import dotted_path, texts_with_paths, value_at
from provision.hermes.facts import names as facts
from provision.hermes.facts import side_routes as side
from provision.hermes.routing.destination import Destination, DestinationVerdict
from provision.hermes.routing.side_clients import env_source
from provision.hermes.routing.side_models import texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.hermes.routing.destination import TeamSide
    from provision.hermes.routing.hazards import RouteContext

_ENV_REFERENCE = re.compile(r"\$\{\s*(?:env:)?\s*([^}]+?)\s*\}")
_PROGRAM = "a program of the user's gets content; where it sends it is not known"
_OWN_PROGRAM = "a program of the user's gets this gateway's key"


def program_destinations(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield the destination of everything that is sent to something else than a model."""
    yield from _mcp_servers(s, team)
    yield from _speech(s, team)
    yield from _gateway_proxy(s, team)
    yield from _hooks(s, team)
    yield from _passed_variables(s, team)
    yield from _observability(s, team)
    yield from _other_settings(s, team)


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _expanded(s: RouteContext, value: object) -> tuple[str, ...]:
    """Return every text in a value with `${env:NAME}` and `${ NAME }` replaced, which only MCP servers understand."""
    return tuple(_ENV_REFERENCE.sub(lambda m: s.environment.values.get(m[1], m[0]), text) for text in texts(value))


def _mcp_servers(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    for name, server in _mapping(s.layers.config.get("mcp_servers")).items():
        if not isinstance(server, dict):
            continue
        path, when = ("mcp_servers", str(name)), "in every session"
        if str(server.get("enabled")).strip().lower() in side.DISABLED:
            if not team.holds_key(*_expanded(s, server)):
                continue
            when = f"one keystroke: hermes mcp test {name}"
        where, shown = s.layers.where(*path), ".".join(path)
        url = server.get("url")
        if isinstance(url, str) and url.strip():
            (url,) = _expanded(s, url)
            sent = _expanded(s, [server.get("headers"), server.get("oauth")])
            key = next((text for text in (*sent, url) if team.holds_key(text)), "") or _credential(
                server.get("headers")
            )
            yield team.destination(
                "mcp", shown, where, url, when, key=key, also=(*sent, url), key_source=shown if key else "",
                cure="remove this gateway's key from it" if key else "put the host into allowed_hosts, or remove the server",
            )  # fmt: skip
        elif server.get("command"):
            sent = _expanded(s, [server.get("env"), server.get("args"), server.get("command")])
            if team.holds_key(*sent):
                yield _program(team, "mcp", shown, where, when, "remove this gateway's key from it")
            else:
                yield Destination("mcp", shown, where, "", when, DestinationVerdict.STAYS)


def _credential(headers: object) -> str:
    """Return the user's own key in the headers of a server, without its scheme."""
    named = {str(k).lower(): v for k, v in _mapping(headers).items() if isinstance(v, str)}
    value = next((named[name] for name in sorted(facts.KEY_HEADERS) if name in named), "")
    return re.sub(r"(?i)^(bearer|basic|token) +", "", value).strip()


def _program(  # noqa: PLR0917  a destination's own fields, in its order
    team: TeamSide, kind: str, name: str, where: str, when: str, cure: str
) -> Destination:
    return Destination(
        kind, name, where, "", when, DestinationVerdict.KEY, key_fingerprint=team.mark(team.keys[0]) if team.keys else None,
        why=_OWN_PROGRAM, cure=cure,
    )  # fmt: skip


def _speech(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    for section, known, when in (
        ("tts", side.SPEAKING, "when the agent speaks"),
        ("stt", side.HEARING, "when it hears a voice message"),
    ):
        settings = _mapping(s.layers.config.get(section))
        provider = str(settings.get("provider") or "").strip().lower()
        if not provider or provider in side.LOCAL_SPEECH:
            continue
        where = s.layers.where(section, provider if provider in settings else "provider")
        name = f"{section}.{provider}"
        if provider not in known:
            own = _mapping(_mapping(settings.get("providers")).get(provider) or settings.get(provider))
            if own.get("command") and team.holds_key(*texts(own)):
                yield _program(team, section, name, where, when, "remove this gateway's key from that command")
            elif own.get("command"):
                yield Destination(
                    section, name, where, "", when, DestinationVerdict.UNKNOWN, why=_PROGRAM, cure="check that program"
                )
            continue
        endpoint, mine = known[provider], _mapping(settings.get(provider))
        own_key = str(mine.get(facts.API_KEY) or "").strip() if endpoint.own_key else ""
        env = next((n for n in endpoint.key_env if s.environment.get(n)), "")
        key = own_key or (s.environment.get(env) if env else "")
        if not key and endpoint.key_env:
            continue  # Hermes stops: no credentials
        source = f"{section}.{provider}.api_key" if own_key else env_source(s, env) if env else ""
        own_url = str(mine.get(facts.BASE_URL) or "").strip() if endpoint.own_url or own_key else ""
        url = own_url or _moved(s, section, provider) or endpoint.url
        yield team.destination(
            section, name, where, url, when, key=key, key_source=source,
            cure="use speech on this machine, or put the host into allowed_hosts",
        )  # fmt: skip


def _moved(s: RouteContext, section: str, provider: str) -> str:
    name = {("stt", "openai"): side.STT_OPENAI_URL_ENV, ("stt", "groq"): side.GROQ_URL_ENV}.get((section, provider))
    return s.environment.get(name) if name else ""


def _gateway_proxy(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    gateway = _mapping(s.layers.config.get("gateway"))
    url, where = s.environment.get(side.GATEWAY_PROXY_ENV), s.environment.place(side.GATEWAY_PROXY_ENV)
    if not url:
        url, where = str(gateway.get("proxy_url") or "").strip(), s.layers.where("gateway", "proxy_url")
    if url:
        key = s.environment.get(side.GATEWAY_PROXY_KEY_ENV)
        source = env_source(s, side.GATEWAY_PROXY_KEY_ENV) if key else ""
        when = "every message of the messaging gateway"
        yield team.destination(
            "gateway-proxy", "gateway.proxy_url", where, url, when, key=key, key_source=source, cure="remove it"
        )


def _hooks(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    for event, entries in _mapping(s.layers.config.get("hooks")).items():
        listed = entries if isinstance(entries, list) else [entries]
        if any(isinstance(e, dict) and e.get("command") for e in listed):
            where, name = s.layers.where("hooks", str(event)), f"hooks.{event}"
            if team.holds_key(*texts(listed)):
                yield _program(team, "hook", name, where, f"on {event}", "remove this gateway's key from it")
            else:
                yield Destination(
                    "hook",
                    name,
                    where,
                    "",
                    f"on {event}",
                    DestinationVerdict.UNKNOWN,
                    why=_PROGRAM,
                    cure="check that command",
                )
    for command, entry in _mapping(s.layers.config.get("quick_commands")).items():
        if isinstance(entry, dict) and entry.get("type") == "exec" and entry.get("command"):
            where, name = s.layers.where("quick_commands", str(command)), f"quick_commands.{command}"
            when = f"on /{command}"
            if team.holds_key(*texts(entry)):
                yield _program(team, "quick-command", name, where, when, "remove this gateway's key from it")
            else:
                yield Destination("quick-command", name, where, "", when, DestinationVerdict.STAYS, content=False)


def _passed_variables(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield the variables with a key of the team that Hermes hands to every command that the agent runs."""
    terminal = _mapping(s.layers.config.get("terminal"))
    for setting in ("env_passthrough", "docker_forward_env"):
        names = terminal.get(setting)
        for number, name in enumerate(names if isinstance(names, list) else ()):
            withheld = setting == "env_passthrough" and name in side.CREDENTIAL_ENV
            if isinstance(name, str) and not withheld and team.holds_key(s.environment.get(name.strip())):
                path = ("terminal", setting, number)
                shown = f"terminal.{setting}[{number}]"
                yield _program(
                    team,
                    "environment",
                    shown,
                    s.layers.where(*path),
                    "in every command of the agent",
                    "remove that name",
                )
    docker = _mapping(terminal.get("docker_env"))
    if team.holds_key(*texts(docker)):
        where = s.layers.where("terminal", "docker_env")
        yield _program(team, "environment", "terminal.docker_env", where, "in every command of the agent", "remove it")


def _observability(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    plugins = _mapping(s.layers.config.get("plugins")).get("enabled")
    names = [str(p) for p in plugins] if isinstance(plugins, list) else []
    env = next((n for n in side.LANGFUSE_ENV if s.environment.get(n)), "")
    for number, name in enumerate(names):
        where = s.layers.where("plugins", "enabled", number)
        if name.rpartition("/")[2] == "langfuse" and env:
            url = next((u for n in side.LANGFUSE_URL_ENV if (u := s.environment.get(n))), side.LANGFUSE_URL)
            yield team.destination(
                "observability", f"plugins.{name}", where, url, "every conversation",
                key=s.environment.get(env), key_source=env_source(s, env), cure="remove the plug-in, or allow its host",
            )  # fmt: skip
        else:
            yield Destination(
                "plugin", f"plugins.{name}", where, "", "in every session", DestinationVerdict.UNKNOWN,
                why="a plug-in can send anything", cure="check that you know this plug-in",
            )  # fmt: skip


def _other_settings(s: RouteContext, team: TeamSide) -> Iterator[Destination]:
    """Yield every other setting that contains a key of the team: who reads it is not modelled."""
    for path, text in texts_with_paths(s.layers.config):
        if path[0] in side.MODELLED_SECTIONS or "platforms" in path[:2] or not team.holds_key(text):
            continue
        if team.beside(value_at(s.layers.config, path[:-1])):
            continue
        yield replace(
            _program(team, "setting", dotted_path(path), s.layers.where(*path), "unknown", "remove the key from it"),
            verdict=DestinationVerdict.UNKNOWN, why="this gateway's key is in a setting whose use is not modelled",
        )  # fmt: skip
