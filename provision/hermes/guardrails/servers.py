"""MCP servers of a home: what they are, without a secret, and which rule of a policy allows them.

A server's name is what a file calls it: a rule with a host or command also holds for a server whose name a user chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from provision.detect.shapes import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.fleet.desired import McpRule

NO_MCP: Final = "no_mcp"


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server of a home: its host, or the name of the program that is started. No argument, which may hold a secret."""

    name: str
    target: str
    enabled: bool
    offered: bool
    """Whether a chat in the terminal gets its tools."""
    host: str = ""
    """The host with its port, if the URL has one."""
    command: str = ""
    tools: tuple[str, ...] | None = None
    """The only tools that are offered; None: all."""


def servers_of(config: Mapping[str, Any]) -> Iterator[McpServer]:
    """The servers, and whether `_get_platform_tools` offers them to a chat in the terminal."""
    chosen = _mapping(config.get("platform_toolsets")).get("cli")
    listed = [str(name) for name in chosen] if isinstance(chosen, list) else []
    servers = {str(name): s for name, s in _mapping(config.get("mcp_servers")).items() if isinstance(s, Mapping)}
    enabled = {name for name, s in servers.items() if _is_enabled(s.get("enabled", True))}
    offered = set() if NO_MCP in listed else (set(listed) & enabled or enabled)
    disabled = _mapping(config.get("agent")).get("disabled_toolsets")
    offered -= {str(name) for name in disabled} if isinstance(disabled, list | tuple) else set()
    for name, server in servers.items():
        host, command = _host(server), _command(server)
        target = mask_secrets(host.partition(":")[0] or command or "nothing")
        yield McpServer(name, target, name in enabled, name in offered, host, command, _tools(server))


def rule_for(server: McpServer, rules: Iterable[McpRule]) -> McpRule | None:
    """The first rule that allows a server."""
    return next((rule for rule in rules if _fits(server, rule)), None)


def _fits(server: McpServer, rule: McpRule) -> bool:
    if rule.name is not None and rule.name != server.name:
        return False
    if rule.host is not None and rule.host.lower() not in {server.host, server.host.partition(":")[0]}:
        return False
    return rule.command is None or (not server.host and rule.command == server.command)


def _host(server: Mapping[str, Any]) -> str:
    """A server with a URL is reached there, whatever its `command` says (`MCPServerTask._is_http`)."""
    if "url" not in server:
        return ""
    try:
        parts = urlsplit(str(server["url"]))
        host, port = (parts.hostname or "unknown host").lower(), parts.port
    except ValueError:
        return "unknown host"
    return f"{host}:{port}" if port else host


def _command(server: Mapping[str, Any]) -> str:
    command = server.get("command")
    if not isinstance(command, str) or not command.strip():
        return ""
    program = command.strip().split()[0]
    return PureWindowsPath(program).name if "\\" in program else PurePosixPath(program).name


def _tools(server: Mapping[str, Any]) -> tuple[str, ...] | None:
    """`_register_server_tools`: an empty `include` limits nothing, and `exclude` leaves what it does not name."""
    include = _mapping(server.get("tools")).get("include")
    names = [include] if isinstance(include, str) else include if isinstance(include, list | tuple) else []
    return tuple(str(name) for name in names) or None


def _is_enabled(value: object) -> bool:
    """`_parse_enabled_flag`: an unknown value is enabled."""
    if isinstance(value, bool | int | float):
        return bool(value)
    return not (isinstance(value, str) and value.strip().lower() in {"false", "0", "no", "off"})


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
