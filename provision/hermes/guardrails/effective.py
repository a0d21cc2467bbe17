"""The guardrails in force in a home: over config.yaml, .env, the environment and the managed scope, as Hermes reads them. Pure.

`tests/acceptance/test_acceptance_policy.py` compares them with what the real Hermes says of the same home.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from provision.detect.shapes import mask_secrets
from provision.hermes.facts import names as facts
from provision.hermes.guardrails.settings import NO_MCP, YOLO_ENV
from provision.hermes.routing.hazards import Hazard, error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.fleet.desired import GuardrailPolicy
    from provision.hermes.routing.environment import Environment
    from provision.hermes.routing.layers import Layers

_TRUE = frozenset({"1", "true", "yes", "on"})
_MODES = ("manual", "smart", "off")
_DEFAULT_MODE = "smart"
"""`DEFAULT_CONFIG["approvals"]["mode"]` of the newest verified release."""


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server of a home: its host, or the name of the program that is started. No argument, which may hold a secret."""

    name: str
    target: str
    enabled: bool
    offered: bool
    """Whether a chat in the terminal gets its tools."""


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
            f"plug-ins: {', '.join(self.plugins) or 'none'}",
            f"MCP servers: {', '.join(servers) or 'none'}",
        ]
        return mask_secrets("; ".join(parts))

    def fields(self) -> dict[str, Any]:
        """The guardrails as JSON fields."""
        return {
            "approvals": self.approvals,
            "yolo": self.yolo,
            "deny_commands": [mask_secrets(rule) for rule in self.deny_commands],
            "denied_toolsets": list(self.denied_toolsets),
            "redact": self.redact,
            "plugins": [mask_secrets(name) for name in self.plugins],
            "mcp_servers": [
                {"name": mask_secrets(s.name), "target": s.target, "enabled": s.enabled, "offered": s.offered}
                for s in self.mcp_servers
            ],
        }


def effective_guardrails(layers: Layers, environment: Environment) -> Guardrails:
    """What Hermes honours, from the merged configuration and the environment that it ends up with."""
    config = layers.config
    approvals = _mapping(config.get("approvals"))
    security = _mapping(config.get("security"))
    plugins = _mapping(config.get("plugins"))
    redact_env = environment.values.get(facts.REDACT_SECRETS_ENV)
    configured = security.get("redact_secrets")
    said = redact_env if redact_env is not None else "true" if configured is None else str(configured)
    disabled = set(_names(plugins.get("disabled")))
    return Guardrails(
        approvals=_mode(approvals),
        yolo=environment.get(YOLO_ENV).lower() in _TRUE,
        deny_commands=tuple(p.strip() for p in _list(approvals.get("deny")) if isinstance(p, str) and p.strip()),
        denied_toolsets=_names(_mapping(config.get("agent")).get("disabled_toolsets")),
        redact=said.lower() in _TRUE,
        plugins=tuple(name for name in _names(plugins.get("enabled")) if name not in disabled),
        mcp_servers=tuple(_servers(config)),
        yolo_place=environment.place(YOLO_ENV),
        redact_place=(
            environment.place(facts.REDACT_SECRETS_ENV)
            if redact_env is not None
            else layers.where("security", "redact_secrets")
        ),
    )


def _mode(approvals: Mapping[str, Any]) -> str:
    """`_normalize_approval_mode`: what YAML reads from a bare `off` is off, an unknown word is manual."""
    mode = approvals.get("mode", _DEFAULT_MODE)
    if isinstance(mode, bool):
        return "manual" if mode else "off"
    word = mode.strip().lower() if isinstance(mode, str) else ""
    return word if word in _MODES else "manual"


