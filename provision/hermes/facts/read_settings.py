"""Which settings and variables each release of Hermes reads, from `read_settings.json`.

The table is made from the installed packages by `tests/craft/hermes_settings.py`, and an acceptance test compares it with them.
A *path* (`agent.max_turns`, `mcp_servers.*.url`) is in the release's default configuration, or its code looks it up. A *name* is
any text of the code that could be a key: a setting whose name is not among them is read nowhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

CLOSED: Final = ("mcp_servers.*", "mcp_servers.*.tools", "approvals", "security", "security.website_blocklist")
"""Sections in which Hermes reads the known keys only: any other key there has no effect, whatever it is called.

Sources: `tools/mcp_tool.py` (`_register_server_tools`, `MCPServerTask`), `hermes_cli/mcp_config.py`, `tools/approval.py`
(`_get_approval_config`), and the readers of `security` in `agent/redact.py`, `tools/` and `hermes_cli/`.
"""
OTHER_NAMES: Final = {
    ("mcp_servers.*", "allowed_tools"): "tools: {include: […]}",
    ("mcp_servers.*", "allowedTools"): "tools: {include: […]}",
    ("mcp_servers.*", "include_tools"): "tools: {include: […]}",
    ("mcp_servers.*", "includeTools"): "tools: {include: […]}",
    ("mcp_servers.*", "tool_filter"): "tools: {include: […]}",
    ("mcp_servers.*", "autoApprove"): "approvals: {mode: manual}",
    ("mcp_servers.*", "disabled_tools"): "tools: {exclude: […]}",
    ("mcp_servers.*", "disabledTools"): "tools: {exclude: […]}",
    ("mcp_servers.*", "exclude_tools"): "tools: {exclude: […]}",
    ("mcp_servers.*", "disabled"): "enabled: false",
    ("mcp_servers.*.tools", "allow"): "include",
    ("mcp_servers.*.tools", "allowed"): "include",
    ("mcp_servers.*.tools", "whitelist"): "include",
    ("mcp_servers.*.tools", "deny"): "exclude",
    ("mcp_servers.*.tools", "denied"): "exclude",
    ("mcp_servers.*.tools", "blacklist"): "exclude",
}
"""Settings of other agents, and what Hermes reads instead."""
DEPRECATED: Final = {
    "max_turns": "agent.max_turns",
    "compression.summary_model": "auxiliary.compression.model",
    "compression.summary_provider": "auxiliary.compression.provider",
    "compression.summary_base_url": "auxiliary.compression.base_url",
    "stt.model": "stt.PROVIDER.model",
    "delegation.max_async_children": "delegation.max_concurrent_children",
}
"""Settings that Hermes 0.19 moves away when it migrates a file (`hermes_cli/config.py`, `migrate_config`), and to where."""
DEPRECATED_ENV: Final = {
    "TERMINAL_CWD": "terminal.cwd",
    "MESSAGING_CWD": "terminal.cwd",
    "HERMES_TOOL_PROGRESS": "display.tool_progress",
    "HERMES_TOOL_PROGRESS_MODE": "display.tool_progress",
    "LLM_MODEL": "the profile's model",
    "OPENAI_MODEL": "the profile's model",
}
"""Variables that a setting has replaced (`warn_deprecated_cwd_env_vars`, `OPTIONAL_ENV_VARS`, `migrate_config`)."""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What one release reads. `tree` has the paths as nested mappings; `*` stands for any key."""

    version: str
    tree: dict[str, Any]
    names: frozenset[str]
    env: frozenset[str]


@cache
def read_settings() -> tuple[ReadSettings, ...]:
    """The releases of the table, oldest first."""
    table = json.loads((resources.files("provision.hermes.facts") / "read_settings.json").read_text("utf-8"))

    def of(kind: str, version: str) -> frozenset[str]:
        return frozenset(w for group, words in table[kind].items() if version in group.split() for w in words.split())

    return tuple(ReadSettings(v, _tree(of("paths", v)), of("names", v), of("env", v)) for v in table["versions"])


def _tree(paths: frozenset[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for key in path.split("."):
            node = node.setdefault(key, {})
    return tree
