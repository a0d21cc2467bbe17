"""`provision status --fleet`: which endpoints are current, and why the others are not, by their receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.cli.context import Run
from provision.cli.options import parse_duration
from provision.report.formats import Format

if TYPE_CHECKING:
    from pathlib import Path


def fleet_status(run: Run, limit: list[str] | None, silent_after: str, format_: Format, output: Path | None) -> bool:
    """Print the state of each endpoint; returns whether all are current."""
    from datetime import UTC, datetime

    from provision.bundle.peek import released_bundle
    from provision.cli.delivery.receipts import fleet_states, receipt_store
    from provision.fleet.limit import select_users
    from provision.keys.vault.file import read_workspace_id
    from provision.receipts.fleet import StandingCounts, fleet_standings, verified_receipts
    from provision.receipts.store import fleet_endpoints
    from provision.report import receipts as report
    from provision.report.output import write_output

    span = parse_duration(silent_after, "--silent-after")
    workspace = run.open_workspace()
    states = fleet_states(workspace)
    tally = StandingCounts()
    found = fleet_standings(
        select_users(states, limit),
        lambda user: released_bundle(workspace.dist, user),
        verified_receipts(receipt_store(workspace), fleet_endpoints(states, read_workspace_id(workspace.vault))),
        now=datetime.now(UTC),
        silent_after=span,
    )
    write = report.fleet_as_json if format_ is Format.JSON else report.fleet_as_table
    write_output(write(found, tally), output)
    return tally.current == tally.users
