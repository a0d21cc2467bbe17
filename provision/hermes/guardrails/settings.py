"""Render a policy into settings and variables of Hermes, and say per rule what enforces it and how a user gets around it.

Read in the code of Hermes and seen in runs (`tests/acceptance/test_acceptance_policy.py`). A strong default, not a jail: a user
who can edit the home's files can undo every rule, and `status` then says so.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from provision.hermes.facts import names as facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.fleet.desired import EffectiveProfile, GuardrailPolicy
    from provision.hermes.facts.read_settings import ReadSettings

YOLO_ENV: Final = "HERMES_YOLO_MODE"
NO_MCP: Final = "no_mcp"
DEFAULT_TOOLSET: Final = "hermes-cli"


class GuardrailRule(NamedTuple):
    """One rule of a policy: the settings that enforce it (none: nothing does), by what, and the way around it."""

    settings: tuple[str, ...]
    enforced_by: str
    way_around: str


RULES: Final = MappingProxyType(
    {
        "approvals": GuardrailRule(
            ("approvals.mode",),
            "approvals.mode, and HERMES_YOLO_MODE=0 in .env",
            "`hermes --yolo`, `hermes -z`, /yolo in a chat, or another approvals.mode in config.yaml",
        ),
        "deny_commands": GuardrailRule(
            ("approvals.deny",),
            "approvals.deny, also under --yolo",
            "the same act by another command, or in a script; an edit of config.yaml",
        ),
        "denied_toolsets": GuardrailRule(
            ("agent.disabled_toolsets",), "agent.disabled_toolsets", "`hermes -t TOOLSET`, or an edit of config.yaml"
        ),
        "mcp_servers": GuardrailRule(
            ("platform_toolsets",),
            "platform_toolsets.cli, for chats in the terminal; messaging platforms are only reported",
            "`hermes -t SERVER`, or an edit of config.yaml",
        ),
        "plugins": GuardrailRule(
            ("plugins.enabled",),
            "plugins.enabled; bundled providers load anyway",
            "`hermes plugins enable`, or an edit of config.yaml",
        ),
        "models": GuardrailRule(
            (),
            "nothing in Hermes; the list of models of the key in AIsa's console",
            "`hermes -m MODEL`, /model in a chat",
        ),
        "redact": GuardrailRule(
            ("security.redact_secrets",),
            "security.redact_secrets, and HERMES_REDACT_SECRETS=true in .env",
            "an edit of config.yaml or .env",
        ),
    }
)
"""By the name of the rule in `policy:`."""


def policy_settings(policy: GuardrailPolicy) -> dict[str, Any]:
    """The settings of `config.yaml` that enforce a policy."""
    found: dict[str, Any] = {}
    approvals: dict[str, Any] = {}
    if policy.approvals:
        approvals["mode"] = policy.approvals
    if policy.deny_commands:
        approvals["deny"] = list(policy.deny_commands)
    if approvals:
        found["approvals"] = approvals
    if policy.denied_toolsets:
        found["agent"] = {"disabled_toolsets": list(policy.denied_toolsets)}
    if policy.mcp_servers is not None:
        found["platform_toolsets"] = {"cli": [DEFAULT_TOOLSET, *(policy.mcp_servers or (NO_MCP,))]}
    if policy.plugins is not None:
        found["plugins"] = {"enabled": list(policy.plugins)}
    if policy.redact:
        found["security"] = {"redact_secrets": True}
    return found


def policy_env(policy: GuardrailPolicy | None) -> dict[str, str]:
    """The lines of `.env` that keep a variable of the shell from undoing a policy: `.env` wins over the shell."""
    lines = {}
    if policy and policy.approvals:
        lines[YOLO_ENV] = "0"
    if policy and policy.redact:
        lines[facts.REDACT_SECRETS_ENV] = "true"
    return lines


def with_policy(settings: Mapping[str, Any], policy: GuardrailPolicy | None) -> dict[str, Any]:
    """The settings of a profile with those of its policy over them."""
    return _over(dict(settings), policy_settings(policy)) if policy else dict(settings)


def _over(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        have = base.get(key)
        base[key] = _over(dict(have), value) if isinstance(value, dict) and hasattr(have, "items") and have else value
    return base


def contradictions_of(profile: EffectiveProfile) -> Iterator[str]:
    """The settings (`hermes.approvals.mode`, `env.HERMES_YOLO_MODE`) that a profile sets to another value than its policy."""
    if profile.policy is None:
        return
    yield from _different(profile.hermes, policy_settings(profile.policy), "hermes")
    for name, value in policy_env(profile.policy).items():
        if profile.env.get(name, value) != value:
            yield f"env.{name}"


def _different(have: Mapping[str, Any], want: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in want.items():
        own = have.get(key)
        if isinstance(value, dict) and hasattr(own, "items") and own:
            yield from _different(own, value, f"{path}.{key}")
        elif own is not None and (list(own) if isinstance(own, tuple | list) else own) != value:
            yield f"{path}.{key}"


def unenforced(profile: EffectiveProfile, releases: list[ReadSettings]) -> Iterator[tuple[str, str]]:
    """The rules of a policy that a Hermes which the profile allows does not enforce, and why."""
    policy = profile.policy
    if policy is None:
        return
    for name, rule in RULES.items():
        if getattr(policy, name) in (None, (), False):
            continue
        if not rule.settings:
            yield name, f"Hermes has no setting for it: {rule.enforced_by} can do it"
        for release in releases:
            if any(not _reads(release, setting) for setting in rule.settings):
                yield (
                    name,
                    f"Hermes {release.version}, which hermes_version allows, does not read {', '.join(rule.settings)}",
                )
    servers: Any = profile.hermes.get("mcp_servers")
    known = set(servers) if hasattr(servers, "items") else set()
    unknown = [name for name in policy.mcp_servers or () if name not in known]
    if unknown:
        yield (
            "mcp_servers",
            f"{unknown[0]} is not in hermes.mcp_servers of the profile: without it Hermes offers all servers",
        )


def _reads(release: ReadSettings, path: str) -> bool:
    node: Any = release.tree
    for key in path.split("."):
        if key not in node:
            return False
        node = node[key]
    return True
