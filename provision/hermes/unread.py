"""Settings and variables of a profile that Hermes does not read: a limit that does not exist is worse than none.

Each key under `hermes:` and `env:` is compared with what the releases read that the profile allows (`hermes_version`, else the
newest verified release). An error is what certainly has no effect: any unknown key of a closed section, and a key of another
section whose name occurs nowhere in that release. What a plug-in may read is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from provision.errors import Problem, Severity
from provision.fleet.nearest import edit_distance, nearest_words
from provision.fleet.version_range import is_in_range
from provision.hermes.facts.read_settings import (
    CLOSED,
    DEPRECATED,
    DEPRECATED_ENV,
    OTHER_NAMES,
    ReadSettings,
    read_settings,
)
from provision.hermes.facts.toolsets import release_toolsets
from provision.hermes.guardrails.tool_rules import why_no_toolset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.errors import Place
    from provision.fleet.desired import EffectiveProfile

_OPEN = frozenset(
    [
        "memory",
        "tts",
        "stt",
        "web",
        "image_gen",
        "video_gen",
        "platforms",
        "plugins",
        "context",
        "hooks",
        "auxiliary",
        "skills",
    ]
)
"""Sections in which plug-ins have settings of their own."""
_LISTS = (
    *(("approvals", "deny"), ("agent", "disabled_toolsets"), ("plugins", "enabled"), ("plugins", "disabled")),
    *(("command_allowlist", ""), ("platform_toolsets", "cli"), ("platform_toolsets", "cron")),
)
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,40}")
_LETTERS_PER_DIFFERENCE = 7
"""So many letters must a name have for each letter in which it differs from a known one."""
_ENV_LIKE = re.compile(r"[A-Z][A-Z0-9_]+")
"""Keys at the root that the gateway process copies into its environment; `provision.hermes.lint` checks them."""


class _Unread(NamedTuple):
    """A key that one release does not read. `certain`: it has no effect whatever else is installed."""

    path: str
    pattern: str
    certain: bool
    instead: str


def unread_settings(profile: EffectiveProfile, at: Callable[[str], Place]) -> Iterator[Problem]:
    """Yield a problem for each setting and variable of a profile that a Hermes which it allows does not read: a warning where it
    allows none of the releases that are known."""
    versions = profile.hermes_version
    is_known = not versions or any(is_in_range(release.version, versions) for release in read_settings())
    for problem in _unread_settings(profile, at):
        yield problem if is_known else replace(problem, severity=Severity.WARNING)


def _unread_settings(profile: EffectiveProfile, at: Callable[[str], Place]) -> Iterator[Problem]:
    releases = allowed_releases(profile.hermes_version)
    found: dict[str, dict[str, _Unread]] = {}
    for release in releases:
        for unread in _below(profile.hermes, release.tree, release, ""):
            found.setdefault(unread.path, {})[release.version] = unread
    for path, by_version in found.items():
        yield _problem(path, by_version, releases, at)
    yield from _deprecated(profile, at)
    for name in profile.env:
        if (problem := _variable(name, profile, releases, at)) is not None:
            yield problem
    yield from _filters(profile.hermes, at)
    yield from _lists(profile.hermes, at)
    yield from _toolsets(profile.hermes, releases, at)


def allowed_releases(versions: str | None) -> list[ReadSettings]:
    """The releases of the table in a range, oldest first; without a range, or if it has none of them, the newest."""
    releases = read_settings()
    return [r for r in releases if versions and is_in_range(r.version, versions)] or [releases[-1]]


def _below(value: Any, node: Mapping[str, Any], release: ReadSettings, above: str, path: str = "") -> Iterator[_Unread]:
    """Yield the unread keys in a section. `node` has what is read there, `above` is the section's pattern."""
    if not isinstance(value, Mapping) or not node:
        return
    for key, below in value.items():
        name = str(key)
        full = f"{path}.{name}" if path else name
        child = name if name in node else "*" if "*" in node and above not in CLOSED else None
        if child is not None:
            yield from _below(below, node[child], release, f"{above}.{child}" if above else child, full)
        elif above or not (name.startswith("x_") or _ENV_LIKE.fullmatch(name)):
            yield _Unread(full, above, *_verdict(name, above, node, release))


def _verdict(name: str, above: str, node: Mapping[str, Any], release: ReadSettings) -> tuple[bool, str]:
    instead = OTHER_NAMES.get((above, name), "")
    nearest = [] if instead else nearest_words(name, [key for key in node if key != "*"])
    unknown = bool(_KEY.fullmatch(name)) and name not in release.names
    certain = above in CLOSED or (bool(above) and unknown and above.split(".", maxsplit=1)[0] not in _OPEN)
    return certain, instead or next(iter(nearest), "")


def _problem(
    path: str, by_version: dict[str, _Unread], releases: list[ReadSettings], at: Callable[[str], Place]
) -> Problem:
    latest = list(by_version.values())[-1]
    ignoring = " and ".join(by_version)
    hint = f"use {latest.instead}" if latest.instead else "remove it"
    place, field = at(f"hermes.{path}"), f"hermes.{path}"
    reading = [r.version for r in releases if r.version not in by_version]
    newer = reading or [r.version for r in read_settings() if not _is_unread(path, r)]
    if newer:
        since = f"it is read in Hermes {', '.join(newer)}"
        severity = Severity.WARNING if reading else Severity.ERROR
        message = f"Hermes {ignoring} ignores {field}: {since}"
        return Problem(
            "hermes-other-version", message, place, "set hermes_version to the versions that read it", severity
        )
    if all(unread.certain for unread in by_version.values()):
        return Problem("hermes-ignored", f"Hermes {ignoring} ignores {field}: it has no effect", place, hint)
    message = f"Hermes {ignoring} is not known to read {field}"
    hint = (
        f"did you mean {latest.instead}?"
        if latest.instead
        else "check the spelling, or that one of your plug-ins reads it"
    )
    return Problem("hermes-unknown", message, place, hint, Severity.WARNING)


