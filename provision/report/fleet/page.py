"""The page of the fleet: first what is wrong and what to do, then progress and trend, then all users, then the evidence.

What needs attention is defined in `report/attention.py`, how a cause is presented in `groups.py`, a column in `rows.py`.
Tables other than the grid have at most `MOST_ROWS` rows: the page of a million users still opens in a browser.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import provision
from provision.errors import Severity
from provision.keys.policy import ADVISED_DAYS
from provision.report.attention import AttentionCause
from provision.report.fleet.document import outdated, states_of, unverified
from provision.report.fleet.groups import KINDS, anchor, groups, headline
from provision.report.fleet.rows import AS_FAR_AS_KNOWN, IN_ORDER, NOT_LOOKED_AT, count_in_order, grid
from provision.report.html.charts import TrendLine
from provision.report.html.page import Bar, Page, Section, Tile, page
from provision.report.html.when import When
from provision.report.rotation import wave_bars
from provision.report.terminal import plural
from provision.rotate.states import INSTALLED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from provision.audit.finding import Finding
    from provision.audit.machines import AuditedMachine
    from provision.report.fleet.results import FleetReport
    from provision.report.fleet.trend import DaySummary

MOST_ROWS = 1_000
_TEXT = 300
_PLACES = 20
_MONTH = timedelta(days=30)
_OLDEST = "90 days and more"
_AGES = ((30, "under 30 days", "good"), (60, "30 to 59 days", "good"), (ADVISED_DAYS, "60 to 89 days", "unsure"))


def as_html(report: FleetReport, earlier: Sequence[DaySummary] = (), *, reload_s: int = 0) -> Iterator[str]:
    """The HTML page: a single file that loads nothing. `earlier`: the summaries of other days."""
    said, tone = headline(report)
    return page(
        Page(
            report.workspace,
            said,
            _facts(report),
            _sections(report),
            "Current keys by age",
            _bars(report),
            verdict_tone=tone,
            tiles=tuple(_tiles(report, earlier)),
            groups=groups(report.attention),
            progress=[
                bar
                for rotation in report.rotations
                for bar in wave_bars(rotation, None if report.complete else report.users)
            ],
            trend=_trend(report, earlier),
            grid=grid(report),
            footer=f"provision {provision.__version__} · no secret is on this page",
            reload_s=reload_s,
        )
    )


def _tiles(report: FleetReport, earlier: Sequence[DaySummary]) -> Iterator[Tile]:
    before = next((day for day in reversed(earlier) if day.day < report.at.date()), None)
    in_order, users = count_in_order(report), max(len(report.states), 1)
    yield Tile(f"{in_order:,}", IN_ORDER, f"{100 * in_order // users} %", "good", "grid-title", IN_ORDER)
    if known := report.quiet - in_order:
        note = _change("not all looked at", report.quiet, before.quiet if before else None)
        yield Tile(f"{known:,}", AS_FAR_AS_KNOWN, note, "neutral", "grid-title", AS_FAR_AS_KNOWN)
    for cause, count in report.attention_counts.items():
        kind = KINDS[AttentionCause(cause)]
        note = _change(kind.pill, count, before.causes.get(cause, 0) if before else None)
        spark = _by_day(f"{cause}, by day", report, count, [(day.day, day.causes.get(cause, 0)) for day in earlier])
        yield Tile(f"{count:,}", cause, note, kind.tone, anchor(AttentionCause(cause)), cause, spark)
    for rotation in report.rotations:
        states = states_of(rotation, report)
        done, total = sum(states[state] for state in INSTALLED), sum(states.values())
        wave = f"wave {rotation.open_wave() + 1} of {len(rotation.waves())}"
        yield Tile(f"{100 * done // max(total, 1)} %", "rotation", wave, "neutral", "progress")


def _change(note: str, now: int, before: int | None) -> str:
    if before is None or now == before:
        return note
    return f"{note} · {'▲' if now > before else '▼'} {abs(now - before):,}"


def _trend(report: FleetReport, earlier: Sequence[DaySummary]) -> TrendLine | None:
    title = "Users of whom nothing needs attention, by day"
    return _by_day(title, report, report.quiet, [(day.day, day.quiet) for day in earlier])


def _by_day(title: str, report: FleetReport, now: int, earlier: Sequence[tuple[date, int]]) -> TrendLine | None:
    """The last month and today; None if there was no report before."""
    today = report.at.date()
    points = [(day, count) for day, count in earlier if today - _MONTH <= day < today]
    return TrendLine(title, [*points, (today, now)]) if points else None


def _facts(report: FleetReport) -> list[tuple[str, str | When]]:
    without = sum(report.ledger.current(state.user) is None for state in report.states)
    return [
        ("workspace", report.workspace),
        ("as of", When(report.at, report.at)),
        ("users", f"{len(report.states):,}, {without:,} of them without a current key in the vault"),
        ("gateway", _gateway(report)),
        *([("gateway asked", When.read(report.validated.started, report.at))] if report.validated else []),
        ("audit", _audited(report)),
        *([("oldest audit", When.read(min(m.started for m in report.machines), report.at))] if report.machines else []),
        ("machines", _machines(report)),
        *([("last receipt", When(heard, report.at))] if (heard := _last_heard(report)) else []),
        ("event log", _logged(report)),
    ]


def _gateway(report: FleetReport) -> str:
    if report.validated is None:
        return "not looked at: run provision validate --format json -o FILE, then --validated FILE"
    counts = Counter(a.verdict for a in report.answers)
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.most_common()) or "no users"
    old = outdated(report)
    rest = f"; {plural(old, 'answer')} about a key that is no longer current not counted" if old else ""
    return f"{verdicts}{rest}"


def _audited(report: FleetReport) -> str:
    if report.audited is None:
        return "not looked at: run provision audit --format json -o FILE, then --audited FILE"
    machines = report.machines
    if not machines:
        return "not looked at: no audit of these users' machines"
    where = machines[0].name if len(machines) == 1 else plural(len(machines), "machine")
    unread = sum(machine.unread for machine in machines)
    rest = f"; {plural(unread, 'file')} not read" if unread else ""
    return f"{plural(len(report.leaks), 'finding')} on {where}{rest}"


def _machines(report: FleetReport) -> str:
    if not report.endpoints:
        return "not looked at: no receipts"
    current, unsure = sum(not machine.standings for machine in report.endpoints), unverified(report)
    known = f", {unsure:,} of them with an unverified Hermes: ok as far as known" if unsure else ""
    return f"{current:,} of {len(report.endpoints):,} current{known}"


def _last_heard(report: FleetReport) -> datetime | None:
    return max((machine.heard for machine in report.endpoints or () if machine.heard), default=None)


def _logged(report: FleetReport) -> str:
    if report.log.faults:
        return f"FAILS VERIFICATION: {report.log.faults[0].what}"
    return f"{plural(report.log.count, 'event')}, the chain is intact"


def _bars(report: FleetReport) -> list[Bar]:
    counts: Counter[str] = Counter()
    for state in report.states:
        key = report.ledger.current(state.user)
        if key:
            age = key.age_days(report.at)
            counts[next((label for most, label, _ in _AGES if age < most), _OLDEST)] += 1
    tones = [*((label, tone) for _, label, tone in _AGES), (_OLDEST, "bad")]
    return [Bar(label, counts[label], tone) for label, tone in tones if counts[label]]


def _sections(report: FleetReport) -> Iterator[Section]:
    if report.findings:
        worst_first = sorted(report.findings, key=lambda f: f.severity is not Severity.ERROR)
        keys = ((f.severity, f.key.user, f.key.fingerprint, f.message, f.cure) for f in worst_first)
        headers = ("severity", "user", "key", "what", "what to do")
        yield _bounded("Keys", len(report.findings), headers, keys)
    yield from _routes(report)
    yield from _leaks(report)
    newest = [
        (When(e.event.at, report.at), e.event.who, e.event.what, e.event.user, e.event.fingerprint)
        for e in reversed(report.events)
    ]
    if newest:
        yield Section("Newest events", "see: provision keys log", ("when", "who", "what", "user", "key"), newest)


def _routes(report: FleetReport) -> Iterator[Section]:
    """Users by the model and gateway they are set up with, and the gateway's verdicts on each."""
    verdicts = {a.user: a.verdict.value for a in report.answers}
    found: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for state in report.states:
        profile = state.profile
        verdict = verdicts.get(state.user, NOT_LOOKED_AT)
        found[profile.base_url, profile.model, profile.api_mode.value][verdict] += 1
    rows = [
        (url, model, mode, f"{counts.total():,}", ", ".join(f"{n:,} {verdict}" for verdict, n in counts.most_common()))
        for (url, model, mode), counts in sorted(found.items(), key=lambda item: -item[1].total())
    ]
    yield _bounded("Gateway routes", len(rows), ("base URL", "model", "API mode", "users", "gateway says"), rows)


