"""`provision doctor`: find what is wrong with this workspace, or this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import HermesProfileOption, HomeOption, chosen_home, endpoint_folder
from provision.cli.options import Output, TableOrJson
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from provision.doctor.health import HealthFinding


@app.command("doctor")
def doctor(
    ctx: typer.Context,
    machine: Annotated[
        bool, typer.Option("--machine", help="Check this user's machine, also inside of a workspace.")
    ] = False,
    online: Annotated[
        bool, typer.Option("--online", help="Also ask the gateway, or the feed; no key is sent.")
    ] = False,
    feed: Annotated[
        Path | None, typer.Option("--feed", metavar="DIR", help="Also check the folder of the published feed.")
    ] = None,
    home: HomeOption = None,
    hermes_profile: HermesProfileOption = None,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Find what is wrong with this workspace or machine.

    Outside of a workspace, or with --machine, this machine is checked. Nothing is changed.

    Exits with 10 if a check failed, with 0 if there are only warnings. The home folder is shown as ~.
    """
    from datetime import UTC, datetime

    from provision.doctor import output as report

    run: Run = ctx.obj
    now = datetime.now(UTC)
    root = None if machine or home is not None else _workspace(run)
    if root is None:
        if feed is not None:
            raise UsageError("--feed needs a workspace: it is for the operator who publishes")
        found = list(_machine(home, hermes_profile, now, online=online))
    else:
        found = list(_operator(run, now, feed, online=online))
    write = report.as_json if format_ is Format.JSON else report.as_table
    run.result(write(found, str(Path.home())), output)
    if any(each.tier == "failed" for each in found):
        raise typer.Exit(Exit.FINDINGS)


def _workspace(run: Run) -> Path | None:
    from provision.fleet.workspace import NoWorkspaceError, find_workspace

    if run.workspace is not None:
        return run.workspace
    try:
        return find_workspace(Path.cwd())
    except NoWorkspaceError:
        return None


def _operator(run: Run, now: datetime, feed: Path | None, *, online: bool) -> Iterator[HealthFinding]:
    from provision.doctor.health import examine
    from provision.doctor.operator import OperatorHealth

    workspace, problems = run.read_workspace()
    health = OperatorHealth(workspace, problems, environ=os.environ, now=now, feed=feed, online=online)
    yield from examine(health.checks())


def _machine(home: Path | None, profile: str | None, now: datetime, *, online: bool) -> Iterator[HealthFinding]:
    from provision.doctor.health import examine
    from provision.doctor.machine import MachineHealth

    root, profile = chosen_home(home, profile)
    health = MachineHealth(endpoint_folder(), root, profile, environ=os.environ, now=now, online=online)
    yield from examine(health.checks())
