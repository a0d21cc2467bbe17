"""The result of `usage`: table, JSON, CSV, HTML and metrics. Amounts are integers of micro-dollars, but for what readers see."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from provision.report.document import document
from provision.report.html.page import Bar, Page, Section, page
from provision.report.prometheus import Metric, metrics_text
from provision.report.terminal import plural, printable, table
from provision.usage.standing import MonthSpend, UsageStanding, dollars_of, totals_by_model, totals_by_team

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.usage.standing import UserUsage

_ROWS = 50
_TONES = {UsageStanding.OVER: "bad", UsageStanding.OK: "good", UsageStanding.NO_BUDGET: "neutral"}
_HEADERS = ("user", "profile", "state", "this month", "budget", "used in all", "left of cap", "requests", "why")


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The users of a run. `not_asked`: users without an answer, because the run was interrupted or the network is at fault."""

    users: Sequence[UserUsage]
    not_asked: Sequence[str]
    month: str
    since: str
    started: str
    requests_sent: int

    @property
    def counts(self) -> Counter[UsageStanding]:
        """The number of users by state."""
        return Counter(user.standing for user in self.users)


def summary_of_usage(report: UsageReport) -> str:
    """One line: users by state, and the spend of the month."""
    states = ", ".join(f"{report.counts[s]:,} {s}" for s in UsageStanding if report.counts[s]) or "no user asked"
    teams = totals_by_team(report.users)
    low, high = sum(t.low_micros for t in teams), sum(t.high_micros for t in teams)
    spent = dollars_of(low) if low == high else f"{dollars_of(low)} to {dollars_of(high)}"
    unknown = sum(t.unknown for t in teams)
    line = f"{plural(len(report.users), 'user')}: {states}; spent in {report.month}: {spent}"
    line += f", and {plural(unknown, 'key')} unknown" if unknown else ""
    if report.not_asked:
        line += f"; {len(report.not_asked):,} not asked (continue with --resume)"
    return line


def _spent(month: MonthSpend) -> str:
    if month.high is None:
        return "unknown"
    if month.exact is not None:
        return dollars_of(month.exact)
    return f"{dollars_of(month.low)} to {dollars_of(month.high)}"


def _cells(user: UserUsage) -> tuple[object, ...]:
    shared = f"; {plural(user.shared_with, 'other user')} with the same key" if user.shared_with else ""
    return (
        user.user,
        user.profile,
        user.standing,
        _spent(user.month),
        "-" if user.budget_micros is None else dollars_of(user.budget_micros),
        dollars_of(user.used_micros),
        "-" if user.remaining_micros is None else dollars_of(user.remaining_micros),
        "unknown" if user.requests is None else f"{user.requests:,}",
        user.reason + shared,
    )


def _ordered(users: Sequence[UserUsage], standing: UsageStanding) -> list[UserUsage]:
    """The users of one state, the highest spend first."""
    return sorted((u for u in users if u.standing is standing), key=lambda u: (-(u.month.high or u.month.low), u.user))


def _team_rows(report: UsageReport) -> list[tuple[object, ...]]:
    return [
        (t.name, t.users, f"{t.requests:,}", _spent(MonthSpend(t.low_micros, t.high_micros)), t.unknown or "-")
        for t in totals_by_team(report.users)
    ]


def _model_rows(report: UsageReport) -> list[tuple[object, ...]]:
    return [(m, f"{requests:,}", dollars_of(micros)) for m, requests, micros in totals_by_model(report.users)]


_TEAM_HEADERS = ("team", "users", "requests", "this month", "keys unknown")
_MODEL_HEADERS = ("model", "requests", "price")


def usage_table(report: UsageReport, *, everything: bool = False) -> Iterator[str]:
    """Teams, models, then the users that need attention, of each state the first fifty; with `everything` all users."""
    yield table([h.upper() for h in _TEAM_HEADERS], _team_rows(report)) + "\n"
    if models := _model_rows(report):
        yield table([h.upper() for h in _MODEL_HEADERS], models) + "\n"
    quiet = {UsageStanding.OK, UsageStanding.NO_BUDGET}
    for standing in UsageStanding:
        users = _ordered(report.users, standing)
        if not users or (standing in quiet and not everything):
            continue
        shown = users if everything else users[:_ROWS]
        yield table([h.upper() for h in _HEADERS], [_cells(user) for user in shown])
        if len(shown) < len(users):
            yield f"… and {len(users) - len(shown):,} more: --all or --format json shows them\n"
        yield "\n"
    yield printable(summary_of_usage(report)) + "\n"


