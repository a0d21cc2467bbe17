"""The users of the report, one row each: what is known of them, as JSON has it and as the grid shows it. Pure.

A new fact about a user is one line in `user_rows`, and one column in `grid` if the page shows it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from provision.aisa.verdicts import INCONCLUSIVE, Verdict
from provision.keys.policy import ADVISED_DAYS
from provision.receipts.fleet import Standing
from provision.report.attention import AttentionCause
from provision.report.fleet.groups import KINDS
from provision.report.html.grid import Column, Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.report.fleet.results import FleetReport

UserRow = dict[str, Any]
"""A user in `provision/report/v1`."""
IN_ORDER, AS_FAR_AS_KNOWN = "in order", "in order as far as known"
CURRENT = "current"
NOT_LOOKED_AT = "not looked at"


def user_rows(report: FleetReport) -> Iterator[UserRow]:
    """One row per user, in the order of the inventory."""
    answers = {a.user: a for a in report.answers}
    leaks = Counter(f.owner or m.user for m, f in report.leaks)
    audited = {m.user for m in report.machines}
    rotating = {p.user: p.state.value for r in report.rotations for p in r.people.values() if not p.over}
    machines: defaultdict[str, list[str]] = defaultdict(list)
    for machine in report.endpoints or ():
        machines[machine.user] += machine.standings or (CURRENT,)
    for state in report.states:
        key = report.ledger.current(state.user)
        answer = answers.get(state.user)
        yield {
            "user": state.user,
            "profile": state.profile.name,
            "model": state.profile.model,
            "tags": list(state.tags),
            "key": key.fingerprint if key else None,
            "label": key.label if key else None,
            "age_days": key.age_days(report.at) if key else None,
            "max_age_days": state.profile.key_max_age_days or ADVISED_DAYS,
            "demo_until": key.demo_until.isoformat() if key and key.demo_until else None,
            "verdict": answer.verdict.value if answer else None,
            "endpoint": list(dict.fromkeys(machines[state.user])) or None,
            "rotation": rotating.get(state.user),
            "leaks": leaks[state.user] if state.user in audited or leaks[state.user] else None,
        }


def _state(row: UserRow, report: FleetReport) -> str:
    """The worst cause; without any, in order only if the gateway, an audit and a machine were looked at."""
    user: str = row["user"]
    if user in report.worst:
        return report.worst[user].value
    return IN_ORDER if None not in (row["verdict"], row["leaks"], row["endpoint"]) else AS_FAR_AS_KNOWN


def count_in_order(report: FleetReport) -> int:
    """How many users are in order, with everything about them looked at."""
    return sum(_state(row, report) == IN_ORDER for row in user_rows(report))


def grid(report: FleetReport) -> Grid:
    """All users, worst first, those in order last."""
    order = [*(cause.value for cause in AttentionCause), AS_FAR_AS_KNOWN, IN_ORDER]
    rank = {state: number for number, state in enumerate(order)}
    rows = sorted(((row, _state(row, report)) for row in user_rows(report)), key=lambda found: rank[found[1]])
    states, users = [state for _, state in rows], [row for row, _ in rows]
    tones = {cause.value: KINDS[cause].tone for cause in AttentionCause} | {IN_ORDER: "good", CURRENT: "good"}
    verdicts = {v.value: "good" if v is Verdict.OK else "unsure" if v in INCONCLUSIVE else "bad" for v in Verdict}
    columns = (
        Column("user", [row["user"] for row in users]),
        Column("state", states, "pill", words=order, tones=tones),
        Column("profile", [row["profile"] for row in users]),
        Column("model", [row["model"] for row in users]),
        _machines(users, tones),
        Column("gateway", [row["verdict"] for row in users], "pill", unknown=NOT_LOOKED_AT, tones=verdicts),
        Column("key age", [row["age_days"] for row in users], "number", unit=" d", unknown="no key"),
        Column("leaks", [row["leaks"] for row in users], "number", unknown=NOT_LOOKED_AT),
        Column("rotation", [row["rotation"] for row in users]),
        Column("tag", [" ".join(row["tags"]) for row in users], shown=False),
        Column("label", [_label(row) for row in users], shown=False),
    )
    filled = tuple(c for c in columns if c.shown or any(c.cells))
    return Grid("People and machines", "user", filled, "state", "a name, profile:engineering, tag:pilot, state:behind")


def _machines(rows: Sequence[UserRow], tones: Mapping[str, str]) -> Column:
    order = [*(standing.value for standing in Standing), CURRENT]
    rank = {name: at for at, name in enumerate(order)}
    cells, shades = [], dict(tones)
    for row in rows:
        names = sorted(row["endpoint"] or (), key=lambda name: rank[name])
        cell = ", ".join(names) or None
        if cell is not None and cell not in shades:
            shades[cell] = tones[names[0]]
        cells.append(cell)
    return Column("machine", cells, "pill", unknown=NOT_LOOKED_AT, words=order, tones=shades)


def _label(row: UserRow) -> str:
    demo = f" (demo until {row['demo_until']})" if row["demo_until"] else ""
    return f"{row['label'] or ''}{demo}".strip()
