"""The summary of the demo: one line per user, and what was verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.cli.demo.users import DEMO_USERS
from provision.report.terminal import table

if TYPE_CHECKING:
    from collections.abc import Mapping


def demo_summary(verdicts: Mapping[str, str], statuses: Mapping[str, Any], *proofs: str) -> str:
    """The table and the closing lines; `statuses` are `status/v2` documents by user."""
    rows, ok_count = [], 0
    for user in DEMO_USERS:
        status = statuses[user.id]
        route, installed = status["route"], status["installed"]
        own = route["key_fingerprint"] == installed["key_fingerprint"]
        machine_ok = status["ok"] and all(check["ok"] for check in status["checks"].values())
        ok_count += own and machine_ok and verdicts[user.id] == "ok"
        machine = "ok" if machine_ok else "PROBLEM"
        key = "own" if own else "WRONG"
        verdict = verdicts[user.id]
        rows.append((user.id, installed["profile"], route["model"], route["path"], key, verdict, machine, user.found))
    headers = ("USER", "TEAM", "MODEL", "ROUTE", "KEY", "GATEWAY", "MACHINE", "WHAT THE MACHINE HAD BEFORE")
    return (
        "\n── summary\n"
        + table(headers, rows)
        + f"\n{ok_count} of {len(rows)} machines send their requests to the right gateway, each with its user's own key.\n"
        "An altered bundle and another user's bundle were refused.\n"
        + "".join(f"{proof[0].upper()}{proof[1:]}.\n" for proof in proofs)
    )
