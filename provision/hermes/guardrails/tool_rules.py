"""The rules of a policy about tools and toolsets: the names that Hermes is given for them, and what it cannot deny."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.fleet.nearest import nearest_words
from provision.hermes.facts.toolsets import release_toolsets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from provision.fleet.desired import GuardrailPolicy
    from provision.hermes.facts.toolsets import ReleaseToolsets


def denied_names(policy: GuardrailPolicy) -> tuple[str, ...]:
    """The names for `agent.disabled_toolsets`: as in the newest verified release, so that machine and workspace agree."""
    newest = release_toolsets()[-1]
    names = list(policy.denied_toolsets)
    names += [name for tool in policy.denied_tools if (name := newest.name_for(tool))]
    if (allowed := allowed_names(policy)) is not None:
        names += newest.without(allowed)
    return tuple(dict.fromkeys(names))


def allowed_names(policy: GuardrailPolicy) -> tuple[str, ...] | None:
    """The names for `platform_toolsets`, without MCP servers; None if the policy allows all toolsets."""
    if policy.allowed_toolsets is None and policy.allowed_tools is None:
        return None
    newest = release_toolsets()[-1]
    names = list(policy.allowed_toolsets or ())
    for tool in policy.allowed_tools or ():
        names += [name for name in [newest.name_for(tool)] if name]
    return tuple(dict.fromkeys(names))


def unenforced_tools(
    policy: GuardrailPolicy, release: ReleaseToolsets, servers: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Rule and reason for each name that this release ignores or understands as something else."""
    for rule in ("denied_toolsets", "allowed_toolsets"):
        for name in getattr(policy, rule) or ():
            if name not in release.switches and not (rule == "denied_toolsets" and name in servers):
                yield rule, why_no_toolset(name, release)
    for rule in ("denied_tools", "allowed_tools"):
        for tool in getattr(policy, rule) or ():
            if release.name_for(tool) is None or release.name_for(tool) != release_toolsets()[-1].name_for(tool):
                yield rule, _why_not_alone(tool, release)
    if policy.allowed_toolsets == () and not policy.allowed_tools:
        yield "allowed_toolsets", f"Hermes {release.version} offers all toolsets when the list is empty"
    if allowed := allowed_names(policy):
        if left := set(release.without(allowed)) - set(denied_names(policy)):
            yield "allowed_toolsets", f"Hermes {release.version} also has {', '.join(sorted(left))}: deny them, too"
        if both := sorted(set(allowed) & {*policy.denied_toolsets, *_names(policy.denied_tools, release)}):
            yield "denied_toolsets", f"{both[0]} is both allowed and denied"


def _names(tools: tuple[str, ...], release: ReleaseToolsets) -> list[str]:
    return [name for tool in tools if (name := release.name_for(tool))]


def why_no_toolset(name: str, release: ReleaseToolsets) -> str:
    """Why a name of a toolset denies and allows nothing, and what to write instead."""
    says = f"Hermes {release.version}"
    if name in release.tools:
        return f"{name} is a tool, not a toolset, and {says} ignores it: use denied_tools or allowed_tools"
    if name in release.singles:
        tool = release.singles[name]
        return f"{name} is a part of another toolset in {says}: name its tool {tool} in denied_tools or allowed_tools"
    if name in release.others:
        return f"{name} is a bundle of other toolsets, and {says} keeps their tools: name each of them"
    near = nearest_words(name, [*release.switches])
    return f"{says} has no toolset {name}, and ignores it" + (f": did you mean {near[0]}?" if near else "")


def _why_not_alone(tool: str, release: ReleaseToolsets) -> str:
    if tool not in release.tools:
        near = nearest_words(tool, sorted(release.tools))
        hint = f": did you mean {near[0]}?" if near else " (tools of MCP servers: mcp_servers)"
        return f"Hermes {release.version} has no tool {tool}{hint}"
    owners = ", ".join(name for name, tools in release.switches.items() if tool in tools)
    return f"Hermes {release.version} can allow or deny {tool} only with its toolset: {owners}"
