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
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.audit.machines import AuditedMachine
    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.keys.events.log import RecordedEvent
    from provision.report.fleet.results import FleetMachine, FleetReport
    from provision.report.fleet.trend import DaySummary
    from provision.report.fleet.validation_reader import ValidationDocument
    from provision.rotate.rotation import Rotation

_EVENTS = 50
_PAGE = Path("report.html")
_RELOAD_S = 10


@app.command("report")
def report(
    ctx: typer.Context,
    limit: Limit = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="USER", help="Write the page of one user, for a help desk.")
    ] = None,
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
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Serve the page on this machine only, at a secret address; made again at each load."
        ),
    ] = False,
    format_: Annotated[Format, format_option(Format.HTML, Format.JSON, Format.PROMETHEUS)] = Format.HTML,
    output: Output = None,
) -> None:
    """Write a report on the whole fleet.

    One HTML page (or JSON, or metrics): what needs attention and what to do, all users, keys, verdicts, machines, rotations,
    findings. Needs no identity and no network. On a terminal the page is written to report.html. Each report on the whole fleet
    leaves its numbers in .provision/reports.jsonl, for the trend. Exits with 10 when something needs attention.
    """
    from provision.errors import UsageError
    from provision.report.fleet import document, metrics, page, user_page
    from provision.report.output import write_output

    run: Run = ctx.obj
    if user and (limit or serve or format_ is not Format.HTML):
        raise UsageError("--user is one page in HTML: use it without --limit, --serve and --format")
    if serve and (output or format_ is not Format.HTML):
        raise UsageError("--serve writes no file: use it without --output and --format")
    workspace = run.open_workspace()
    limit = [user] if user else limit
    if serve:
        _serve(run, workspace, limit, (validated, audited))
        return
    found = fleet_report(run, workspace, limit, (validated, audited))
    if user and len(found.states) != 1:
        raise UsageError(f"--user is one user: {user!r} matches {len(found.states)}", hint="give the id of one user")
    earlier = _earlier_days(run, workspace)
    if format_ is Format.JSON:
        written = document.as_json(found)
    elif format_ is Format.PROMETHEUS:
        written = metrics.as_prometheus(found)
    else:
        written = user_page.user_html(found) if user else page.as_html(found, earlier)
    if format_ is Format.HTML and output is None and sys.stdout.isatty():
        output = Path(f"{user}.html") if user else _PAGE
    write_output(written, output)
    if found.complete:
        _keep_day(run, workspace, found)
        _notify(run, workspace, found)
    if output is not None:
        run.say(f"wrote {shell_path(output)}")
    if found.has_findings:
        raise typer.Exit(Exit.FINDINGS)


def fleet_report(
    run: Run, workspace: Workspace, limit: list[str] | None, given: tuple[Path | None, Path | None]
) -> FleetReport:
    """The state of the workspace now. `given`: the files of `--validated` and `--audited`."""
    from collections import deque
    from datetime import UTC, datetime

    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet
    from provision.keys.events.log import log_path, verify_log
    from provision.keys.vault.file import read_vault
    from provision.report.fleet.results import FleetReport
    from provision.report.terminal import plural
    from provision.rotate.key_advice import key_findings

    now, validated, audited = datetime.now(UTC), *given
    fleet, ledger = load_fleet(workspace), read_vault(workspace.vault)
    if fleet.refused:
        run.say(f"{plural(len(fleet.refused), 'user')} with errors in the inventory not included; see: provision check")
    states = select_users(fleet.states, limit)
    users = {state.user for state in states}
    complete = not limit and not fleet.refused
    newest: deque[RecordedEvent] = deque(maxlen=_EVENTS)

    def keep(recorded: RecordedEvent) -> None:
        if not limit or recorded.event.user in users:
            newest.append(recorded)

    return FleetReport(
        workspace=workspace.root.name,
        at=now,
        states=states,
        ledger=ledger,
        findings=list(key_findings(workspace.root, ledger, states, now, complete=complete)),
        rotations=[r for r in _rotations(workspace) if not limit or r.people.keys() & users],
        log=verify_log(log_path(workspace.vault), ledger.generation, seen=keep),
        events=tuple(newest),
        validated=_validated(validated),
        audited=_audit(audited),
        endpoints=_machines(workspace, states, now),
        complete=not limit,
        vault_only=not workspace.settings.key_command,
        refused=0 if limit else len(fleet.refused),
    )


