"""The toolsets of each verified release and their tools, from `toolsets.json` (made by `tests/craft/hermes_toolsets.py`).

Hermes has no setting for a single tool. `agent.disabled_toolsets` takes names of toolsets: a chat then lacks all of their tools
(`model_tools._compute_tool_definitions`), a one-shot run (`hermes -z`) only the toolset of that name
(`tools_config._get_platform_tools`). Platform bundles (`hermes-cli`) and postures (`coding`) keep their core tools.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class ReleaseToolsets:
    """One release. `switches` can be denied as a whole, `singles` name the one tool that a chat lacks, `others` deny nothing."""

    version: str
    switches: Mapping[str, frozenset[str]]
    singles: Mapping[str, str]
    others: frozenset[str]

    @property
    def tools(self) -> frozenset[str]:
        """Every tool."""
        return frozenset().union(*self.switches.values())

    def name_for(self, tool: str) -> str | None:
        """The name in `agent.disabled_toolsets` that denies this tool and no other; None without one."""
        whole = [name for name, tools in self.switches.items() if tools == {tool}]
        return next(iter(whole or [name for name, only in self.singles.items() if only == tool]), None)

    def without(self, names: Iterable[str]) -> list[str]:
        """The toolsets that have no tool of these: denying another one takes tools from these, too."""
        kept = frozenset().union(*(self.switches.get(name) or {self.singles.get(name, "")} for name in names))
        return sorted(name for name, tools in self.switches.items() if not tools & kept)


@cache
def release_toolsets() -> tuple[ReleaseToolsets, ...]:
    """The releases of the table, oldest first."""
    table = json.loads((resources.files("provision.hermes.facts") / "toolsets.json").read_text("utf-8"))
    return tuple(
        ReleaseToolsets(
            each["version"],
            {name: frozenset(tools.split()) for name, tools in each["switches"].items()},
            each["singles"],
            frozenset(each["others"].split()),
        )
        for each in table
    )
