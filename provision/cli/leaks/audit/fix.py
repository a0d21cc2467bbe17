"""`audit --fix` and `audit --undo`: show the changes, ask once, back up encrypted, apply; and undo the last fix."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from provision.audit.fix.apply import FIXES_FOLDER, apply_fix, last_record, undo_fix
from provision.audit.fix.plan import plan_fix
from provision.cli.endpoint.machine import endpoint_folder, own_identities
from provision.errors import Exit, ProvisionError, UsageError
from provision.fleet.config_folder import config_dir
from provision.report.terminal import plural, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from provision.audit.fix.apply import FixResult
    from provision.audit.fix.change import FixPlan
    from provision.audit.run import RawAudit
    from provision.cli.context import Run
    from provision.fleet.workspace import Workspace
    from provision.keys.age import Identity


class NoRecipientError(ProvisionError):
    """No age recipient to encrypt the backup of a fix to."""


class HermesRunningError(ProvisionError):
    """Hermes is running in a home that is to be fixed."""


def fix_all(
    run: Run,
    workspace: Workspace | None,
    raw: RawAudit,
    environ_of: Callable[[Path, str | None], Mapping[str, str]],
    *,
    yes: bool,
) -> bool:
    """Show the changes, ask once, apply them. Returns whether anything was changed."""
    planned = plan_fix(raw, environ_of)
    clean = raw.context.clean
    run.result(fix_plan_text(planned, clean))
    if not planned.changes:
        run.say("nothing can be fixed here")
        return False
    _require_not_running(raw)
    recipients, whose = _recipients(workspace, raw)
    run.say(f"a backup of these files will be encrypted to {whose}; `provision audit --undo` restores it")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"--fix would change {plural(len(planned.changes), 'file')}", hint="add --yes to confirm")
        typer.confirm("Apply these changes?", abort=True, err=True)
    folder = config_dir(os.environ) / FIXES_FOLDER
    done = apply_fix(planned.changes, raw.detector, folder, recipients, datetime.now(UTC), clean=clean)
    _report(run, done, "fixed")
    if done.backup:
        run.say(f"backup: {done.backup}")
    return True


def fix_plan_text(planned: FixPlan, clean: Callable[[str], str]) -> str:
    """Every change, and everything that is not changed and why, as lines."""
    lines = []
    for change in planned.changes:
        lines.append(f"change  {clean(str(change.path))}")
        lines += [f"          {line}" for line in change.lines]
    lines += [f"leave   {clean(left.path)}\n          {left.why}" for left in planned.left]
    return "".join("\n".join(printable(part) for part in line.split("\n")) + "\n" for line in lines)


def undo_last_fix(run: Run, workspace: Workspace | None, *, yes: bool) -> Exit:
    """Restore what the last fix changed."""
    record = last_record(config_dir(os.environ) / FIXES_FOLDER)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("--undo would restore what --fix removed, keys included", hint="add --yes to confirm")
        typer.confirm(f"Restore what the fix of {record.stem} changed, keys included?", abort=True, err=True)

    def identities() -> Sequence[Identity]:
        return own_identities(workspace.identity if workspace else None)

    done = undo_fix(record, identities)
    _report(run, done, "restored")
    return Exit.PARTIAL if done.left else Exit.OK


def _report(run: Run, done: FixResult, verb: str) -> None:
    run.say(f"{verb} {plural(len(done.changed), 'file')}")
    for left in done.left:
        run.say(f"not {verb}: {left.path}: {left.why}")


def _require_not_running(raw: RawAudit) -> None:
    """A program that holds the files open would write the old content back. Raises HermesRunningError."""
    from provision.endpoint.processes import running_hermes

    for home in raw.home.homes:
        running = [p for p in running_hermes(home.path) or () if p.same_home]
        if running:
            raise HermesRunningError(
                f"{running[0].what} (pid {running[0].pid}) is running in {home.path}",
                hint="end it, then run this again",
            )


def _recipients(workspace: Workspace | None, raw: RawAudit) -> tuple[Sequence[str], str]:
    """Recipients of the backup: the operators, else those of the installed bundle, else this machine's identity."""
    from provision.keys.identities import load_identities
    from provision.keys.vault.file import read_vault

    if workspace is not None:
        operators = read_vault(workspace.vault).operators if workspace.vault.exists() else ()
        if operators:
            return operators, "the operators"
    own = endpoint_folder().identity
    mine = [i.recipient for i in load_identities(own)] if own.exists() else []
    for home in raw.home.homes:
        others = [r for r in home.manifest.recipients if r not in mine] if home.manifest else []
        if others:
            return others, "IT, like your bundle"
    if mine:
        return mine, "this machine's own identity"
    raise NoRecipientError(
        "no age recipient to encrypt the backup to",
        hint="run it in a workspace, or create an identity with `provision enroll`",
    )
