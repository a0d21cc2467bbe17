"""`provision status --fleet`: who is current, who is not and why, from receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.cli.context import Run
from provision.cli.options import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provision.receipts.fleet import Endpoint, Tally, Unbelieved
    from provision.receipts.receipt import Receipt
    from provision.receipts.store import Endpoints, ReceiptStore


def fleet_status(run: Run, limit: list[str] | None, silent_after: str, format_: str, output: Path | None) -> bool:
    """Print where each endpoint stands; returns whether everybody is current."""
    from datetime import UTC, datetime

    from provision.bundle.peek import released
    from provision.cli.delivery.receipts import endpoints_of, fleet_states, store_of
    from provision.fleet.limit import select_users
    from provision.receipts.fleet import Tally, fleet_standing
    from provision.report.output import write_output

    span = parse_duration(silent_after, "--silent-after")
    workspace = run.open_workspace()
    states = fleet_states(workspace)
    tally = Tally()
    found = fleet_standing(
        select_users(states, limit),
        lambda user: released(workspace.dist, user),
        believed(store_of(workspace), endpoints_of(states)),
        now=datetime.now(UTC),
        silent_after=span,
    )
    pieces = _json(found, tally) if format_ == "json" else _table(found, tally)
    write_output(pieces, output)
    return tally.current == tally.users


def believed(store: ReceiptStore, endpoints: Endpoints) -> Callable[[str], Receipt | Unbelieved | None]:
    """What each user's machine has signed, as far as it can be believed."""
    from provision.errors import ProvisionError
    from provision.receipts.fleet import Unbelieved

    def receipt_of(user: str) -> Receipt | Unbelieved | None:
        try:
            return store.receipt_of(user, endpoints)
        except ProvisionError as e:
            return Unbelieved(e.message)

    return receipt_of


def _table(found: Iterator[Endpoint], tally: Tally) -> Iterator[str]:
    """Only those who are not current, then the counts: at ten thousand users the others would bury them."""
    from provision.report.terminal import plural, printable

    first = True
    for endpoint in map(tally.add, found):
        if endpoint.current:
            continue
        if first:
            yield f"{'USER':<20}  {'SINCE':<20}  STANDING\n"
            first = False
        since = endpoint.receipt.made if endpoint.receipt else "-"
        words = ", ".join(endpoint.standings)
        remark = f": {endpoint.remark}" if endpoint.remark else ""
        yield printable(f"{endpoint.user:<20}  {since:<20}  {words}{remark}") + "\n"
    counts = tally.by_name()
    total, current = counts.pop("users"), counts.pop("current")
    rest = "".join(f", {count} {name}" for name, count in counts.items())
    yield f"{current:,} of {plural(total, 'user')} current{rest}\n"


def _json(found: Iterator[Endpoint], tally: Tally) -> Iterator[str]:
    import json

    yield '{\n  "schema": "provision/fleet-status/v1",\n  "users": ['
    separator = "\n    "
    for endpoint in map(tally.add, found):
        yield separator + json.dumps(_row(endpoint), ensure_ascii=False)
        separator = ",\n    "
    yield '\n  ],\n  "summary": ' + json.dumps(tally.by_name()) + "\n}\n"


def _row(endpoint: Endpoint) -> dict[str, Any]:
    receipt, released = endpoint.receipt, endpoint.released
    return {
        "user": endpoint.user,
        "profile": endpoint.profile,
        "current": endpoint.current,
        "standings": list(endpoint.standings),
        "remark": endpoint.remark,
        "released_generation": released.generation if released else None,
        "installed_generation": receipt.generation if receipt else None,
        "key_fingerprint": receipt.key_fingerprint if receipt else None,
        "heard": receipt.made if receipt else None,
        "host": receipt.host if receipt else None,
        "hermes_version": receipt.hermes_version if receipt else None,
        "provision_version": receipt.provision_version if receipt else None,
    }
