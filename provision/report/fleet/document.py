"""The result of `provision report`, the fleet on one page: every user's key and its age, verdict, machine, rotation and leaks.

It only shows what the workspace holds and the results it was given. A column of the users' table is an entry in `USER_COLUMNS`;
what needs attention is defined in `attention.py`. Only users in `states` are shown, whatever the results are about.

Written in pieces, with at most `MOST_ROWS` rows per table: 10,000 users need no extra memory, and the page of a million users
still opens in a browser.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from provision.aisa.verdicts import Verdict
from provision.audit.document import finding_json
from provision.errors import Severity
from provision.keys.policy import ADVISED_DAYS
from provision.report import attention
from provision.report.html.page import Bar, Page, Section, page
from provision.report.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from provision.audit.finding import Finding
    from provision.audit.machines import AuditedMachine
    from provision.keys.policy import KeyFinding
    from provision.report.fleet.results import FleetReport
    from provision.rotate.rotation import Rotation
    from provision.rotate.states import State

UserRow = dict[str, Any]
"""A user in `provision/report/v1`."""
MOST_ROWS = 10_000
_TEXT = 300
_NOT_LOOKED_AT = "not looked at"
_AGES = ((30, "keys under 30 days", "good"), (60, "30 to 59 days", "good"), (ADVISED_DAYS, "60 to 89 days", "unsure"))


def as_json(report: FleetReport) -> Iterator[str]:
    """The document `provision/report/v1`, one user at a time."""
    head = {
        "schema": "provision/report/v1",
        "workspace": report.workspace,
        "at": report.at.isoformat(timespec="seconds"),
        "ok": not report.has_findings,
        "attention": report.attention_counts(),
        "not_looked_at": list(report.not_looked_at()),
        "summary": _summary(report),
    }
    yield json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}") + ',\n  "users": ['
    comma = "\n    "
    for row in _users(report):
        yield comma + json.dumps(row, ensure_ascii=False)
        comma = ",\n    "
    tail = {
        "key_findings": [_key_finding(f) for f in report.findings],
        "rotations": [_rotation(r, report) for r in report.rotations],
        "audit": [_leak(m, f) for m, f in report.leaks()] if report.audited is not None else None,
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
        ("machines", _machines(report)),
        ("event log", _logged(report)),
    ]
    return page(Page("The fleet", _subtitle(report), facts, "current keys by age", _bars(report), _sections(report)))


def _subtitle(report: FleetReport) -> str:
    counts, missing = report.attention_counts(), ", ".join(report.not_looked_at())
    if counts:
        said = "something needs attention: " + ", ".join(f"{count:,} {cause}" for cause, count in counts.items())
        return f"{said} (not looked at: {missing})" if missing else said
    return (
        f"nothing needs attention in what was looked at; not looked at: {missing}"
        if missing
        else "nothing needs attention"
    )


def _summary(report: FleetReport) -> dict[str, Any]:
    answers = report.answers()
    verdicts = Counter(a.verdict.value for a in answers) if report.validated else None
    severities = Counter(f.severity.value for _, f in report.leaks()) if report.audited is not None else None
    standings = (
        Counter(s for each in report.standings.values() for s in each or ("current",)) if report.standings else None
    )
    return {
        "users": len(report.states),
        "without_key": sum(report.ledger.current(state.user) is None for state in report.states),
        "key_findings": dict(sorted(Counter(f.rule for f in report.findings).items())),
        "verdicts": dict(sorted(verdicts.items())) if verdicts is not None else None,
        "outdated_verdicts": _outdated(report) if report.validated else None,
        "audit": dict(sorted(severities.items())) if severities is not None else None,
        "endpoints": dict(sorted(standings.items())) if standings is not None else None,
        "unverified": report.unverified if standings is not None else None,
        "rotations": len(report.rotations),
    }


def _users(report: FleetReport) -> Iterator[UserRow]:
    """One row per user, as it is in JSON; `USER_COLUMNS` shows it in HTML."""
    answers = {a.user: a for a in report.answers()}
    leaks = Counter(f.owner or m.user for m, f in report.leaks())
    audited = {m.user for m in report.machines()}
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
            "verdict": answer.verdict.value if answer else None,
            "endpoint": list(standing) or ["current"] if standing is not None else None,
            "rotation": rotating.get(state.user),
            "leaks": leaks[state.user] if state.user in audited or leaks[state.user] else None,
        }


def _outdated(report: FleetReport) -> int:
    """How many answers are about a key that is no longer current."""
    users, given = report.users, report.validated.users if report.validated else ()
    return sum(a.user in users for a in given) - len(report.answers())


def _leak(machine: AuditedMachine, finding: Finding) -> dict[str, Any]:
    return {"machine": machine.name, "machine_user": machine.user, **finding_json(finding)}


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


def _rotation(rotation: Rotation, report: FleetReport) -> dict[str, Any]:
    states = {state.value: count for state, count in sorted(_states(rotation, report).items())}
    return {
        "id": rotation.id,
        "kind": rotation.terms.kind.value,
        "who": rotation.terms.who,
        "halted": rotation.blocked,
        "states": states,
    }


def _states(rotation: Rotation, report: FleetReport) -> Counter[State]:
    """The users of a rotation by state, as far as the report is about them."""
    users = report.users
    return Counter(p.state for p in rotation.people.values() if report.complete or p.user in users)


def _gateway(report: FleetReport) -> str:
    if report.validated is None:
        return "not looked at: run provision validate --format json -o FILE, then --validated FILE"
    counts = Counter(a.verdict for a in report.answers())
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.most_common()) or "no users"
    outdated = _outdated(report)
    old = f"; {plural(outdated, 'answer')} about a key that is no longer current not counted" if outdated else ""
    return f"{verdicts} ({report.validated.started}){old}"


def _audited(report: FleetReport) -> str:
    if report.audited is None:
        return "not looked at: run provision audit --format json -o FILE, then --audited FILE"
    machines = report.machines()
    if not machines:
        return "not looked at: no audit of these users' machines"
    first = min(machine.started for machine in machines)
    where = machines[0].name if len(machines) == 1 else plural(len(machines), "machine")
    unread = sum(machine.unread for machine in machines)
    rest = f"; {plural(unread, 'file')} not read" if unread else ""
    return f"{plural(len(report.leaks()), 'finding')} on {where} ({first}){rest}"


def _machines(report: FleetReport) -> str:
    if not report.standings:
        return "not looked at: no receipts"
    current = sum(not standings for standings in report.standings.values())
    known = (
        f", {report.unverified:,} of them with an unverified Hermes: ok as far as known" if report.unverified else ""
    )
    return f"{current:,} of {len(report.standings):,} current{known}"


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
            (r.id, r.terms.kind, r.terms.who, ", ".join(f"{n:,} {s}" for s, n in sorted(_states(r, report).items())))
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
    """What needs attention by cause, then each with what to do."""
    counts = report.attention_counts()
    if counts:
        yield Section("needs attention", "", ("cause", "how many"), list(counts.items()), "bad")
    halted = [a for r in report.rotations for a in attention.in_rotation(r, None if report.complete else report.users)]
    if halted:
        rows = [(a.cause, a.user or "-", a.detail) for a in halted]
        yield _bounded("rotations", len(rows), ("cause", "user", "what"), rows, "bad")
    if report.log.faults:
        yield Section("event log", "", ("line", "what"), [(f.line or "-", f.what) for f in report.log.faults], "bad")
    if report.findings:
        errors = any(f.severity is Severity.ERROR for f in report.findings)
        worst_first = sorted(report.findings, key=lambda f: f.severity is not Severity.ERROR)
        keys = ((f.severity, f.key.user, f.key.fingerprint, f.message, f.cure) for f in worst_first)
        headers = ("severity", "user", "key", "what", "what to do")
        yield _bounded("keys", len(report.findings), headers, keys, "bad" if errors else "unsure")
    failed = [a for a in report.answers() if a.verdict is not Verdict.OK]
    if failed:
        answers = ((a.user, a.verdict, a.key_fingerprint or "-", a.advice) for a in failed)
        yield _bounded("gateway", len(failed), ("user", "verdict", "key", "what to do"), answers, "bad")
    found = report.leaks()
    if found:
        leaks = ((f.severity, f.owner or "-", m.name, f.place, f.message, f.cure) for m, f in found)
        columns = ("severity", "whose", "machine", "where", "what", "what to do")
        yield _bounded("leaks and hijacked routes", len(found), columns, leaks, "bad")
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
    "gateway": lambda row: row["verdict"] or _NOT_LOOKED_AT,
    "machine": lambda row: _NOT_LOOKED_AT if row["endpoint"] is None else ", ".join(row["endpoint"]),
    "rotation": lambda row: row["rotation"] or "-",
    "leaks": lambda row: _NOT_LOOKED_AT if row["leaks"] is None else row["leaks"],
}
"""The columns of the users' table in HTML: header, and the cell for a user's row."""