def usage_json(report: UsageReport) -> Iterator[str]:
    """The document `provision/usage/v1`."""
    yield document(
        "usage/v1",
        month=report.month,
        since=report.since,
        users=[_fields(user) for user in report.users],
        teams=[asdict(total) for total in totals_by_team(report.users)],
        models=[{"model": m, "requests": r, "micros": c} for m, r, c in totals_by_model(report.users)],
        not_asked=list(report.not_asked),
        summary={
            "started": report.started,
            "states": {s.value: report.counts[s] for s in UsageStanding if report.counts[s]},
            "requests_sent": report.requests_sent,
        },
    )


def _fields(user: UserUsage) -> dict[str, object]:
    return {
        "user": user.user,
        "profile": user.profile,
        "key_fingerprint": user.fingerprint or None,
        "state": user.standing,
        "reason": user.reason,
        "month_low_micros": user.month.low,
        "month_high_micros": user.month.high,
        "budget_micros": user.budget_micros,
        "used_micros": user.used_micros,
        "remaining_micros": user.remaining_micros,
        "requests": user.requests,
        "models": [{"model": m, "requests": r, "micros": c} for m, r, c in user.by_model],
        "shared_with": user.shared_with,
    }


def usage_csv(report: UsageReport) -> Iterator[str]:
    """A line per user; amounts in micro-dollars, empty where unknown."""
    rows = [_fields(user) for user in report.users]
    names = [name for name in rows[0] if name != "models"] if rows else []
    lines: list[list[object]] = [list(names), *([row[name] for name in names] for row in rows)]
    for cells in lines:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(["" if cell is None else cell for cell in cells])
        yield line.getvalue()


def usage_html(report: UsageReport) -> Iterator[str]:
    """An HTML page: states, teams, models, users."""
    facts = [("month", report.month), ("requests since", report.since), ("read", report.started)]
    bars = [Bar(s, report.counts[s], _TONES.get(s, "unsure")) for s in UsageStanding if report.counts[s]]
    sections = [Section("teams", "a key that several users share counts once", _TEAM_HEADERS, _team_rows(report))]
    if models := _model_rows(report):
        sections.append(Section("models", "as far as the gateway names them", _MODEL_HEADERS, models))
    for s in UsageStanding:
        if report.counts[s]:
            rows = [_cells(user) for user in _ordered(report.users, s)]
            sections.append(Section(f"{s} ({report.counts[s]:,})", "", _HEADERS, rows, _TONES.get(s, "unsure")))
    return page(Page("Usage", summary_of_usage(report), facts, sections, "users by state", bars))


def usage_metrics(report: UsageReport) -> Iterator[str]:
    """Gauges by state and team; no label per user, which would be too many."""
    teams = totals_by_team(report.users)
    states = [({"state": s.value}, report.counts[s]) for s in UsageStanding]
    amounts = {
        "month_low_micros_usd": ("Lower bound of the month's spend, in micro-dollars.", [t.low_micros for t in teams]),
        "month_high_micros_usd": ("Upper bound of the month's spend, as far as known.", [t.high_micros for t in teams]),
        "unknown_keys": ("Keys whose spend the gateway does not say.", [t.unknown for t in teams]),
    }
    yield metrics_text(
        [
            Metric("provision_usage_users", "Users by state of their spending.", states),
            Metric("provision_usage_not_asked_users", "Users not asked in this run.", [({}, len(report.not_asked))]),
            *(
                Metric(
                    f"provision_usage_{name}",
                    help_,
                    [({"team": t.name}, n) for t, n in zip(teams, values, strict=True)],
                )
                for name, (help_, values) in amounts.items()
            ),
        ]
    )
