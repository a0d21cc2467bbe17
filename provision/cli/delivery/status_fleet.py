"""`provision status --fleet`: which endpoints are current, and why the others are not, by their receipts.

Keys and rotations of the same users are looked at too: what needs attention is the same as in `provision report`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.cli.context import Run
from provision.cli.options import parse_duration
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.report.attention import Attention


def fleet_status(
    run: Run, limit: list[str] | None, silent_after: str, format_: Format, output: Path | None, *, strict: bool = False
) -> bool:
    """Print the state of each endpoint, and what else needs attention; returns whether nothing does."""
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
    states, now = fleet_states(workspace), datetime.now(UTC)
    selected = select_users(states, limit)
    tally = StandingCounts(_newest_list(run, workspace, now))
    found = fleet_standings(
        selected,
        lambda user: released_bundle(workspace.dist, user),
        verified_receipts(receipt_store(workspace), fleet_endpoints(states, read_workspace_id(workspace.vault))),
        now=now,
        silent_after=span,
        require_verified=strict or workspace.settings.require_verified,
    )
    write = report.fleet_as_json if format_ is Format.JSON else report.fleet_as_table
    others = list(_beside_receipts(workspace, selected, now, complete=not limit))
    write_output(write(found, tally, others), output)
    return tally.current == tally.users and not others


def _newest_list(run: Run, workspace: Workspace, now: datetime) -> str | None:
    from provision.errors import ProvisionError
    from provision.keys.vault.file import read_workspace_id
    from provision.trust.workspace import workspace_trust

    try:
        return workspace_trust(workspace, read_workspace_id(workspace.vault), now).number
    except ProvisionError as e:
        run.say(f"the trust list is unknown: {e.message}")
        return None


def _beside_receipts(
    workspace: Workspace, states: Sequence[DesiredState], now: datetime, *, complete: bool
) -> Iterator[Attention]:
    """What the vault and the rotations say of these users."""
    from provision.keys.vault.file import read_vault
    from provision.report.attention import in_keys, in_rotation
    from provision.rotate.key_advice import key_findings
    from provision.rotate.store import RotationStore

    ledger = read_vault(workspace.vault)
    findings = key_findings(workspace.root, ledger, states, now, complete=complete)
    yield from in_keys(states, ledger, findings, vault_only=not workspace.settings.key_command)
    users = None if complete else {state.user for state in states}
    for rotation in RotationStore(workspace.root).unfinished():
        yield from in_rotation(rotation, users)
