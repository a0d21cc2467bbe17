"""`provision report`: a report on the whole fleet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output, format_option
from provision.errors import Exit, ProvisionError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.audit.machines import AuditedMachine
    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.receipts.fleet import EndpointStanding
    from provision.report.validation_reader import ValidationDocument
    from provision.rotate.rotation import Rotation

_EVENTS = 50
_PAGE = Path("report.html")


@app.command("report")
def report(
    ctx: typer.Context,
    limit: Limit = None,
    validated: Annotated[
        Path | None,
        typer.Option("--validated", metavar="FILE", help="Include results of: provision validate -f json -o FILE."),
    ] = None,
    audited: Annotated[
        Path | None,
        typer.Option(
            "--audited",
            metavar="FILE",
            help="Include findings of: provision audit [--hosts|--merge] -f json -o FILE.",
        ),
    ] = None,
    format_: Annotated[Format, format_option(Format.HTML, Format.JSON)] = Format.HTML,
    output: Output = None,
) -> None:
    """Write a report on the whole fleet.

    One HTML page (or JSON): users, ages of keys, verdicts, machines, rotations, findings. Needs no identity and no
    network. On a terminal the page is written to report.html. Exits with 10 when something needs attention.
    """
    from datetime import UTC, datetime

    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet
    from provision.keys.events.log import log_path, newest_events, verify_log
    from provision.keys.vault.file import read_vault
    from provision.report.fleet.document import as_html, as_json
    from provision.report.fleet.results import FleetReport
    from provision.report.output import write_output
    from provision.report.terminal import plural
    from provision.rotate.key_advice import key_findings

    run: Run = ctx.obj
    workspace, now = run.open_workspace(), datetime.now(UTC)
    fleet, ledger = load_fleet(workspace), read_vault(workspace.vault)
    if fleet.refused:
        run.say(f"{plural(len(fleet.refused), 'user')} with errors in the inventory not included; see: provision check")
    states = select_users(fleet.states, limit)
    users = {state.user for state in states}
    complete = not limit and not fleet.refused
    log = log_path(workspace.vault)
    machines = _machines(workspace, states, now)
    found = FleetReport(
        workspace=workspace.root.name,
        at=now,
        states=states,
        ledger=ledger,
        findings=list(key_findings(workspace.root, ledger, states, now, complete=complete)),
        rotations=[r for r in _rotations(workspace) if not limit or r.people.keys() & users],
        events=newest_events(log, _EVENTS, users if limit else None),
        log=verify_log(log, ledger.generation),
        validated=_validated(validated),
        audited=_audit(audited),
        standings={each.label: each.standings for each in machines},
        unverified=sum(each.current and not each.verified for each in machines),
        complete=not limit,
        vault_only=not workspace.settings.key_command,
    )
    if format_ is Format.HTML and output is None and sys.stdout.isatty():
        output = _PAGE
    write_output(as_html(found) if format_ is Format.HTML else as_json(found), output)
    if output is not None:
        run.say(f"wrote {output}")
    if found.has_findings:
        raise typer.Exit(Exit.FINDINGS)


def _bytes(path: Path, limit_bytes: int) -> bytes:
    from provision.files import read_bounded

    try:
        return read_bounded(path, limit_bytes)
    except FileNotFoundError:
        raise ProvisionError(f"no such file: {path}") from None


def _validated(path: Path | None) -> ValidationDocument | None:
    from provision.report.validation_reader import LIMIT_BYTES, read_validation

    return None if path is None else read_validation(_bytes(path, LIMIT_BYTES))


def _audit(path: Path | None) -> tuple[AuditedMachine, ...] | None:
    from provision.audit.document import LIMIT_BYTES
    from provision.audit.machines import read_machines

    return None if path is None else read_machines(_bytes(path, LIMIT_BYTES))


def _rotations(workspace: Workspace) -> list[Rotation]:
    from provision.rotate.store import RotationStore

    return list(RotationStore(workspace.root).unfinished())


def _machines(workspace: Workspace, states: Sequence[DesiredState], now: datetime) -> list[EndpointStanding]:
    """The state of each machine by its receipts; a workspace without receipts never heard from any."""
    from datetime import timedelta

    from provision.bundle.peek import released_bundle
    from provision.cli.delivery.receipts import receipt_store
    from provision.keys.vault.file import read_workspace_id
    from provision.receipts.fleet import fleet_standings, verified_receipts
    from provision.receipts.store import fleet_endpoints

    store = receipt_store(workspace)
    return list(
        fleet_standings(
            states,
            lambda user: released_bundle(workspace.dist, user),
            verified_receipts(store, fleet_endpoints(states, read_workspace_id(workspace.vault))),
            now=now,
            silent_after=timedelta(days=7),
            require_verified=workspace.settings.require_verified,
        )
    )