def _is_unread(path: str, release: ReadSettings) -> bool:
    """Whether a release ignores a path, whose mapping keys are taken as they are written."""
    value: Any = 0
    for key in reversed(path.split(".")):
        value = {key: value}
    return any(True for _ in _below(value, release.tree, release, ""))


def _variable(
    name: str, profile: EffectiveProfile, releases: list[ReadSettings], at: Callable[[str], Place]
) -> Problem | None:
    """A variable that is meant for Hermes, by its prefix or because it nearly has a known name; others are for programs."""
    newest = releases[-1]
    if name in DEPRECATED_ENV or any(name in release.env for release in releases):
        return None
    place, message = at(f"env.{name}"), f"Hermes {newest.version} does not read env.{name}"
    if newer := [r.version for r in read_settings() if name in r.env]:
        message += f": it is read in Hermes {', '.join(newer)}"
        return Problem("env-other-version", message, place, "remove it, or set hermes_version", Severity.WARNING)
    distances = ((edit_distance(name, other), other) for other in newest.env)
    distance, nearest = min(distances, default=(99, ""))
    close = len(name) >= _LETTERS_PER_DIFFERENCE * distance
    hint = f"did you mean {nearest}?" if close else "remove it"
    if name.startswith("HERMES_"):
        return Problem("env-ignored", f"{message}: it has no effect", place, hint)
    if close and f"${{{name}}}" not in str(profile.hermes):
        return Problem("env-unknown", message, place, hint, Severity.WARNING)
    return None


def _deprecated(profile: EffectiveProfile, at: Callable[[str], Place]) -> Iterator[Problem]:
    for path, instead in DEPRECATED.items():
        value: Any = profile.hermes
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            message = f"hermes.{path} is deprecated: newer Hermes reads {instead}"
            yield Problem("hermes-deprecated", message, at(f"hermes.{path}"), f"use {instead}", Severity.WARNING)
    for name in profile.env.keys() & DEPRECATED_ENV:
        message = f"env.{name} is deprecated: newer Hermes reads {DEPRECATED_ENV[name]}"
        yield Problem("env-deprecated", message, at(f"env.{name}"), f"use {DEPRECATED_ENV[name]}", Severity.WARNING)


def _lists(settings: Mapping[str, Any], at: Callable[[str], Place]) -> Iterator[Problem]:
    """Lists that are written as something else: Hermes ignores them, or takes each letter for an entry."""
    for section, key in _LISTS:
        holder = settings.get(section) if key else settings
        value = holder.get(key or section) if isinstance(holder, Mapping) else None
        if value is not None and not isinstance(value, list | tuple):
            field = f"hermes.{section}.{key}" if key else f"hermes.{section}"
            message = f"{field} is not a list: Hermes does not read it as one"
            yield Problem("hermes-no-limit", message, at(field), "write […]")


def _toolsets(
    settings: Mapping[str, Any], releases: list[ReadSettings], at: Callable[[str], Place]
) -> Iterator[Problem]:
    """Names in `agent.disabled_toolsets` that deny nothing."""
    agent, servers = settings.get("agent"), settings.get("mcp_servers")
    names = agent.get("disabled_toolsets") if isinstance(agent, Mapping) else None
    known = {str(name) for name in servers} if isinstance(servers, Mapping) else set()
    newest = next((t for t in release_toolsets() if t.version == releases[-1].version), None)
    for name in names if isinstance(names, list | tuple) and newest else ():
        if newest and str(name) not in {*newest.switches, *newest.singles, *known}:
            why = why_no_toolset(str(name), newest)
            field = "hermes.agent.disabled_toolsets"
            yield Problem("hermes-no-limit", f"{field}: {why}", at(field), "", Severity.WARNING)


def _filters(settings: Mapping[str, Any], at: Callable[[str], Place]) -> Iterator[Problem]:
    """Limits of MCP servers that are no limits (`tools/mcp_tool.py`, `_register_server_tools`)."""
    servers = settings.get("mcp_servers")
    for name, server in servers.items() if isinstance(servers, Mapping) else ():
        tools = server.get("tools") if isinstance(server, Mapping) else None
        field = f"hermes.mcp_servers.{name}.tools"
        if tools is None:
            continue
        if not isinstance(tools, Mapping):
            yield Problem(
                "hermes-no-limit",
                f"{field} is not a mapping: Hermes cannot use the server",
                at(field),
                "write tools: {include: […]}",
            )
        elif "include" in tools and not isinstance(tools["include"] or [], str | list | tuple):
            message = f"{field}.include is not a list: Hermes then offers every tool of the server"
            yield Problem("hermes-no-limit", message, at(f"{field}.include"), "write include: […]")
        elif "include" in tools and not tools["include"]:
            message = f"{field}.include is empty: Hermes then offers every tool of the server"
            yield Problem("hermes-no-limit", message, at(f"{field}.include"), "name the tools, or set enabled: false")
        elif tools.get("include") and tools.get("exclude"):
            message = f"Hermes ignores {field}.exclude beside include"
            yield Problem("hermes-no-limit", message, at(f"{field}.exclude"), "remove exclude")
