"""`audit --fix` and `audit --undo`: show, ask once, back up sealed, mend; and take it back. Not a command of its own."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from provision.audit.fix.apply import FOLDER, apply, last_record, undo
from provision.audit.fix.plan import plan
from provision.cli.endpoint.machine import endpoint_folder, own_identities
from provision.errors import Exit, ProvisionError, UsageError
from provision.fleet.settings import config_dir
from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from provision.audit.fix.apply import Done
    from provision.audit.fix.change import Plan
    from provision.audit.run import Seen
    from provision.cli.context import Run
    from provision.fleet.workspace import Workspace
    from provision.keys.age import Identity


class NobodyToSealToError(ProvisionError):
    """A fix keeps what it changes, sealed; here is nobody whom it could be sealed to."""


class RunningError(ProvisionError):
    """Hermes is running in a home that is to be mended."""


def fix_all(
    run: Run,
    workspace: Workspace | None,
    seen: Seen,
    environ_of: Callable[[Path, str | None], Mapping[str, str]],
    *,
    yes: bool,
) -> bool:
    """Show what would be done, ask once, do it. Returns whether something was changed."""
    planned = plan(seen, environ_of)
    clean = seen.judging.clean
    sys.stdout.write(fix_plan_text(planned, clean))
    sys.stdout.flush()
    if not planned.changes:
        run.say("nothing can be mended here")
        return False
    _require_quiet(seen)
    recipients, whose = _recipients(workspace, seen)
    run.say(f"what these files hold now is kept, sealed to {whose}; `provision audit --undo` puts it back")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"--fix would change {len(planned.changes)} files", hint="add --yes to agree")
        typer.confirm("Do this?", abort=True, err=True)
    done = apply(
        planned.changes, seen.detector, config_dir(os.environ) / FOLDER, recipients, datetime.now(UTC), clean=clean
    )
    _say_done(run, done, "mended")
    if done.backup:
        run.say(f"backup: {done.backup}")
    return True


def fix_plan_text(planned: Plan, clean: Callable[[str], str]) -> str:
    """Every change and everything that is left, as lines."""
    lines = []
    for change in planned.changes:
        lines.append(f"change  {clean(str(change.path))}")
        lines += [f"          {line}" for line in change.lines]
    lines += [f"leave   {clean(left.path)}\n          {left.why}" for left in planned.left]
    return "".join("\n".join(printable(part) for part in line.split("\n")) + "\n" for line in lines)


def _say_done(run: Run, done: Done, word: str) -> None:
    run.say(f"{len(done.changed)} {word}")
    for left in done.left:
        run.say(f"not {word}: {left.path}: {left.why}")


def _require_quiet(seen: Seen) -> None:
    """A program that holds the files open would write the old ones on. Raises RunningError."""
    from provision.endpoint.processes import running_hermes

    for home in seen.home.homes:
        running = [p for p in running_hermes(home.path) or () if p.same_home]
        if running:
            raise RunningError(
                f"{running[0].what} (pid {running[0].pid}) is running in {home.path}",
                hint="end it, then run this again",
            )


def _recipients(workspace: Workspace | None, seen: Seen) -> tuple[Sequence[str], str]:
    """The workspace's operators, else those the installed bundle was sealed to, else this machine's own identity."""
    from provision.keys.identities import load_identities
    from provision.keys.vault.file import read

    if workspace is not None:
        operators = workspace.settings.operators
        if not operators and workspace.vault.exists():
            operators = read(workspace.vault).operators
        if operators:
            return operators, "the operators"
    own = endpoint_folder().identity
    mine = [i.recipient for i in load_identities(own)] if own.exists() else []
    for home in seen.home.homes:
        others = [r for r in home.manifest.recipients if r not in mine] if home.manifest else []
        if others:
            return others, "IT, as your bundle is"
    if mine:
        return mine, "this machine's own identity"
    raise NobodyToSealToError(
        "there is nobody to seal the backup to",
        hint="run it in a workspace, or make an identity here with `provision enroll`",
    )


def undo_last(run: Run, workspace: Workspace | None, *, yes: bool) -> Exit:
    """Take the last fix back."""
    record = last_record(config_dir(os.environ) / FOLDER)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("--undo would put back what --fix took out, keys in clear too", hint="add --yes to agree")
        typer.confirm(f"Put back what the fix of {record.stem} changed, keys in clear too?", abort=True, err=True)

    def identities() -> Sequence[Identity]:
        return own_identities(workspace.identity if workspace else None)

    done = undo(record, identities)
    _say_done(run, done, "put back")
    return Exit.PARTIAL if done.left else Exit.OK
