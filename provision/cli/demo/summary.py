"""The last page of the demo: one line per person, and what was proved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.cli.demo.people import PEOPLE
from provision.report.terminal import table

if TYPE_CHECKING:
    from collections.abc import Mapping


def summary(verdicts: Mapping[str, str], statuses: Mapping[str, Any], *proofs: str) -> str:
    """The table and the closing lines; `statuses` are `status/v1` documents by user."""
    rows, good = [], 0
    for person in PEOPLE:
        status = statuses[person.id]
        route, installed = status["route"], status["installed"]
        own = route["key_fingerprint"] == installed["key_fingerprint"]
        in_order = status["ok"] and all(check["ok"] for check in status["checks"].values())
        good += own and in_order and verdicts[person.id] == "ok"
        machine = "in order" if in_order else "LOOK"
        key = "own" if own else "WRONG"
        said = verdicts[person.id]
        rows.append((person.id, installed["profile"], route["model"], route["path"], key, said, machine, person.found))
    headers = ("USER", "TEAM", "MODEL", "ROUTE", "KEY", "GATEWAY", "MACHINE", "WHAT THE MACHINE HAD BEFORE")
    return (
        "\n── the fleet, for whoever asks\n"
        + table(headers, rows)
        + f"\n{good} of {len(rows)} machines send their requests to the gateway of their team, each with its own key.\n"
        "An altered bundle and somebody else's bundle were refused.\n"
        + "".join(f"{said[0].upper()}{said[1:]}.\n" for said in proofs)
    )
