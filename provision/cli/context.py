"""What every command gets from the options before its name, and how it prints."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.report.terminal import printable

if TYPE_CHECKING:
    from provision.errors import Problem
    from provision.fleet.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation: `ctx.obj` of every command. Results go to stdout through `result`, all else to stderr."""

    workspace: Path | None = None
    quiet: bool = False
    verbose: bool = False

    def open_workspace(self) -> Workspace:
        """The workspace named by --workspace, or found from the current folder upwards."""
        from provision.fleet.workspace import find_workspace, load_workspace

        return load_workspace(self.workspace or find_workspace(Path.cwd()))

    def look_at_workspace(self) -> tuple[Workspace, tuple[Problem, ...]]:
        """Like `open_workspace`, but what is wrong with provision.toml comes back as problems."""
        from provision.fleet.workspace import find_workspace, read_workspace

        return read_workspace(self.workspace or find_workspace(Path.cwd()))

    def seen_from_here(self, folder: Path) -> str:
        """What to put before a file's name inside `folder` so that it can be opened from the current folder."""
        here = Path.cwd()
        if folder == here:
            return ""
        return f"{folder.relative_to(here)}/" if folder.is_relative_to(here) else f"{folder}/"

    def result(self, text: str, output: Path | None = None) -> None:
        """Print a finished result, or write it to a file in one step."""
        from provision.report.output import write_output

        write_output((text,), output)
        if output is not None:
            self.say(f"wrote {output}")

    def say(self, line: str) -> None:
        """A remark for people, on stderr; silent with --quiet."""
        if not self.quiet:
            print(printable(line), file=sys.stderr)

    def detail(self, line: str) -> None:
        """A remark that only --verbose shows."""
        if self.verbose and not self.quiet:
            print(printable(line), file=sys.stderr)
