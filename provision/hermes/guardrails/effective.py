"""The guardrails in force in a home: over config.yaml, .env, the environment and the managed scope, as Hermes reads them. Pure.

`tests/acceptance/test_acceptance_policy.py` compares them with what the real Hermes says of the same home.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.detect.shapes import mask_secrets
from provision.hermes.config.naming import normalized_name
from provision.hermes.facts import names as facts
from provision.hermes.facts.toolsets import release_toolsets
from provision.hermes.guardrails.servers import NO_MCP, McpServer, rule_for, servers_of
from provision.hermes.guardrails.settings import (
    CRON_APPROVES,
    DEFAULT_TOOLSETS,
    SANDBOXES,
    TRUE_WORDS,
    is_true,
)
from provision.hermes.guardrails.tool_rules import allowed_names, denied_names
from provision.hermes.routing.hazards import Hazard, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.fleet.desired import GuardrailPolicy, McpRule
    from provision.hermes.home_extras import HomeExtras
    from provision.hermes.routing.environment import Environment
    from provision.hermes.routing.layers import Layers

_MODES = ("manual", "smart", "off")
_NAMED = 10
_AGAIN = "provision install the bundle again, or ask who changed it"


@dataclass(frozen=True, slots=True)
class Guardrails:
    """What is in force. `yolo`: commands are not asked about whatever the mode is."""

    approvals: str
    yolo: bool
    deny_commands: tuple[str, ...]
    denied_toolsets: tuple[str, ...]
    redact: bool
    plugins: tuple[str, ...]
    mcp_servers: tuple[McpServer, ...]
    toolsets: tuple[str, ...] | None = None
    """The toolsets that the file lists for a chat in the terminal, without MCP servers; None: it lists none."""
    always_allowed: tuple[str, ...] = ()
    """Commands that Hermes runs without asking, because its user once said `always`, or a file lists them."""
    cron_approves: bool = False
    """Scheduled jobs run dangerous commands without asking."""
    subagents_approve: bool = False
    """Subagents run dangerous commands without asking; else they do not run them."""
    sandbox: str = ""
    """The terminal's backend if Hermes does not ask in it."""
    providers: tuple[str, ...] = ()
    """The providers of the file, which a user may switch to beside the built-in ones."""
    extras: HomeExtras | None = None
    """Plug-ins and skills on disk; None if they were not looked at."""
    yolo_place: str = ""
    redact_place: str = ""

    @property
    def summary(self) -> str:
        """One line for receipts and reports."""
        servers = [f"{s.name} ({s.target})" for s in self.mcp_servers if s.offered]
        parts = [
            f"approvals {'off (YOLO)' if self.yolo else self.approvals}",
            f"redaction {'on' if self.redact else 'off'}",
            f"denied commands: {len(self.deny_commands)}",
            f"denied toolsets: {', '.join(self.denied_toolsets) or 'none'}",
            *([f"always allowed commands: {len(self.always_allowed)}"] if self.always_allowed else []),
            f"plug-ins: {', '.join(self.plugins) or 'none'}",
            f"MCP servers: {', '.join(servers) or 'none'}",
        ]
        if self.extras is not None:
            parts += [f"{what} on disk: {_listing(names)}" for what, names in self.extras.named]
        return mask_secrets("; ".join(parts))

    def fields(self) -> dict[str, Any]:
        """The guardrails as JSON fields."""
        return {
            "approvals": self.approvals,
            "yolo": self.yolo,
            "deny_commands": [mask_secrets(rule) for rule in self.deny_commands],
            "denied_toolsets": list(self.denied_toolsets),
            "toolsets": None if self.toolsets is None else list(self.toolsets),
            "always_allowed": [mask_secrets(rule) for rule in self.always_allowed],
            "cron_approves": self.cron_approves,
            "subagents_approve": self.subagents_approve,
            "sandbox": self.sandbox,
            "providers": [mask_secrets(name) for name in self.providers],
            "redact": self.redact,
            "plugins": [mask_secrets(name) for name in self.plugins],
            "on_disk": self.extras
            and {
                **{
                    what: None if names is None else [mask_secrets(n) for n in names]
                    for what, names in self.extras.named
                },
                "branch": self.extras.branch,
            },
            "mcp_servers": [
                {
                    "name": mask_secrets(s.name),
                    "target": s.target,
                    "enabled": s.enabled,
                    "offered": s.offered,
                    "tools": None if s.tools is None else [mask_secrets(tool) for tool in s.tools],
                }
                for s in self.mcp_servers
            ],
        }