def report_and_notify(run: Run, workspace: Workspace, page_path: Path | None) -> None:
    """What another command does at its end: write the page on the whole fleet, keep the day's numbers, send notifications."""
    from provision.report.fleet.page import as_html
    from provision.report.output import write_output

    found = fleet_report(run, workspace, None, (None, None))
    if page_path is not None:
        write_output(as_html(found, _earlier_days(run, workspace)), page_path)
        _keep_day(run, workspace, found)
    _notify(run, workspace, found, "reconcile")


def _earlier_days(run: Run, workspace: Workspace) -> Sequence[DaySummary]:
    """The numbers of earlier reports. One without them is still a report."""
    from provision.report.fleet.trend import read_trend

    try:
        return read_trend(workspace.root)
    except ProvisionError as e:
        run.say(f"warning: the trend is not shown: {e}")
        return ()


def _keep_day(run: Run, workspace: Workspace, found: FleetReport) -> None:
    """Keep today's numbers for the trend. The report itself also works in a workspace that cannot be written."""
    from provision.report.fleet.trend import keep_summary, read_trend

    try:
        keep_summary(workspace.root, read_trend(workspace.root), found.day_summary())
    except (ProvisionError, OSError) as e:
        run.say(f"warning: today's numbers were not kept for the trend: {e}")


def _notify(run: Run, workspace: Workspace, found: FleetReport, command: str = "report") -> None:
    """Tell the targets of `notify` what needs attention. Without an audit, earlier leaks are not taken for settled."""
    from provision.cli.notifications import ALL, send_notifications
    from provision.fleet.notify_target import NotifyEvent

    examined = ALL if found.audited is not None else ALL - {NotifyEvent.LEAKED}
    send_notifications(run, workspace, command, found.attention, examined=examined, users=found.users)


def _serve(run: Run, workspace: Workspace, limit: list[str] | None, given: tuple[Path | None, Path | None]) -> None:
    from provision.report.fleet.page import as_html
    from provision.report.html.serve import served_page

    def make() -> str:
        found = fleet_report(run, workspace, limit, given)
        return "".join(as_html(found, _earlier_days(run, workspace), reload_s=_RELOAD_S if found.rotations else 0))

    make()  # an error is said here, not in the browser
    with served_page(make) as server:
        run.say(f"serving {server.url} until Ctrl-C")
        server.serve_forever()


def _bytes(path: Path, limit_bytes: int) -> bytes:
    from provision.files import read_bounded
    from provision.formats.shell_output import shell_bytes

    try:
        return shell_bytes(read_bounded(path, limit_bytes))
    except FileNotFoundError:
        raise ProvisionError(f"no such file: {path}") from None


def _validated(path: Path | None) -> ValidationDocument | None:
    from provision.report.fleet.validation_reader import LIMIT_BYTES, read_validation

    return None if path is None else read_validation(_bytes(path, LIMIT_BYTES))


def _audit(path: Path | None) -> tuple[AuditedMachine, ...] | None:
    from provision.audit.document import LIMIT_BYTES
    from provision.audit.machines import read_machines

    return None if path is None else read_machines(_bytes(path, LIMIT_BYTES))


def _rotations(workspace: Workspace) -> list[Rotation]:
    from provision.rotate.store import RotationStore

    return list(RotationStore(workspace.root).unfinished())


def _machines(workspace: Workspace, states: Sequence[DesiredState], now: datetime) -> list[FleetMachine]:
    """The state of each machine by its receipts; a workspace without receipts never heard from any."""
    from datetime import timedelta

    from provision.bundle.peek import released_bundle
    from provision.cli.delivery.receipts import receipt_store
    from provision.keys.vault.file import read_workspace_id
    from provision.receipts.fleet import fleet_standings, verified_receipts
    from provision.receipts.store import fleet_endpoints
    from provision.report.fleet.results import FleetMachine

    found = fleet_standings(
        states,
        lambda user: released_bundle(workspace.dist, user),
        verified_receipts(receipt_store(workspace), fleet_endpoints(states, read_workspace_id(workspace.vault))),
        now=now,
        silent_after=timedelta(days=7),
        require_verified=workspace.settings.require_verified,
    )
    return [
        FleetMachine(
            each.label,
            each.user,
            each.standings,
            each.remark,
            each.receipt.made_at if each.receipt else None,
            each.receipt.hermes_version if each.receipt else None,
            each.verified,
        )
        for each in found
    ]
