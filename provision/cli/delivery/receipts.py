"""`receipts import` and `receipts list`: what endpoints have certified, collected and verified."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output
from provision.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.receipts.store import Endpoints, Imported, ReceiptStore

receipts_app = typer.Typer(help="What endpoints have signed about themselves.", no_args_is_help=True)
app.add_typer(receipts_app, name="receipts")

FOLDER = "receipts"


@receipts_app.command("import")
def import_(
    ctx: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(metavar="FILE|DIR|-", help="Receipts, folders of them, or - for standard input.")
    ],
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """Verify receipts and keep each user's newest.

    They are verified against the endpoint keys of the inventory, and kept in receipts/.
    """
    from datetime import UTC, datetime

    from provision.receipts.store import Result, import_receipt, receipts_in
    from provision.report.document import document
    from provision.report.terminal import table

    run: Run = ctx.obj
    workspace = run.open_workspace()
    endpoints = endpoints_of(fleet_states(workspace))
    store = store_of(workspace)
    piped = sys.stdin.buffer.read() if "-" in sources else None
    counts: Counter[str] = Counter()
    shown: list[Imported] = []
    now = datetime.now(UTC)
    for source in sources:
        for name, data in receipts_in(source, piped):
            done = import_receipt(name, data, store, endpoints, now)
            counts[done.result] += 1
            if done.result is Result.REFUSED:
                run.say(f"{done.source}: refused: {done.message}" + (f" ({done.hint})" if done.hint else ""))
            if format_ == "json" or done.result is not Result.UNCHANGED:
                shown.append(done)
    if format_ == "json":
        text = document("receipts-import/v1", summary=dict(sorted(counts.items())), receipts=[_row(d) for d in shown])
    else:
        rows = [(d.user or "?", d.result.value, d.receipt.generation if d.receipt else "", d.source) for d in shown]
        summary = ", ".join(f"{counts[result]} {result}" for result in sorted(counts))
        text = (table(("USER", "RESULT", "GENERATION", "FROM"), rows) if rows else "") + summary + "\n"
    run.result(text, output)
    if counts[Result.REFUSED]:
        raise typer.Exit(Exit.PARTIAL)


@receipts_app.command("list")
def list_(
    ctx: typer.Context,
    limit: Limit = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """List the kept receipts, each verified again. Exit 4 when one is not to be believed."""
    from provision.fleet.limit import select_users
    from provision.report.document import document
    from provision.report.terminal import plural, table

    run: Run = ctx.obj
    workspace = run.open_workspace()
    states = fleet_states(workspace)
    endpoints, store = endpoints_of(states), store_of(workspace)
    rows, documents, failed = [], [], 0
    for state in select_users(states, limit):
        row = _listed(run, state.user, store, endpoints)
        if row is None:
            continue
        failed += "error" in row
        documents.append(row)
        rows.append([row.get(name, "") for name in ("user", "generation", "made", "host", "route", "error")])
    if format_ == "json":
        text = document("receipts/v1", receipts=documents)
    else:
        text = table(("USER", "GENERATION", "MADE", "HOST", "ROUTE", "REMARK"), rows)
        run.say(f"{plural(len(rows), 'receipt')} of {plural(len(states), 'user')}")
    run.result(text, output)
    if failed:
        raise typer.Exit(Exit.PARTIAL)


def _listed(run: Run, user: str, store: ReceiptStore, endpoints: Endpoints) -> dict[str, Any] | None:
    from provision.errors import ProvisionError

    try:
        receipt = store.receipt_of(user, endpoints)
    except ProvisionError as e:
        run.say(f"{user}: {e}" + (f" ({e.hint})" if e.hint else ""))
        return {"user": user, "error": f"not believed: {e.message}"}
    if receipt is None:
        return None
    route = {"yes": "as expected", "no": "WRONG", "cannot tell": "cannot tell"}[receipt.route.as_expected]
    return {
        "user": user,
        "generation": receipt.generation,
        "bundle": receipt.bundle,
        "key_fingerprint": receipt.key_fingerprint,
        "made": receipt.made,
        "counter": receipt.counter,
        "host": receipt.host,
        "route": route,
        "hermes_version": receipt.hermes_version,
        "provision_version": receipt.provision_version,
    }


def fleet_states(workspace: Workspace) -> tuple[DesiredState, ...]:
    """The users of a valid inventory. Raises InvalidFilesError."""
    from provision.fleet.load import load_fleet

    fleet = load_fleet(workspace)
    fleet.require_valid()
    return fleet.states


def endpoints_of(states: Iterable[DesiredState]) -> Endpoints:
    """The endpoint keys that the inventory knows."""
    from provision.receipts.store import Endpoints, key_blob

    return Endpoints({state.user: key_blob(state.endpoint_key) for state in states})


def store_of(workspace: Workspace) -> ReceiptStore:
    """The workspace's store of receipts."""
    from provision.receipts.store import ReceiptStore

    return ReceiptStore(Path(workspace.root) / FOLDER)


def _row(done: Imported) -> dict[str, Any]:
    more = {"message": done.message, "hint": done.hint} if done.message else {}
    return {
        "source": done.source,
        "user": done.user or None,
        "result": done.result.value,
        "generation": done.receipt.generation if done.receipt else None,
        "made": done.receipt.made if done.receipt else None,
        **more,
    }