def _servers(config: Mapping[str, Any]) -> Iterator[McpServer]:
    """The servers, and whether `_get_platform_tools` offers them to a chat in the terminal."""
    chosen = _mapping(config.get("platform_toolsets")).get("cli")
    listed = [str(name) for name in chosen] if isinstance(chosen, list) else []
    servers = {str(name): s for name, s in _mapping(config.get("mcp_servers")).items() if isinstance(s, dict)}
    enabled = {name for name, s in servers.items() if _is_enabled(s.get("enabled", True))}
    offered = set() if NO_MCP in listed else (set(listed) & enabled or enabled)
    offered -= set(_names(_mapping(config.get("agent")).get("disabled_toolsets")))
    for name, server in servers.items():
        yield McpServer(name, mcp_target(server), name in enabled, name in offered)


def _is_enabled(value: object) -> bool:
    """`_parse_enabled_flag`: an unknown value is enabled."""
    if isinstance(value, bool | int | float):
        return bool(value)
    return not (isinstance(value, str) and value.strip().lower() in {"false", "0", "no", "off"})


def mcp_target(server: Mapping[str, Any]) -> str:
    """The host of a server, or the name of its program; never a path, an argument or a part of a URL that may hold a secret."""
    url, command = server.get("url"), server.get("command")
    if isinstance(url, str) and url:
        try:
            return mask_secrets(urlsplit(url).hostname or "unknown host")
        except ValueError:
            return "unknown host"
    if isinstance(command, str) and command.strip():
        program = command.strip().split()[0]
        name = PureWindowsPath(program).name if "\\" in program else PurePosixPath(program).name
        return mask_secrets(name)
    return "nothing"


def policy_hazards(policy: GuardrailPolicy, found: Guardrails, where: str, model: str | None) -> Iterator[Hazard]:
    """Yield a hazard for each rule of the installed policy that is not in force. `where` names the configuration file."""
    again = "provision install the bundle again, or ask who changed it"
    if policy.approvals and (found.yolo or _weaker(found.approvals, policy.approvals)):
        why = f"the policy asks for approvals: {policy.approvals}, but commands run without asking"
        if found.yolo:
            yield error("policy-approvals", found.yolo_place, f"{why} (HERMES_YOLO_MODE)", f"remove {YOLO_ENV}")
        else:
            why = (
                why
                if found.approvals == "off"
                else f"approvals are {found.approvals}, the policy asks for {policy.approvals}"
            )
            yield error("policy-approvals", f"{where} approvals.mode", why, again)
    if missing := [rule for rule in policy.deny_commands if rule not in found.deny_commands]:
        why = f"{len(missing)} of {len(policy.deny_commands)} denied commands are not denied"
        yield error("policy-commands", f"{where} approvals.deny", why, again)
    if lacking := [name for name in policy.denied_toolsets if name not in found.denied_toolsets]:
        yield error("policy-toolsets", f"{where} agent.disabled_toolsets", f"not denied: {', '.join(lacking)}", again)
    if policy.redact and not found.redact:
        yield error(
            "policy-redaction", found.redact_place, "the policy asks for redaction, but secrets are shown", again
        )
    if policy.plugins is not None and (others := sorted(set(found.plugins) - set(policy.plugins))):
        why = f"plug-ins unknown to IT: {mask_secrets(', '.join(others))}"
        yield error("policy-plugins", f"{where} plugins.enabled", why, "provision install the bundle again")
    if policy.mcp_servers is not None:
        for server in found.mcp_servers:
            if server.enabled and server.name not in policy.mcp_servers:
                make = error if server.offered else warning
                why = f"MCP server unknown to IT: {mask_secrets(server.name)} ({server.target})"
                yield make(
                    "policy-mcp", f"{where} mcp_servers", why, "remove it, or add it to mcp_servers of the policy"
                )
    if policy.models is not None and model is not None and model not in policy.models:
        why = f"the model {mask_secrets(model)} is not one of the policy's"
        yield error("policy-models", f"{where} model.default", why, again)


def _weaker(have: str, want: str) -> bool:
    return _MODES.index(have) > _MODES.index(want)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name) for name in _list(value))
