"""`provision uninstall`: take out of this machine's Hermes what provision set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import HermesProfileOption, HomeOption, chosen_home, endpoint_folder
from provision.cli.options import DryRun, Output, TableOrJson
from provision.report.formats import Format

if TYPE_CHECKING:
    from provision.bundle.manifest import Manifest
    from provision.endpoint.leave.uninstall_plan import UninstallPlan


@app.command("uninstall")
def uninstall_command(
    ctx: typer.Context,
    home: HomeOption = None,
    hermes_profile: HermesProfileOption = None,
    keys: Annotated[bool, typer.Option("--keys", help="Also remove this machine's private keys and signers.")] = False,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Take out of this machine's Hermes what provision set.

    The user's own settings stay, and settings that were replaced come back, unless they were secret: those are listed. The
    key goes, and so does the timer of `pull`.
    """
    from provision.endpoint.apply import DiskWriter, DryRunWriter, HomeWriter
    from provision.endpoint.leave.leave_home import leave_home
    from provision.endpoint.leave.uninstall_plan import UninstallPlan

    run: Run = ctx.obj
    root, profile = chosen_home(home, hermes_profile)
    writer: HomeWriter = (DryRunWriter if dry_run else DiskWriter)(Path.home())
    left = leave_home(root, profile, writer, dry_run=dry_run)
    manifest, plan = left or (None, UninstallPlan((), (), (), ()))
    if dry_run:
        run.say("dry run: nothing was changed")
    else:
        remove_timer_quietly(run)
        forget(run, keys=keys)
    if manifest is not None and manifest.managed:
        run.say(
            "the managed scope of Hermes was not changed: its settings and those of others are in one file; edit it as root"
        )
    run.result(
        _as_json(manifest, plan) if format_ is Format.JSON else _as_text(manifest, plan, dry_run=dry_run), output
    )


def remove_timer_quietly(run: Run) -> None:
    """Remove the timer of `pull`, if there is one."""
    from provision.cli.endpoint.pull_timer import remove_timer
    from provision.errors import NothingMatchedError

    try:
        remove_timer(run)
    except NothingMatchedError as e:
        run.detail(e.message)


def forget(run: Run, *, keys: bool) -> None:
    """Remove the feed's address, which is secret, and with `keys` what `enroll` made."""
    folder = endpoint_folder()
    names = ["pull.json"]
    if keys:
        names += [
            folder.identity.name,
            folder.endpoint_key.name,
            folder.allowed_signers.name,
            folder.trust_list.name,
            "machine",
        ]
    for name in names:
        path = folder.root / name
        if path.exists():
            path.unlink()
            run.say(f"removed {path}")


def _as_json(manifest: Manifest | None, plan: UninstallPlan) -> str:
    from provision.report.document import document

    return document(
        "uninstall/v1",
        user=manifest.user if manifest else None,
        generation=manifest.generation if manifest else None,
        removed=list(plan.removed),
        restored=list(plan.restored),
        not_restored=[{"file": each.file, "where": each.where, "was": each.was} for each in plan.lost],
    )


def _as_text(manifest: Manifest | None, plan: UninstallPlan, *, dry_run: bool) -> str:
    from provision.report.terminal import printable

    lines = [f"- {each}" for each in plan.removed]
    lines += [f"+ {each} (as it was before)" for each in plan.restored]
    lines += [f"! {each.file}: {each.where} cannot be restored (was {each.was})" for each in plan.lost]
    verb = "would be taken out" if dry_run else "taken out"
    counts = f"{len(plan.removed)} removed, {len(plan.restored)} restored, {len(plan.lost)} cannot be restored"
    whose = (
        f"the settings of {manifest.user} (generation {manifest.generation})"
        if manifest
        else "the rest of a killed run"
    )
    lines.append(f"{whose} {verb}: {counts}")
    return "".join(printable(line) + "\n" for line in lines)
