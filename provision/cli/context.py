"""The options before the command's name, and how commands print."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.report.terminal import printable, remark, results_are_data

if TYPE_CHECKING:
    from provision.bundle.unchanged import LastRender
    from provision.errors import Problem
    from provision.fleet.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation: `ctx.obj` of every command. Results go to stdout through `result`, everything else to stderr."""

    workspace: Path | None = None
    quiet: bool = False
    verbose: bool = False

    def open_workspace(self) -> Workspace:
        """The workspace of --workspace, or of the current folder or one above it, with settings that this operator approved.

        Raises InvalidFilesError and BadApprovalsError.
        """
        from provision.fleet.workspace import find_workspace, load_workspace

        workspace = load_workspace(self.workspace or find_workspace(Path.cwd()))
        if (workspace.root / ".provision" / "change.json").exists():
            from provision.keys.vault.together import finish_locked

            finish_locked(workspace.vault, workspace.root)
            self.say("finished an interrupted change of the workspace")
        from provision.cli.approvals import approved_workspace

        return approved_workspace(self.say, workspace)

    def last_render(self) -> LastRender | None:
        """What the last render of this workspace found; None without a workspace."""
        from provision.bundle.unchanged import LastRender

        root = self.workspace_root()
        return LastRender(root, os.environ) if root is not None else None

    def read_workspace(self) -> tuple[Workspace, tuple[Problem, ...]]:
        """Like `open_workspace`, but errors in provision.toml are returned as problems."""
        from provision.fleet.workspace import find_workspace, read_workspace

        return read_workspace(self.workspace or find_workspace(Path.cwd()))

    def may_have_workspace(self) -> bool:
        """Whether a workspace is named, or is here or above: without one, a command need not import what reads workspaces."""
        return self.workspace_root() is not None

    def workspace_root(self) -> Path | None:
        """The folder of the workspace, if there seems to be one; found without what reads workspaces."""
        here = Path.cwd()
        return self.workspace or next((e for e in (here, *here.parents) if (e / "provision.toml").exists()), None)

    def path_prefix(self, folder: Path) -> str:
        """The prefix that makes a file name inside `folder` valid from the current folder."""
        here = Path.cwd()
        if folder == here:
            return ""
        return f"{folder.relative_to(here)}/" if folder.is_relative_to(here) else f"{folder}/"

    def result(self, text: str, output: Path | None = None) -> None:
        """Print a finished result, or write it to a file atomically."""
        from provision.report.output import write_output

        write_output((text,), output)
        if output is not None:
            self.say(f"wrote {output}")

    def data(self, text: str, output: Path | None = None) -> None:
        """Like `result`, for what is pasted or read by a program: no line of it is changed for a terminal."""
        results_are_data()
        self.result(text, output)

    def say(self, line: str) -> None:
        """Print a remark on stderr, unless --quiet."""
        if not self.quiet:
            print(remark(printable(line), sys.stderr), file=sys.stderr)

    def detail(self, line: str) -> None:
        """Print a remark on stderr, only with --verbose."""
        if self.verbose and not self.quiet:
            print(remark(printable(line), sys.stderr), file=sys.stderr)
