"""`provision users import`: users and machines from an export of the directory, the HR system or the device manager."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import DryRun, Output, TableOrJson
from provision.cli.users.app import require_confirmation, users_app
from provision.errors import Exit, ProvisionError, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from provision.directory.people import Export
    from provision.directory.plan import ImportPlan
    from provision.directory.profile_map import ProfileChoice
    from provision.fleet.load import Fleet
    from provision.fleet.workspace import Workspace

_SOURCES = "auto|entra|m365|google|gam|okta|jumpcloud|ad|csvde|ldif|scim|jamf|intune|bamboohr|workday"


@users_app.command("import")
def users_import(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The export: CSV, JSON, LDIF, or a zipped report.")],
    source: Annotated[str, typer.Option("--from", metavar=f"[{_SOURCES}]", help="Where the export is from.")] = "auto",
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="Name a column by hand, such as login=Account; repeatable."),
    ] = None,
    profile_map: Annotated[
        Path | None,
        typer.Option(
            "--profile-map", exists=True, dir_okay=False, help="CSV of TEAM,PROFILE for departments and groups."
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="Profile of new users without another.")] = None,
    team: Annotated[str, typer.Option("--team", help="Group of all rows, for exports of one group's members.")] = "",
    complete: Annotated[
        bool, typer.Option("--complete", help="The export has all accounts: who is not in it has left.")
    ] = False,
    assume_active: Annotated[
        bool, typer.Option("--assume-active", help="Count accounts of unknown status as active.")
    ] = False,
    max_leavers: Annotated[
        int, typer.Option("--max-leavers", metavar="PERCENT", min=0, max=100, help="Stop if more users would leave.")
    ] = 10,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before writing.")] = False,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Bring the inventory up to date with an export of the directory.

    Prints who joins, who changed, who leaves and who is unknown, asks, and writes the inventory in place. Leavers are marked;
    `provision users leave` then takes everything from them. Exits with 4 if rows could not be used.
    """
    from datetime import UTC, datetime

    from provision.cli.delivery.receipts import valid_fleet
    from provision.cli.users import plan_output as report
    from provision.directory.people import read_export
    from provision.directory.plan import Known, plan_people
    from provision.directory.plan_machines import plan_machines

    run: Run = ctx.obj
    now = datetime.now(UTC)
    today = now.astimezone().date()
    if source not in _SOURCES.split("|"):
        raise UsageError(f"--from: unknown source {source!r}", hint=f"use one of {_SOURCES.replace('|', ', ')}")
    workspace = run.open_workspace()
    fleet = valid_fleet(workspace)
    export = read_export(_read(file), source, _mapping(columns), today, team)
    known = Known(fleet.states, fleet.left, fleet.refused)
    if export.source.devices:
        plan = plan_machines(export, known)
    else:
        _refuse_partial(export, complete=complete)
        choice = _profiles(fleet, profile_map, profile)
        plan = plan_people(export, known, choice, now.date(), complete=complete, assume_active=assume_active)
    for note in export.notes:
        run.say(f"note: {note}")
    stopped = _too_many_leavers(plan, max_leavers)
    write = report.plan_as_json if format_ is Format.JSON else report.plan_as_text
    run.result(write(export, plan, file, stopped), output)
    if dry_run:
        run.say("dry run: nothing was written" + (f"; a real run would stop: {stopped}" if stopped else ""))
        return
    if stopped:
        raise ProvisionError(
            f"{stopped}; nothing was written", hint="check the export; to accept it: --max-leavers 100"
        )
    _write(run, workspace, plan, yes=yes)
    if report.unusable(plan):
        raise typer.Exit(Exit.PARTIAL)


def _read(file: str) -> bytes:
    from provision.directory.export_text import MAX_BYTES
    from provision.files import read_bounded

    if file == "-":
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ProvisionError(f"standard input is larger than {MAX_BYTES} bytes")
        return data
    try:
        return read_bounded(Path(file), MAX_BYTES)
    except FileNotFoundError:
        raise UsageError(f"no such file: {file}") from None


def _mapping(columns: list[str] | None) -> dict[str, str]:
    found = {}
    for text in columns or ():
        name, equals, column = text.partition("=")
        if not equals or not name.strip() or not column.strip():
            raise UsageError(f"--map: invalid value {text!r}", hint="use FIELD=COLUMN, such as login=Account")
        found[name.strip()] = column.strip()
    return found


def _profiles(fleet: Fleet, table: Path | None, profile: str | None) -> ProfileChoice:
    from provision.directory.profile_map import ProfileChoice, read_profile_map
    from provision.files import read_bounded

    if profile is not None and profile not in fleet.profiles:
        raise UsageError(f"--profile: unknown profile {profile!r}", hint=f"use one of {', '.join(fleet.profiles)}")
    found = read_profile_map(read_bounded(table, 1 << 20), str(table), fleet.profiles) if table is not None else {}
    return ProfileChoice(fleet.profiles.keys(), found, profile, fleet.default_profile)


def _refuse_partial(export: Export, *, complete: bool) -> None:
    if complete and export.partial:
        raise ProvisionError(
            f"the export is not complete: {export.partial}, so absence from it proves nothing",
            hint="export all pages, or leave out --complete",
        )


def _too_many_leavers(plan: ImportPlan, most_percent: int) -> str:
    if plan.leaver_percent() <= most_percent:
        return ""
    return f"{len(plan.leavers)} of {plan.current} users would leave, which is more than {most_percent} %"


def _write(run: Run, workspace: Workspace, plan: ImportPlan, *, yes: bool) -> None:
    from provision.files import read_bounded
    from provision.fleet.edit.inventory_edit import edit_inventory
    from provision.fleet.edit.inventory_file import change_inventory
    from provision.fleet.load import MAX_INVENTORY_BYTES

    if plan.empty:
        run.say("no changes: the inventory matches the export")
        return
    name = workspace.name_of(workspace.inventory)
    before = read_bounded(workspace.inventory, MAX_INVENTORY_BYTES)
    after = edit_inventory(before, workspace.inventory.name, plan.edits)  # refused before the question
    require_confirmation(f"Write these changes to {name}?", yes=yes)

    def changed(data: bytes) -> bytes:
        return after if data == before else edit_inventory(data, workspace.inventory.name, plan.edits)

    change_inventory(workspace, changed)
    run.say(f"wrote {name}; next: git diff, then provision check")
    if plan.leavers:
        run.say("leavers are marked; to take everything from them: provision users leave --resume")
