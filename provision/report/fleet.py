"""The result of `provision report`, the fleet on one page: every user's key and its age, verdict, machine, rotation and leaks.

It only shows what the workspace holds and the results it was given. A column of the users' table is an entry in `USER_COLUMNS`.

Written in pieces, with at most `MOST_ROWS` rows per table: 10,000 users need no extra memory, and the page of a million users
still opens in a browser.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from provision.aisa.verdicts import INCONCLUSIVE, Verdict
from provision.audit.document import finding_json
from provision.errors import Severity
from provision.keys.policy import ADVISED_DAYS
from provision.report.html import Bar, Page, Section, page
from provision.report.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from provision.audit.result import Audit
    from provision.fleet.desired import DesiredState
    from provision.keys.events.log import RecordedEvent, Verified
    from provision.keys.policy import KeyFinding
    from provision.keys.vault.ledger import KeyVersion, Ledger
    from provision.report.validation_reader import ValidatedUser, ValidationDocument
    from provision.rotate.rotation import Rotation

UserRow = dict[str, Any]
"""A user in `provision/report/v1`."""
MOST_ROWS = 10_000
_TEXT = 300
_AGES = ((30, "keys under 30 days", "good"), (60, "30 to 59 days", "good"), (ADVISED_DAYS, "60 to 89 days", "unsure"))


@dataclass(frozen=True, slots=True)
class FleetReport:
    """Everything that is shown. `validated`, `audit` and `standings` are None when they were not given."""

    workspace: str
    at: datetime
    states: Sequence[DesiredState]
    ledger: Ledger
    findings: Sequence[KeyFinding]
    rotations: Sequence[Rotation]
    events: Sequence[RecordedEvent]
    log: Verified
    validated: ValidationDocument | None = None
    audit: Audit | None = None
    standings: Mapping[str, tuple[str, ...]] | None = None

    @property
    def has_findings(self) -> bool:
        """Whether there is a finding: an error about a key, a certain failure, a leak, a log that fails verification."""
        answers = self.validated.users if self.validated else ()
        return (
            any(f.severity is Severity.ERROR for f in self.findings)
            or any(a.verdict is not Verdict.OK and a.verdict not in INCONCLUSIVE for a in answers)
            or bool(self.audit and self.audit.findings)
            or bool(self.log.faults)
        )


def as_json(report: FleetReport) -> Iterator[str]:
    """The document `provision/report/v1`, one user at a time."""
    head = {
        "schema": "provision/report/v1",
        "workspace": report.workspace,
        "at": report.at.isoformat(timespec="seconds"),
        "ok": not report.has_findings,
        "summary": _summary(report),
    }
    yield json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}") + ',\n  "users": ['
    comma = "\n    "
    for row in _users(report):
        yield comma + json.dumps(row, ensure_ascii=False)
        comma = ",\n    "
    tail = {
        "key_findings": [_key_finding(f) for f in report.findings],
        "rotations": [_rotation(r) for r in report.rotations],
        "audit": [finding_json(f) for f in report.audit.findings] if report.audit else None,
        "log": {"events": report.log.count, "head": report.log.head, "faults": [f.what for f in report.log.faults]},
    }
    yield "\n  ],\n" + json.dumps(tail, ensure_ascii=False, indent=2).removeprefix("{\n") + "\n"


def as_html(report: FleetReport) -> Iterator[str]:
    """The HTML page: a single file that loads nothing."""
    summary = _summary(report)
    facts = [
        ("workspace", report.workspace),
        ("as of", report.at.isoformat(timespec="seconds")),
        ("users", f"{summary['users']:,}, {summary['without_key']:,} of them without a current key in the vault"),
        ("gateway", _gateway(report)),
        ("audit", _audited(report)),
        ("event log", _logged(report)),
    ]
    subtitle = "something needs attention" if report.has_findings else "nothing needs attention"
    return page(Page("The fleet", subtitle, facts, "current keys by age", _bars(report), _sections(report)))


def _summary(report: FleetReport) -> dict[str, Any]:
    verdicts = Counter(a.verdict.value for a in report.validated.users) if report.validated else None
    severities = Counter(f.severity.value for f in report.audit.findings) if report.audit else None
    standings = (
        Counter(s for each in report.standings.values() for s in each or ("current",)) if report.standings else None
    )
    return {
        "users": len(report.states),
        "without_key": sum(report.ledger.current(state.user) is None for state in report.states),
        "key_findings": dict(sorted(Counter(f.rule for f in report.findings).items())),
        "verdicts": dict(sorted(verdicts.items())) if verdicts is not None else None,
        "audit": dict(sorted(severities.items())) if severities is not None else None,
        "endpoints": dict(sorted(standings.items())) if standings is not None else None,
        "rotations": len(report.rotations),
    }


def _users(report: FleetReport) -> Iterator[UserRow]:
    """One row per user, as it is in JSON; `USER_COLUMNS` shows it in HTML."""
    answers = {a.user: a for a in report.validated.users} if report.validated else {}
    leaks = Counter(f.owner for f in report.audit.findings) if report.audit else None
    rotating = {p.user: p.state.value for r in report.rotations for p in r.people.values() if not p.over}
    for state in report.states:
        key = report.ledger.current(state.user)
        answer = answers.get(state.user)
        standing = report.standings.get(state.user) if report.standings is not None else None
        yield {
            "user": state.user,
            "profile": state.profile.name,
            "model": state.profile.model,
            "key": key.fingerprint if key else None,
            "label": key.label if key else None,
            "age_days": key.age_days(report.at) if key else None,
            "max_age_days": state.profile.key_max_age_days or ADVISED_DAYS,
            "demo_until": key.demo_until.isoformat() if key and key.demo_until else None,
            "verdict": _verdict(answer, key),
            "endpoint": list(standing) or ["current"] if standing is not None else None,
            "rotation": rotating.get(state.user),
            "leaks": leaks[state.user] if leaks is not None else None,
        }


def _verdict(answer: ValidatedUser | None, key: KeyVersion | None) -> str | None:
    """The verdict; None if it was about another key than the current one, which then was not validated."""
    if answer is None or (key and answer.key_fingerprint and answer.key_fingerprint != key.fingerprint):
        return None
    return answer.verdict.value


def _key_finding(finding: KeyFinding) -> dict[str, Any]:
    key = finding.key
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "user": key.user,
        "version": key.version,
        "stage": key.stage.value,
        "fingerprint": key.fingerprint,
        "message": finding.message,
        "cure": finding.cure,
    }


def _rotation(rotation: Rotation) -> dict[str, Any]:
    states = {state.value: count for state, count in sorted(rotation.counts().items())}
    return {"id": rotation.id, "kind": rotation.terms.kind.value, "who": rotation.terms.who, "states": states}


def _gateway(report: FleetReport) -> str:
    if report.validated is None:
        return "not validated: run provision validate --format json -o FILE, then --validated FILE"
    counts = Counter(a.verdict for a in report.validated.users)
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.most_common()) or "no users"
    return f"{verdicts} ({report.validated.started})"


def _audited(report: FleetReport) -> str:
    if report.audit is None:
        return "not audited: run provision audit --format json -o FILE, then --audited FILE"
    return f"{plural(len(report.audit.findings), 'finding')} on {report.audit.host} ({report.audit.started})"


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
            counts[next((label for most, label, _ in _AGES if age < most), "90 days and more")] += 1
    tones = [*((label, tone) for _, label, tone in _AGES), ("90 days and more", "bad")]
    return [Bar(label, counts[label], tone) for label, tone in tones if counts[label]]


def _sections(report: FleetReport) -> Iterator[Section]:
    yield from _attention(report)
    if report.rotations:
        headers = ("rotation", "kind", "by", "users by state")
        unfinished = [
            (r.id, r.terms.kind, r.terms.who, ", ".join(f"{n:,} {s}" for s, n in sorted(r.counts().items())))
            for r in report.rotations
        ]
        yield Section("rotations under way", "see: provision rotate status", headers, unfinished, "unsure")
    rows = (tuple(cell(row) for cell in USER_COLUMNS.values()) for row in _users(report))
    yield _bounded("users", len(report.states), tuple(USER_COLUMNS), rows)
    newest = [
        (f"{e.event.at:%Y-%m-%d %H:%M}", e.event.who, e.event.what, e.event.user, e.event.fingerprint)
        for e in reversed(report.events)
    ]
    if newest:
        yield Section("newest events", "see: provision keys log", ("when (UTC)", "who", "what", "user", "key"), newest)


def _attention(report: FleetReport) -> Iterator[Section]:
    """What needs attention, each with what to do."""
    if report.log.faults:
        yield Section("event log", "", ("line", "what"), [(f.line or "-", f.what) for f in report.log.faults], "bad")
    if report.findings:
        errors = any(f.severity is Severity.ERROR for f in report.findings)
        worst_first = sorted(report.findings, key=lambda f: f.severity is not Severity.ERROR)
        keys = ((f.severity, f.key.user, f.key.fingerprint, f.message, f.cure) for f in worst_first)
        headers = ("severity", "user", "key", "what", "what to do")
        yield _bounded("keys", len(report.findings), headers, keys, "bad" if errors else "unsure")
    failed = [a for a in report.validated.users if a.verdict is not Verdict.OK] if report.validated else []
    if failed:
        answers = ((a.user, a.verdict, a.key_fingerprint or "-", a.advice) for a in failed)
        yield _bounded("gateway", len(failed), ("user", "verdict", "key", "what to do"), answers, "bad")
    if report.audit and report.audit.findings:
        found = report.audit.findings
        leaks = ((f.severity, f.owner or "-", f.place, f.message, f.cure) for f in found)
        yield _bounded(
            "leaks and hijacked routes", len(found), ("severity", "whose", "where", "what", "what to do"), leaks, "bad"
        )
    if report.standings:
        behind = [(user, ", ".join(names)) for user, names in report.standings.items() if names]
        if behind:
            yield _bounded("machines", len(behind), ("user", "standing"), behind, "unsure")


def _bounded(
    title: str, count: int, headers: Sequence[str], rows: Iterable[Sequence[object]], tone: str = "neutral"
) -> Section:
    note = f"the first {MOST_ROWS:,} of {count:,}: --format json has them all" if count > MOST_ROWS else ""
    short = (tuple(_short(str(cell)) for cell in row) for row in islice(rows, MOST_ROWS))
    return Section(f"{title} ({count:,})", note, headers, short, tone)


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def _label(row: UserRow) -> str:
    demo = f" (demo until {row['demo_until']})" if row["demo_until"] else ""
    return f"{row['label'] or ''}{demo}".strip()


USER_COLUMNS: Mapping[str, Callable[[UserRow], object]] = {
    "user": lambda row: row["user"],
    "profile": lambda row: row["profile"],
    "model": lambda row: row["model"],
    "key": lambda row: row["key"] or "none",
    "label": _label,
    "age": lambda row: "-" if row["age_days"] is None else f"{row['age_days']} d",
    "at most": lambda row: f"{row['max_age_days']} d",
    "gateway": lambda row: row["verdict"] or "-",
    "machine": lambda row: "-" if row["endpoint"] is None else ", ".join(row["endpoint"]),
    "rotation": lambda row: row["rotation"] or "-",
    "leaks": lambda row: "-" if row["leaks"] is None else row["leaks"],
}
"""The columns of the users' table in HTML: header, and the cell for a user's row."""
