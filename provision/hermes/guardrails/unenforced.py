"""Rules of a policy that a Hermes which the profile allows does not enforce, and settings that say something else.

A rule that Hermes ignores is worse than none. Each reason was seen in the code of Hermes, most of them in a run
(`tests/acceptance/test_acceptance_policy.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from provision.hermes.facts.toolsets import release_toolsets
from provision.hermes.guardrails.servers import rule_for, servers_of
from provision.hermes.guardrails.settings import (
    CRON_APPROVES,
    RULES,
    SANDBOXES,
    is_true,
    policy_env,
    policy_settings,
)
from provision.hermes.guardrails.tool_rules import unenforced_tools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.fleet.desired import EffectiveProfile, GuardrailPolicy
    from provision.hermes.facts.read_settings import ReadSettings

_EXPRESSION = re.compile(r"^\^|\$$|\\[bBdDsSwW]|\(\?|\.\*[^ ]|\.\+")
_GLOB = re.compile(r"[*?\[]")
_LAUNCHERS = re.compile(
    r"(?:npx|bunx|pnpx|npm|pnpm|yarn|bun|deno|node|uvx?|pipx|python[0-9.]*|py|ruby|docker|podman|(?:ba|da|z)?sh|pwsh|"
    r"powershell|cmd|env|sudo)(?:\.(?:exe|cmd|bat))?",
    re.IGNORECASE,
)
"""Programs that start what their arguments say."""


def unenforced(profile: EffectiveProfile, releases: list[ReadSettings]) -> Iterator[tuple[str, str]]:
    """The rules of a policy that a Hermes which the profile allows does not enforce, and why."""
    policy = profile.policy
    if policy is None:
        return
    for name in policy.fields():
        rule = RULES[name]
        if not rule.settings:
            yield name, f"Hermes has no setting for it: {rule.enforced_by}"
        for release in releases:
            if any(not _reads(release, setting) for setting in rule.settings):
                yield (
                    name,
                    f"Hermes {release.version}, which hermes_version allows, does not read {', '.join(rule.settings)}",
                )
    versions = {release.version for release in releases}
    known = {server.name for server in servers_of(profile.hermes)}
    for toolsets in release_toolsets():
        if toolsets.version in versions:
            yield from unenforced_tools(policy, toolsets, known)
            names = toolsets.switches.keys() | toolsets.singles.keys() | toolsets.others
            if policy.mcp_servers is not None and (taken := sorted(known & {*names, "no_mcp", "all", "*"})):
                why = f"Hermes {toolsets.version} takes the name of the server {taken[0]} for its toolset"
                yield "mcp_servers", f"{why}: rename it"
    yield from _servers(policy, profile.hermes)
    yield from _commands(policy)
    backend = profile.env.get("TERMINAL_ENV") or str(_get(profile.hermes, "terminal", "backend"))
    if backend in SANDBOXES and (policy.approvals or policy.deny_commands):
        name = "approvals" if policy.approvals else "deny_commands"
        place = "env.TERMINAL_ENV" if "TERMINAL_ENV" in profile.env else "terminal.backend"
        yield name, f"with {place}: {backend} Hermes neither asks nor denies commands"


def _servers(policy: GuardrailPolicy, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Rules that no server of the profile has: Hermes offers all servers when it finds none of the listed ones."""
    servers = [*servers_of(settings)]
    for rule in policy.mcp_servers or ():
        said = rule.name or rule.host or rule.command
        if rule.command and not rule.name and _LAUNCHERS.fullmatch(rule.command):
            yield "mcp_servers", f"{rule.command} starts whatever its arguments say: name the server, too"
        ruled = [server for server in servers if rule_for(server, (rule,))]
        if not ruled:
            yield "mcp_servers", f"no server in hermes.mcp_servers of the profile is {said}, so none is offered for it"
        elif not any(server.enabled for server in ruled):
            yield "mcp_servers", f"{said} is not enabled in hermes.mcp_servers of the profile"


def _commands(policy: GuardrailPolicy) -> Iterator[tuple[str, str]]:
    for pattern in policy.deny_commands:
        if _EXPRESSION.search(pattern):
            yield (
                "deny_commands",
                f"{pattern!r} looks like a regular expression: Hermes reads globs, for the whole command",
            )
        elif not _GLOB.search(pattern):
            why = f"{pattern!r} denies this exact command only, not with another argument: write {pattern + '*'!r}"
            yield "deny_commands", why


def contradictions_of(profile: EffectiveProfile) -> Iterator[str]:
    """The settings (`hermes.approvals.mode`, `env.HERMES_YOLO_MODE`) that a profile sets to something else than its policy."""
    policy = profile.policy
    if policy is None:
        return
    hermes = profile.hermes
    yield from _different(hermes, policy_settings(policy, hermes), "hermes")
    for name, value in policy_env(policy).items():
        if profile.env.get(name, value) != value:
            yield f"env.{name}"
    yield from _undoing(policy, hermes)
    if policy.models is not None:
        if profile.model not in policy.models:
            yield "model"
        if set(profile.fallback_models) - set(policy.models):
            yield "fallback_models"
    if policy.providers is not None and profile.provider not in policy.providers:
        yield "provider"


def _undoing(policy: GuardrailPolicy, hermes: Mapping[str, Any]) -> Iterator[str]:
    """Settings of other names that undo a rule, and servers that no rule allows."""
    if policy.approvals:
        if str(_get(hermes, "approvals", "cron_mode")).strip().lower() in CRON_APPROVES:
            yield "hermes.approvals.cron_mode"
        if is_true(_get(hermes, "delegation", "subagent_auto_approve")):
            yield "hermes.delegation.subagent_auto_approve"
        if hermes.get("command_allowlist"):
            yield "hermes.command_allowlist"
    disabled = _get(hermes, "plugins", "disabled")
    if policy.plugins and isinstance(disabled, list | tuple) and set(policy.plugins) & {str(n) for n in disabled}:
        yield "hermes.plugins.disabled"
    if policy.mcp_servers is not None:
        for server in servers_of(hermes):
            if server.enabled and rule_for(server, policy.mcp_servers) is None:
                yield f"hermes.mcp_servers.{server.name}"


def _get(settings: Mapping[str, Any], section: str, key: str) -> Any:
    found: Any = settings.get(section)
    return found.get(key) if hasattr(found, "get") else None


def _different(have: Mapping[str, Any], want: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in want.items():
        own = have.get(key)
        if isinstance(value, dict) and hasattr(own, "items") and own:
            yield from _different(own, value, f"{path}.{key}")
        elif own is not None and (list(own) if isinstance(own, tuple | list) else own) != value:
            yield f"{path}.{key}"


def _reads(release: ReadSettings, path: str) -> bool:
    node: Any = release.tree
    for key in path.split("."):
        if key not in node:
            return False
        node = node[key]
    return True
