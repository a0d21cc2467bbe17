"""`keys policy` and `keys demo`: how old keys may be, and those that were made to be seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.list import keys_app
from provision.cli.options import Limit, Output, TableOrJson, parse_last_day
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from provision.fleet.desired import DesiredState
    from provision.keys.vault.ledger import KeyVersion, Ledger


@keys_app.command("policy")
def policy(ctx: typer.Context, limit: Limit = None, format_: TableOrJson = Format.TABLE, output: Output = None) -> None:
    """Say how old keys may be, per profile, and which are too old. Needs no identity.

    `key_max_age_days` in a profile sets it; without it AIsa's advice of 90 days holds, as a warning.
    Ends with 10 when a key is beyond its profile's own limit, or a demo key past its last day.
    """
    from datetime import UTC, datetime

    from provision.errors import Severity
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet
    from provision.keys.policy import check_key_ages
    from provision.keys.vault.file import read
    from provision.report.document import document
    from provision.report.terminal import printable

    run: Run = ctx.obj
    workspace = run.open_workspace()
    ledger, fleet, now = read(workspace.vault), load_fleet(workspace), datetime.now(UTC)
    states = select_users(fleet.states, limit)
    complete = limit is None and not fleet.refused
    found = list(check_key_ages(ledger, states, now, complete=complete))
    rows = _by_limit(ledger, states, now)
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


def _by_limit(ledger: Ledger, states: Sequence[DesiredState], now: datetime) -> list[dict[str, object]]:
    """A row per profile and limit: how many current keys, the oldest, how many overdue, when the next one is."""
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
        ("PROFILE", "MAX AGE", "SAID BY", "KEYS", "OLDEST", "OVERDUE", "NEXT DUE IN"),
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


@keys_app.command("demo")
def demo(
    ctx: typer.Context,
    users: Annotated[
        list[str] | None, typer.Argument(metavar="USER", help="Whose current keys are demo keys; none: list them.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Their last day, such as 2026-03-31.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="They are demo keys no more.")] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Give users' current keys a last day: demo keys.

    After it nothing is rendered with them. Without users it lists the demo keys. One that is past its last day is an
    error in `check` until it is retired.
    """
    from datetime import UTC, datetime

    from provision.errors import NothingMatchedError
    from provision.keys.age import load_identities
    from provision.keys.vault.file import editing

    run: Run = ctx.obj
    today = datetime.now(UTC).date()
    workspace = run.open_workspace()
    if not users:
        if clear or until:
            raise UsageError("say whose keys: provision keys demo USER… --until DATE")
        _list_demo(run, workspace.vault, today, format_, output)
        return
    if clear == (until is not None):
        raise UsageError("say either --until DATE or --clear")
    day = parse_last_day(until, "--until", today) if until else None
    with editing(workspace.vault, load_identities(workspace.identity), "keys demo") as vault:
        missing = [user for user in users if vault.current(user) is None]
        if missing:
            raise NothingMatchedError(f"no current key: {', '.join(missing)}", hint="see: provision keys list")
        done = [vault.set_demo(user, known.version, day) for user in users if (known := vault.current(user))]
    for known in done:
        run.say(f"{known.user} version {known.version}: {f'a demo key until {day}' if day else 'a demo key no more'}")


def _list_demo(run: Run, vault: Path, today: date, format_: Format, output: Path | None) -> None:
    from provision.keys.vault.file import read
    from provision.keys.vault.ledger import Stage
    from provision.report.document import document
    from provision.report.terminal import table

    demo_keys = [known for known in read(vault) if known.demo_until]
    living = [known for known in demo_keys if known.stage is not Stage.RETIRED]
    over = [known for known in living if known.expired(today)]
    if format_ is Format.JSON:
        rows = [
            {
                "user": known.user,
                "version": known.version,
                "stage": known.stage.value,
                "fingerprint": known.fingerprint,
                "until": str(known.demo_until),
                "state": _demo_state(known, today),
            }
            for known in demo_keys
        ]
        run.result(document("keys-demo/v1", keys=rows), output)
    else:
        cells = (
            (
                known.user,
                known.version,
                known.stage.value,
                known.fingerprint,
                known.demo_until,
                _demo_state(known, today),
            )
            for known in demo_keys
        )
        run.result(table(("USER", "VERSION", "STAGE", "FINGERPRINT", "LAST DAY", "STATE"), cells), output)
        run.say(f"{len(living)} demo key{'s' if len(living) != 1 else ''} alive, {len(over)} past the last day")
    if over:
        raise typer.Exit(Exit.FINDINGS)


def _demo_state(known: KeyVersion, today: date) -> str:
    if known.stage.value == "retired":
        return "retired"
    return "over" if known.expired(today) else "in date"
