"""The result of `validate`: table, JSON, JUnit and HTML, written in pieces.

Results are read from the journal as often as needed; they are never all in memory.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from provision.aisa.advice import NETWORK, NOT_ASKED
from provision.aisa.verdicts import INCONCLUSIVE, Verdict
from provision.report.html.grid import Column, Grid
from provision.report.html.page import Group, Page, Section, Tile, page
from provision.report.html.when import When
from provision.report.junit import Case, Suite, junit
from provision.report.terminal import plural, printable, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from provision.aisa.batch import BatchOutcome
    from provision.aisa.results import FailingRoute, ValidationResult

SCHEMA = "provision/validate/v1"
ROWS_PER_VERDICT = 50
_NOT_ASKED = "not asked"
_NULL_IF_EMPTY = ("code", "request_id", "key_fingerprint")


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """A finished batch. `results` and `not_asked` return a new iterator at each call."""

    outcome: BatchOutcome
    results: Callable[[], Iterator[ValidationResult]]
    not_asked: Callable[[], Iterator[str]]
    started: str
    probes: tuple[str, ...]
    counts: Counter[Verdict]
    catalogue: str

    @property
    def users(self) -> int:
        """The number of all users, asked or not."""
        return self.counts.total() + self.outcome.not_asked


def count_verdicts(results: Iterator[ValidationResult]) -> Counter[Verdict]:
    """How many users got each verdict."""
    return Counter(result.verdict for result in results)


def as_json(report: ValidationReport) -> Iterator[str]:
    """The document `provision/validate/v1`."""
    yield '{\n  "schema": ' + json.dumps(SCHEMA) + ',\n  "users": ['
    comma = "\n    "
    for result in report.results():
        yield comma + json.dumps(_public(result))
        comma = ",\n    "
    yield '\n  ],\n  "not_asked": ['
    comma = "\n    "
    for user in report.not_asked():
        yield comma + json.dumps(user)
        comma = ",\n    "
    routes = [_route(route) for route in report.outcome.routes]
    yield '\n  ],\n  "routes": ' + json.dumps(routes, indent=2).replace("\n", "\n  ")
    yield (',\n  "summary": ' + json.dumps(_summary(report), indent=2).replace("\n", "\n  ") + "\n}\n")


def _public(result: ValidationResult) -> dict[str, Any]:
    fields = result.fields()
    return {name: (value or None) if name in _NULL_IF_EMPTY else value for name, value in fields.items()}


def _route(route: FailingRoute) -> dict[str, Any]:
    return {
        "model": route.model,
        "api_mode": route.api_mode,
        "base_url": route.base_url,
        "verdict": route.verdict,
        "users": route.users,
        "working_model": route.working_model,
    }


def _summary(report: ValidationReport) -> dict[str, Any]:
    outcome = report.outcome
    return {
        "started": report.started,
        "probes": list(report.probes),
        "users": report.users,
        "verdicts": {verdict.value: report.counts[verdict] for verdict in Verdict if report.counts[verdict]},
        "asked": outcome.asked,
        "resumed": report.counts.total() - outcome.asked,
        "not_asked": outcome.not_asked,
        "requests": outcome.requests,
        "paid_calls": outcome.paid_calls,
        "elapsed_s": round(outcome.elapsed_s, 3),
        "interrupted": outcome.interrupted,
        "network_at_fault": outcome.network_at_fault,
        "catalogue": report.catalogue,
    }


def as_table(report: ValidationReport, *, everything: bool = False) -> Iterator[str]:
    """Users by verdict, certain failures first; of each verdict the first fifty unless `everything`."""
    kept: dict[Verdict, list[ValidationResult]] = {}
    for result in report.results():
        rows = kept.setdefault(result.verdict, [])
        if everything or (result.verdict is not Verdict.OK and len(rows) < ROWS_PER_VERDICT):
            rows.append(result)
    for verdict in _order():
        count = report.counts[verdict]
        if not count:
            continue
        yield f"{verdict} · {plural(count, 'user')}\n"
        yield from _by_advice(kept.get(verdict, []))
        if len(kept.get(verdict, [])) < count and verdict is not Verdict.OK:
            more = count - len(kept[verdict])
            yield f"  … and {more:,} more: --all or --format json shows them\n"
        yield "\n" if kept.get(verdict) else ""
    yield from _route_lines(report.outcome.routes)
    yield summary_line(report) + "\n"


def _order() -> list[Verdict]:
    failures = [v for v in Verdict if v is not Verdict.OK and v not in INCONCLUSIVE]
    return [Verdict.OK, *failures, *(v for v in Verdict if v in INCONCLUSIVE)]


def _by_advice(results: list[ValidationResult]) -> Iterator[str]:
    groups: dict[str, list[ValidationResult]] = {}
    for result in results:
        groups.setdefault(result.advice, []).append(result)
    headers = ("USER", "PROFILE", "MODEL", "API MODE", "KEY", "HTTP", "CODE", "REQUEST", "TRIES")
    for text, group in groups.items():
        rows = [
            (
                r.user,
                r.profile,
                r.model,
                r.api_mode,
                r.key_fingerprint,
                r.http_status or "-",
                r.code,
                r.request_id,
                r.attempts,
            )
            for r in group
        ]
        yield table(headers, rows, indent=2)
        yield f"  -> {printable(text)}\n"
        named = dict.fromkeys(s for r in group for s in r.suggestions)
        if named and not all(s in text for s in named):
            yield f"     perhaps: {printable(', '.join(list(named)[:5]))}\n"


def _route_lines(routes: tuple[FailingRoute, ...]) -> Iterator[str]:
    if routes:
        headers = ("FAILING ROUTE", "API MODE", "BASE URL", "USERS", "WORKS INSTEAD")
        rows = [(r.model, r.api_mode, r.base_url, r.users, r.working_model or "-") for r in routes]
        yield table(headers, rows) + "\n"


def summary_line(report: ValidationReport) -> str:
    """One line: the number of users, their verdicts, and how the run ended."""
    verdicts = ", ".join(f"{report.counts[v]:,} {v}" for v in _order() if report.counts[v]) or "no user asked"
    line = f"{plural(report.users, 'user')}: {verdicts}"
    if report.outcome.not_asked:
        line += f"; {report.outcome.not_asked:,} not asked (continue with --resume)"
    if report.outcome.network_at_fault:
        line += f"; {NETWORK}"
    return line


def as_junit(report: ValidationReport) -> Iterator[str]:
    """A JUnit document: certain failures are failures, inconclusive verdicts are errors, users not asked are skipped."""
    unsure = sum(report.counts[v] for v in INCONCLUSIVE)
    failed = report.counts.total() - report.counts[Verdict.OK] - unsure
    outcome = report.outcome
    suite = Suite("provision validate", report.users, failed, unsure, outcome.not_asked, outcome.elapsed_s)
    return junit(suite, _cases(report))


def _cases(report: ValidationReport) -> Iterator[Case]:
    for r in report.results():
        kind = "error" if r.verdict in INCONCLUSIVE else "failure"
        if r.verdict is Verdict.OK:
            yield Case(r.user, r.profile, "passed", time_s=r.elapsed_ms / 1000)
        else:
            yield Case(r.user, r.profile, kind, r.verdict, r.advice, r.elapsed_ms / 1000)  # type: ignore[arg-type]
    for user in report.not_asked():
        yield Case(user, "", "skipped", "", NOT_ASKED)


def verdict_tone(verdict: Verdict) -> str:
    """The tone of a verdict in HTML: good, bad or unsure."""
    return "good" if verdict is Verdict.OK else "unsure" if verdict in INCONCLUSIVE else "bad"


def as_html(report: ValidationReport) -> Iterator[str]:
    """An HTML page with a tile per verdict, what to do about each cause, the failing routes, and every user, worst first."""
    outcome = report.outcome
    facts: list[tuple[str, str | When]] = [
        ("started", When.read(report.started)),
        ("users", f"{report.users:,}"),
        ("probes", ", ".join(report.probes)),
        ("requests", f"{outcome.requests:,} ({outcome.paid_calls:,} paid)"),
        ("took", f"{outcome.elapsed_s:.1f} s"),
    ]
    if outcome.not_asked:
        facts.append(
            ("not asked", f"{plural(outcome.not_asked, 'user')}: {NETWORK if outcome.network_at_fault else NOT_ASKED}")
        )
    order = _worst_first()
    tones = {verdict.value: verdict_tone(verdict) for verdict in order} | {_NOT_ASKED: "neutral"}
    counts = {verdict.value: report.counts[verdict] for verdict in order} | {_NOT_ASKED: outcome.not_asked}
    tiles = [Tile(f"{n:,}", word, "", tones[word], "grid-title", word) for word, n in counts.items() if n]
    tone = next((tones[word] for word, n in counts.items() if n), "neutral")
    return page(
        Page(
            "Gateway validation",
            summary_line(report),
            facts,
            _sections(report),
            verdict_tone="unsure" if tone == "good" and outcome.not_asked else tone,
            tiles=tiles,
            groups=_groups(report),
            grid=_grid(report, tones),
        )
    )


def _worst_first() -> list[Verdict]:
    return [*(verdict for verdict in _order() if verdict is not Verdict.OK), Verdict.OK]


def _groups(report: ValidationReport) -> list[Group]:
    """Users whose verdict has the same advice; the first of them by name."""
    counts: Counter[tuple[Verdict, str]] = Counter()
    names: dict[tuple[Verdict, str], list[str]] = {}
    for result in report.results():
        if result.verdict is not Verdict.OK:
            cause = (result.verdict, result.advice)
            counts[cause] += 1
            if counts[cause] <= ROWS_PER_VERDICT:
                names.setdefault(cause, []).append(result.user)
    rank = {verdict: at for at, verdict in enumerate(_worst_first())}
    return [
        Group(f"cause-{at}", n, advice or verdict, verdict, verdict_tone(verdict), "", shown, n - len(shown))
        for at, ((verdict, advice), n) in enumerate(sorted(counts.items(), key=lambda found: rank[found[0][0]]))
        if (shown := names[verdict, advice])
    ]


def _grid(report: ValidationReport, tones: Mapping[str, str]) -> Grid | None:
    """All users, asked or not, worst first. Each column is a list of texts, of which equal ones are stored once."""
    if not report.users:
        return None
    names = ("user", "profile", "model", "API mode", "key", "HTTP", "code", "request")
    by_verdict: dict[str, list[list[str | None]]] = {word: [[] for _ in names] for word in tones}
    same: dict[str, str] = {}
    for r in report.results():
        http = str(r.http_status) if r.http_status else None
        cells = (r.user, r.profile, r.model, r.api_mode, r.key_fingerprint, http, r.code, r.request_id)
        for column, cell in zip(by_verdict[r.verdict.value], cells, strict=True):
            column.append(same.setdefault(cell, cell) if cell else None)
    for user in report.not_asked():
        for column, cell in zip(by_verdict[_NOT_ASKED], (user, *(None for _ in names[1:])), strict=True):
            column.append(cell)
    columns = {
        name: list(chain.from_iterable(part[at] for part in by_verdict.values())) for at, name in enumerate(names)
    }
    verdicts = list(chain.from_iterable([word] * len(part[0]) for word, part in by_verdict.items()))
    shown = [Column(name, cells, shown=name not in {"API mode", "request"}) for name, cells in columns.items()]
    shown.insert(1, Column("verdict", verdicts, "pill", words=list(tones), tones=tones))
    return Grid("Users", "user", shown, "verdict", "a name, profile:engineering, verdict:unfunded, request:req_…")


def _sections(report: ValidationReport) -> Iterator[Section]:
    if report.outcome.routes:
        rows = [(r.model, r.api_mode, r.base_url, r.users, r.working_model or "-") for r in report.outcome.routes]
        note = "these models answer 502 for all their users: the route is at fault, not the users' keys"
        yield Section(
            "Failing routes", note, ("model", "API mode", "base URL", "users", "works instead"), rows, "unsure"
        )