def _listing(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "unknown"
    rest = len(names) - _NAMED
    return (", ".join(names[:_NAMED]) or "none") + (f" and {rest} more" if rest > 0 else "")


def effective_guardrails(layers: Layers, environment: Environment, extras: HomeExtras | None = None) -> Guardrails:
    """What Hermes honours, from the merged configuration and the environment that it ends up with."""
    config = layers.config
    approvals = _mapping(config.get("approvals"))
    security = _mapping(config.get("security"))
    plugins = _mapping(config.get("plugins"))
    redact_env = environment.values.get(facts.REDACT_SECRETS_ENV)
    configured = security.get("redact_secrets")
    said = redact_env if redact_env is not None else "true" if configured is None else str(configured)
    disabled = set(_names(plugins.get("disabled")))
    servers = tuple(servers_of(config))
    backend = environment.get("TERMINAL_ENV") or str(_mapping(config.get("terminal")).get("backend") or "")
    return Guardrails(
        approvals=_mode(approvals.get("mode", environment.hermes.approvals_default)),
        yolo=environment.get(facts.YOLO_ENV).lower() in TRUE_WORDS,
        deny_commands=tuple(_denied(approvals)) if environment.hermes.denies_commands else (),
        denied_toolsets=_names(_mapping(config.get("agent")).get("disabled_toolsets")),
        redact=said.lower() in TRUE_WORDS,
        plugins=tuple(name for name in _names(plugins.get("enabled")) if name not in disabled),
        mcp_servers=servers,
        toolsets=_listed(config, servers),
        always_allowed=_names(config.get("command_allowlist")),
        cron_approves=str(approvals.get("cron_mode")).strip().lower() in CRON_APPROVES,
        subagents_approve=is_true(_mapping(config.get("delegation")).get("subagent_auto_approve")),
        sandbox=backend if backend in SANDBOXES else "",
        providers=tuple(_providers(config)),
        extras=extras,
        yolo_place=environment.place(facts.YOLO_ENV),
        redact_place=(
            environment.place(facts.REDACT_SECRETS_ENV)
            if redact_env is not None
            else layers.where("security", "redact_secrets")
        ),
    )


def _denied(approvals: Mapping[str, Any]) -> Iterator[str]:
    yield from (rule.strip() for rule in _list(approvals.get("deny")) if isinstance(rule, str) and rule.strip())


def _mode(mode: object) -> str:
    """`_normalize_approval_mode`: what YAML reads from a bare `off` is off, an unknown word is manual."""
    if isinstance(mode, bool):
        return "manual" if mode else "off"
    word = mode.strip().lower() if isinstance(mode, str) else ""
    return word if word in _MODES else "manual"


def _listed(config: Mapping[str, Any], servers: tuple[McpServer, ...]) -> tuple[str, ...] | None:
    chosen = _mapping(config.get("platform_toolsets")).get("cli")
    if not isinstance(chosen, list):
        return None
    ours = {server.name for server in servers if server.enabled} | {NO_MCP, *DEFAULT_TOOLSETS.values()}
    return tuple(name for name in _names(chosen) if name not in ours) if DEFAULT_TOOLSETS["cli"] not in chosen else None


def _providers(config: Mapping[str, Any]) -> Iterator[str]:
    yield from map(str, _mapping(config.get(facts.PROVIDERS)))
    for entry in _list(config.get(facts.CUSTOM_PROVIDERS)):
        if isinstance(entry, Mapping) and entry.get("name"):
            yield str(entry["name"])


def policy_hazards(
    policy: GuardrailPolicy, found: Guardrails, where: str, model: str | None, provider: str | None = None
) -> Iterator[Hazard]:
    """Yield a hazard for each rule of the installed policy that is not in force. `where` names the configuration file."""
    yield from _approval_hazards(policy, found, where)
    if missing := [rule for rule in policy.deny_commands if rule not in found.deny_commands]:
        why = f"{len(missing)} of {len(policy.deny_commands)} denied commands are not denied"
        yield error("policy-commands", f"{where} approvals.deny", why, _AGAIN)
    if lacking := [name for name in denied_names(policy) if name not in found.denied_toolsets]:
        yield error("policy-toolsets", f"{where} agent.disabled_toolsets", f"not denied: {', '.join(lacking)}", _AGAIN)
    if (allowed := allowed_names(policy)) is not None and (others := _beside(found.toolsets, allowed)):
        why = f"offered, but not allowed: {', '.join(others)}"
        yield error("policy-toolsets", f"{where} platform_toolsets.cli", why, _AGAIN)
    if policy.redact and not found.redact:
        yield error(
            "policy-redaction", found.redact_place, "the policy asks for redaction, but secrets are shown", _AGAIN
        )
    if policy.plugins is not None and (unknown := sorted(set(found.plugins) - set(policy.plugins))):
        why = f"plug-ins unknown to IT: {mask_secrets(', '.join(unknown))}"
        yield error("policy-plugins", f"{where} plugins.enabled", why, "provision install the bundle again")
    if found.extras is not None:
        yield from _disk_hazards(policy, found.extras, found.plugins)
    if policy.mcp_servers is not None:
        yield from _server_hazards(policy.mcp_servers, found, where)
    if policy.models is not None and model is not None and model not in policy.models:
        why = f"the model {mask_secrets(model)} is not one of the policy's"
        yield error("policy-models", f"{where} model.default", why, _AGAIN)
    if policy.providers is not None:
        yield from _provider_hazards(policy.providers, found, where, provider)


def _disk_hazards(policy: GuardrailPolicy, extras: HomeExtras, enabled: tuple[str, ...]) -> Iterator[Hazard]:
    """Plug-ins that are there but not enabled are a warning; another branch of Hermes is an error."""
    known = {*(policy.plugins or ()), *enabled}
    waiting = [name for name in extras.plugins or () if not {name, name.rpartition("/")[2]} & known]
    if policy.plugins is not None and waiting:
        why = f"plug-ins on disk unknown to IT: {mask_secrets(', '.join(waiting))}"
        yield warning("policy-plugins", "plugins/", why, "remove them")
    if policy.update_channel is not None and extras.branch is not None and extras.branch != policy.update_channel:
        why = f"Hermes is on branch {mask_secrets(extras.branch)}, the policy says {policy.update_channel}"
        yield error(
            "policy-update-channel", "hermes-agent/.git/HEAD", why, f"hermes update --branch {policy.update_channel}"
        )


def _beside(listed: tuple[str, ...] | None, allowed: tuple[str, ...]) -> list[str]:
    """The toolsets of Hermes that a home lists beside the allowed ones. Other names are servers, plug-ins', or nothing."""
    if listed is None:
        return ["all toolsets"]
    newest = release_toolsets()[-1]
    return sorted({*listed} & {*newest.switches, *newest.singles, *newest.others} - {*allowed})


def _approval_hazards(policy: GuardrailPolicy, found: Guardrails, where: str) -> Iterator[Hazard]:
    if found.sandbox and (policy.approvals or policy.deny_commands):
        why = f"Hermes neither asks nor denies commands in {found.sandbox}"
        yield error("policy-approvals", f"{where} terminal.backend", why, "remove terminal.backend and TERMINAL_ENV")
    if not policy.approvals:
        return
    why = f"the policy asks for approvals: {policy.approvals}, but commands run without asking"
    if found.yolo:
        yield error("policy-approvals", found.yolo_place, f"{why} (HERMES_YOLO_MODE)", f"remove {facts.YOLO_ENV}")
    elif _weaker(found.approvals, policy.approvals):
        why = (
            why
            if found.approvals == "off"
            else f"approvals are {found.approvals}, the policy asks for {policy.approvals}"
        )
        yield error("policy-approvals", f"{where} approvals.mode", why, _AGAIN)
    if found.cron_approves:
        why = "scheduled jobs run dangerous commands without asking"
        yield error("policy-approvals", f"{where} approvals.cron_mode", why, "set it to deny")
    if found.subagents_approve:
        why = "subagents run dangerous commands without asking"
        yield error("policy-approvals", f"{where} delegation.subagent_auto_approve", why, "set it to false")
    if found.always_allowed:
        count = len(found.always_allowed)
        why = f"{count} {'kind' if count == 1 else 'kinds'} of commands always run without asking"
        yield warning("policy-allowlist", f"{where} command_allowlist", why, "remove what IT does not want")


def _server_hazards(rules: tuple[McpRule, ...], found: Guardrails, where: str) -> Iterator[Hazard]:
    for server in found.mcp_servers:
        if not server.enabled:
            continue
        make, rule = error if server.offered else warning, rule_for(server, rules)
        named = f"{mask_secrets(server.name)} ({server.target})"
        if rule is None:
            cure = "remove it, or add it to mcp_servers of the policy"
            yield make("policy-mcp", f"{where} mcp_servers", f"MCP server unknown to IT: {named}", cure)
        elif rule.tools is not None and (server.tools is None or set(server.tools) - set(rule.tools)):
            more = (
                "all" if server.tools is None else mask_secrets(", ".join(sorted(set(server.tools) - set(rule.tools))))
            )
            why = f"MCP server {named} offers tools that the policy does not allow: {more}"
            yield make("policy-mcp-tools", f"{where} mcp_servers.{mask_secrets(server.name)}.tools", why, _AGAIN)


def _provider_hazards(
    allowed: tuple[str, ...], found: Guardrails, where: str, provider: str | None
) -> Iterator[Hazard]:
    known = {normalized_name(name) for name in allowed}
    used = normalized_name((provider or "").removeprefix(facts.CUSTOM_PREFIX))
    if used and used not in known:
        why = f"the provider {mask_secrets(used)} is not one of the policy's"
        yield error("policy-providers", f"{where} model.provider", why, _AGAIN)
    if others := sorted(name for name in found.providers if normalized_name(name) not in known | {used}):
        why = f"a user can switch to {mask_secrets(', '.join(others))}"
        yield warning("policy-providers", f"{where} {facts.PROVIDERS}", why, "remove what IT does not want")


def _weaker(have: str, want: str) -> bool:
    return _MODES.index(have) > _MODES.index(want)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name) for name in _list(value))
