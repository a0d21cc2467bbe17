"""`provision keys policy`: the maximum age of keys, and keys that are too old."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app
from provision.cli.options import Limit, Output, TableOrJson
from provision.errors import Exit
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.fleet.desired import DesiredState
    from provision.keys.vault.ledger import Ledger


@keys_app.command("policy")
def policy(ctx: typer.Context, limit: Limit = None, format_: TableOrJson = Format.TABLE, output: Output = None) -> None:
    """Show the maximum age of keys per profile, and the keys that are too old. Needs no identity.

    The limit is `key_max_age_days` of the profile. Without it, AIsa's advice of 90 days applies, as a warning.
    Exits with 10 when a key is older than its profile allows, or a demo key has expired.
    """
    from datetime import UTC, datetime

    from provision.errors import Severity
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet
    from provision.keys.vault.file import read_vault
    from provision.report.document import document
    from provision.report.terminal import printable
    from provision.rotate.key_advice import key_findings

    run: Run = ctx.obj
    workspace = run.open_workspace()
    ledger, fleet, now = read_vault(workspace.vault), load_fleet(workspace), datetime.now(UTC)
    states = select_users(fleet.states, limit)
    complete = limit is None and not fleet.refused
    found = list(key_findings(workspace.root, ledger, states, now, complete=complete))
    rows = ages_by_limit(ledger, states, now)
    if format_ is Format.JSON:
        findings = [
            {
                "rule": each.rule,
                "severity": each.severity.value,
                "user": each.key.user,
                "version": each.key.version,
                "stage": each.key.stage.value,
                "fingerprint": each.key.fingerprint,
                "age_days": each.key.age_days(now),
                "message": each.message,
                "cure": each.cure,
            }
            for each in found
        ]
        run.result(document("keys-policy/v1", profiles=rows, findings=findings), output)
    else:
        lines = [f"{each.severity}: {each.message}\n    {each.cure}" for each in found]
        text = _policy_table(rows) + ("\n" if lines else "")
        run.result(text + "".join(printable(part) + "\n" for line in lines for part in line.split("\n")), output)
    if any(each.severity is Severity.ERROR for each in found):
        raise typer.Exit(Exit.FINDINGS)


def ages_by_limit(ledger: Ledger, states: Sequence[DesiredState], now: datetime) -> list[dict[str, object]]:
    """A row per profile and limit: number of current keys, the oldest, the overdue ones, when the next is due."""
    from provision.keys.policy import ADVISED_DAYS, days_left

    groups: dict[tuple[str, int | None], list[tuple[int, int]]] = {}
    for state in states:
        group = groups.setdefault((state.profile.name, state.profile.key_max_age_days), [])
        if key := ledger.current(state.user):
            group.append((key.age_days(now), days_left(key, state.profile.key_max_age_days, now)))
    return [
        {
            "profile": name,
            "max_age_days": days or ADVISED_DAYS,
            "set": days is not None,
            "keys": len(keys),
            "oldest_days": max((age for age, _ in keys), default=None),
            "overdue": sum(left < 0 for _, left in keys),
            "next_due_days": min((left for _, left in keys if left >= 0), default=None),
        }
        for (name, days), keys in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0))
    ]


def _policy_table(rows: Sequence[dict[str, object]]) -> str:
    from provision.report.terminal import table

    def days(value: object) -> str:
        return "-" if value is None else f"{value}d"

    return table(
        ("PROFILE", "MAX AGE", "SET BY", "KEYS", "OLDEST", "OVERDUE", "NEXT DUE IN"),
        (
            (
                row["profile"],
                days(row["max_age_days"]),
                "profile" if row["set"] else "advice",
                row["keys"],
                days(row["oldest_days"]),
                row["overdue"],
                days(row["next_due_days"]),
            )
            for row in rows
        ),
    )
