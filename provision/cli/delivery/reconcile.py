"""`provision reconcile`: the whole loop as one idempotent command for cron or CI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import DryRun, Forks, Output, TableOrJson, parse_duration
from provision.report.formats import Format


@app.command("reconcile")
def reconcile(
    ctx: typer.Context,
    receipts: Annotated[
        list[str] | None,
        typer.Option("--receipts", metavar="FILE|DIR", help="Import receipts from here first. Repeatable."),
    ] = None,
    feed: Annotated[
        Path | None, typer.Option("--feed", metavar="DIR", help="Publish to this folder, as `provision publish` does.")
    ] = None,
    upload_command: Annotated[
        str | None,
        typer.Option("--upload-command", metavar='"… {path} … {name}"', help="Command per changed file of the feed."),
    ] = None,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Install through Ansible on machines whose receipt is not for this bundle.")
    ] = False,
    forks: Forks = 10,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the page of `provision report` here at the end."),
    ] = None,
    delay: Annotated[
        str | None,
        typer.Option("--delay", metavar="10m", help="Wait a random time of at most this long before the run."),
    ] = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit with 10 when something changed or would."),
    ] = False,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Bring everything up to date, once: for cron and CI.

    Imports receipts, checks the workspace, continues rotations, renders, publishes, deploys, validates what is new, says what
    is due, and tells the targets of `[[notify]]`. Never begins a rotation and revokes nothing; what waits for approval is left
    out. One line when nothing changed.

    Exits with 0 also when it changed something, with 4 when something failed, with 1 when the workspace has errors.
    """
    from provision.cli.delivery.reconcile_steps import LoopOptions, run_loop
    from provision.cli.workspace.validate import journal_folder
    from provision.feed.upload import parse_command
    from provision.files import locked
    from provision.report.document import document

    run: Run = ctx.obj
    command = parse_command(upload_command) if upload_command else None
    if delay and not dry_run:
        _wait(parse_duration(delay, "--delay").total_seconds())
    workspace = run.open_workspace()
    options = LoopOptions(workspace, tuple(receipts or ()), feed, command, deploy, forks, dry_run, report)
    with locked(journal_folder(workspace) / "reconcile.lock", "reconcile", wait_s=0.2):
        found = run_loop(run, options)
    if format_ is Format.JSON:
        run.result(document("reconcile/v1", **found.fields()), output)
    else:
        run.result("".join(f"{line}\n" for line in found.lines()), output)
    raise typer.Exit(found.exit_code(detailed=detailed_exitcode))


def _wait(most_s: float) -> None:
    """Many workspaces whose cron starts at the same minute do not all ask the gateway at once."""
    import secrets
    import time

    time.sleep(most_s * secrets.randbelow(1000) / 1000)