def _leaks(report: FleetReport) -> Iterator[Section]:
    """Findings of audits: keys with all their places, most places first, then the others."""
    places: defaultdict[str, list[tuple[AuditedMachine, Finding]]] = defaultdict(list)
    for machine, finding in report.leaks:
        places[finding.fingerprint or ""].append((machine, finding))
    others = places.pop("", [])
    keys = []
    for fingerprint, found in sorted(places.items(), key=lambda item: -len(item[1])):
        finding = found[0][1]
        named = [f"{machine.name}: {each.place}" for machine, each in found]
        more = f"; … and {len(named) - _PLACES:,} more" if len(named) > _PLACES else ""
        what = f"{finding.message}, in {plural(len(named), 'place')}"
        keys.append((finding.owner or "-", fingerprint, what, "; ".join(named[:_PLACES]) + more, finding.cure))
    if keys:
        yield _bounded("Leaked keys", len(keys), ("whose", "key", "what", "where", "what to do"), keys, "bad")
    if others:
        rows = ((f.severity, m.name, f.place, f.message, f.cure) for m, f in others)
        headers = ("severity", "machine", "where", "what", "what to do")
        yield _bounded("Other findings", len(others), headers, rows, "unsure")


def _bounded(
    title: str, count: int, headers: Sequence[str], rows: Iterable[Sequence[object]], tone: str = "neutral"
) -> Section:
    note = f"the first {MOST_ROWS:,} of {count:,}: --format json has them all" if count > MOST_ROWS else ""
    short = (tuple(_short(str(cell)) for cell in row) for row in islice(rows, MOST_ROWS))
    return Section(f"{title} ({count:,})", note, headers, short, tone)


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
