"""Render a policy into settings and variables of Hermes, and say per rule what enforces it and how a user gets around it.

Read in the code of Hermes and seen in runs (`tests/acceptance/test_acceptance_policy.py`). A strong default, not a jail: a user
who can edit the home's files can undo every rule, and `status` then says so.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from provision.hermes.facts import names as facts
from provision.hermes.guardrails.servers import NO_MCP, rule_for, servers_of
from provision.hermes.guardrails.tool_rules import allowed_names, denied_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.fleet.desired import GuardrailPolicy

_NOTHING: Final = MappingProxyType[str, Any]({})
DEFAULT_TOOLSETS: Final = {"cli": "hermes-cli", "cron": "hermes-cron"}
"""The platforms whose toolsets a policy sets: chats in the terminal and scheduled jobs."""
CRON_APPROVES: Final = frozenset({"approve", "off", "allow", "yes"})
"""Values of `approvals.cron_mode` with which scheduled jobs run dangerous commands (`approval._get_cron_approval_mode`)."""
TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on"})
"""`utils.TRUTHY_STRINGS`."""
SWITCH_WORDS: Final = TRUE_WORDS | {"0", "false", "no", "off"}
SANDBOXES: Final = frozenset({"docker", "singularity", "modal", "daytona"})
"""Values of `terminal.backend` with which Hermes neither asks nor denies (`approval._should_skip_container_guards`)."""


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
        "allowed_toolsets": GuardrailRule(
            ("platform_toolsets", "agent.disabled_toolsets"),
            "platform_toolsets.cli and .cron; agent.disabled_toolsets with all others. Toolsets of plug-ins stay",
            "`hermes -t TOOLSET`, or an edit of config.yaml",
        ),
        "denied_toolsets": GuardrailRule(
            ("agent.disabled_toolsets",), "agent.disabled_toolsets", "`hermes -t TOOLSET`, or an edit of config.yaml"
        ),
        "allowed_tools": GuardrailRule(
            ("platform_toolsets", "agent.disabled_toolsets"),
            "platform_toolsets.cli and .cron, by the toolset that has this tool only",
            "`hermes -t TOOLSET`, or an edit of config.yaml",
        ),
        "denied_tools": GuardrailRule(
            ("agent.disabled_toolsets",),
            "agent.disabled_toolsets, by the toolset that has this tool only",
            "`hermes -z` if another toolset has the tool, too; `hermes -t TOOLSET`; an edit of config.yaml",
        ),
        "mcp_servers": GuardrailRule(
            ("platform_toolsets", "mcp_servers.*.tools.include"),
            "platform_toolsets.cli and .cron, mcp_servers.NAME.tools; messaging platforms are only reported",
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
        "providers": GuardrailRule(
            (), "nothing in Hermes; status reports another provider", "`hermes --provider NAME`, /model in a chat"
        ),
        "update_channel": GuardrailRule(
            (), "nothing in Hermes; status reports another branch", "`hermes update --branch NAME`, pip"
        ),
        "redact": GuardrailRule(
            ("security.redact_secrets",),
            "security.redact_secrets, and HERMES_REDACT_SECRETS=true in .env",
            "an edit of config.yaml or .env",
        ),
    }
)
"""By the name of the rule in `policy:`."""


def is_true(value: object) -> bool:
    """`utils.is_truthy_value`."""
    return value.strip().lower() in TRUE_WORDS if isinstance(value, str) else bool(value)


def policy_settings(policy: GuardrailPolicy, settings: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    """The settings of `config.yaml` that enforce a policy. `settings`: those of the profile, with its MCP servers."""
    found: dict[str, Any] = {}
    approvals: dict[str, Any] = {}
    if policy.approvals:
        approvals["mode"] = policy.approvals
    if policy.deny_commands:
        approvals["deny"] = list(policy.deny_commands)
    if approvals:
        found["approvals"] = approvals
    if denied := denied_names(policy):
        found["agent"] = {"disabled_toolsets": list(denied)}
    offered, limits = _server_settings(policy, settings)
    if limits:
        found["mcp_servers"] = limits
    toolsets = allowed_names(policy)
    if toolsets is not None or offered is not None:
        found["platform_toolsets"] = {
            platform: [*((default,) if toolsets is None else toolsets), *(offered or ())]
            for platform, default in DEFAULT_TOOLSETS.items()
        }
    if policy.plugins is not None:
        found["plugins"] = {"enabled": list(policy.plugins)}
    if policy.redact:
        found["security"] = {"redact_secrets": True}
    return found


def _server_settings(
    policy: GuardrailPolicy, settings: Mapping[str, Any]
) -> tuple[tuple[str, ...] | None, dict[str, Any]]:
    """The names for `platform_toolsets`, None without a rule; and the tools of the servers that the policy limits."""
    if policy.mcp_servers is None:
        return None, {}
    ruled = [(s, rule) for s in servers_of(settings) if s.enabled and (rule := rule_for(s, policy.mcp_servers))]
    limits = {
        server.name: {"tools": {"include": list(rule.tools), "resources": False, "prompts": False}}
        for server, rule in ruled
        if rule.tools is not None
    }
    return tuple(server.name for server, _ in ruled) or (NO_MCP,), limits


def policy_env(policy: GuardrailPolicy | None) -> dict[str, str]:
    """The lines of `.env` that keep a variable of the shell from undoing a policy: `.env` wins over the shell."""
    lines = {}
    if policy and policy.approvals:
        lines[facts.YOLO_ENV] = "0"
    if policy and policy.redact:
        lines[facts.REDACT_SECRETS_ENV] = "true"
    return lines


def with_policy(settings: Mapping[str, Any], policy: GuardrailPolicy | None) -> dict[str, Any]:
    """The settings of a profile with those of its policy over them."""
    return _over(dict(settings), policy_settings(policy, settings)) if policy else dict(settings)


def _over(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        have = base.get(key)
        base[key] = _over(dict(have), value) if isinstance(value, dict) and hasattr(have, "items") and have else value
    return base
