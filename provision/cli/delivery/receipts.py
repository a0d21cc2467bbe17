"""`receipts import` and `receipts list`: collect and verify what endpoints signed."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import DryRun, Limit, Output, TableOrJson
from provision.errors import Exit
from provision.report.formats import Format

if TYPE_CHECKING:
    from provision.fleet.desired import DesiredState
    from provision.fleet.load import Fleet
    from provision.fleet.workspace import Workspace
    from provision.receipts.store import ImportedReceipt, KnownEndpoints, ReceiptStore

receipts_app = typer.Typer(help="Import and list the signed receipts of endpoints.", no_args_is_help=True)
app.add_typer(receipts_app, name="receipts")


@receipts_app.command("import")
def receipts_import(
    ctx: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(metavar="FILE|DIR|-", help="Receipts, folders of them, or - for standard input.")
    ],
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Verify receipts and keep each user's newest.

    They are verified with the endpoint keys in the inventory and stored in receipts/. Exits with 4 if any was refused.
    """
    from datetime import UTC, datetime

    from provision.keys.vault.file import read_workspace_id
    from provision.receipts.store import DryReceiptStore, ImportResult, fleet_endpoints, import_receipt, receipts_in
    from provision.report import receipts as report

    run: Run = ctx.obj
    workspace = run.open_workspace()
    fleet = valid_fleet(workspace)
    endpoints = fleet_endpoints(fleet.states, read_workspace_id(workspace.vault), fleet.left)
    store = DryReceiptStore(receipt_store(workspace).root) if dry_run else receipt_store(workspace)
    counts: Counter[str] = Counter()
    listed: list[ImportedReceipt] = []
    now = datetime.now(UTC)
    for source in sources:
        for name, data in receipts_in(source, sys.stdin.buffer):
            done = import_receipt(name, data, store, endpoints, now)
            counts[done.result] += 1
            if done.result is ImportResult.REFUSED:
                run.say(f"{done.source}: refused: {done.message}" + (f" ({done.hint})" if done.hint else ""))
            if done.result is ImportResult.LEFT and done.endpoint:
                run.say(f"{done.source}: {done.message}; next: provision users leave {done.user}")
            if format_ is Format.JSON or done.result is not ImportResult.UNCHANGED:
                listed.append(done)
    if dry_run:
        run.say("dry run: nothing was written")
    write = report.import_as_json if format_ is Format.JSON else report.import_as_table
    run.result(write(listed, counts), output)
    if counts[ImportResult.REFUSED]:
        raise typer.Exit(Exit.PARTIAL)


@receipts_app.command("list")
def receipts_list(
    ctx: typer.Context,
    limit: Limit = None,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """List the stored receipts.

    Each one is verified again. Exits with 4 if any fails verification.
    """
    from provision.fleet.limit import select_users
    from provision.keys.vault.file import read_workspace_id
    from provision.receipts.store import fleet_endpoints
    from provision.report import receipts as report
    from provision.report.terminal import plural

    run: Run = ctx.obj
    workspace = run.open_workspace()
    states = fleet_states(workspace)
    endpoints, store = fleet_endpoints(states, read_workspace_id(workspace.vault)), receipt_store(workspace)
    found = (
        _stored(run, state.user, machine.name, store, endpoints)
        for state in select_users(states, limit)
        for machine in state.machines
    )
    rows = [row for row in found if row is not None]
    if format_ is Format.TABLE:
        run.say(f"{plural(len(rows), 'receipt')} of {plural(len(states), 'user')}")
    run.result(report.stored_as_json(rows) if format_ is Format.JSON else report.stored_as_table(rows), output)
    if any("error" in row for row in rows):
        raise typer.Exit(Exit.PARTIAL)


def _stored(
    run: Run, user: str, machine: str | None, store: ReceiptStore, endpoints: KnownEndpoints
) -> dict[str, Any] | None:
    from provision.errors import ProvisionError
    from provision.fleet.desired import machine_label
    from provision.report import receipts as report

    label = machine_label(user, machine)
    try:
        receipt = store.receipt_of(label, endpoints)
    except ProvisionError as e:
        run.say(f"{label}: {e}" + (f" ({e.hint})" if e.hint else ""))
        return report.refused_row(user, e.message, machine)
    return None if receipt is None else report.stored_row(receipt, machine)


def valid_fleet(workspace: Workspace) -> Fleet:
    """Load a valid inventory. Raises InvalidFilesError."""
    from provision.fleet.load import load_fleet

    fleet = load_fleet(workspace)
    fleet.require_valid()
    return fleet


def fleet_states(workspace: Workspace) -> tuple[DesiredState, ...]:
    """Load the users of a valid inventory. Raises InvalidFilesError."""
    return valid_fleet(workspace).states


def receipt_store(workspace: Workspace) -> ReceiptStore:
    """The workspace's store of receipts."""
    from provision.receipts.store import RECEIPTS_FOLDER, ReceiptStore

    return ReceiptStore(Path(workspace.root) / RECEIPTS_FOLDER)
