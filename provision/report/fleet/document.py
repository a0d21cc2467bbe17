"""The report on the fleet as JSON, `provision/report/v1`, and the counts that JSON, page and metrics share. Pure.

It only shows what the workspace holds and the results it was given, and only about users in `states`. Written in pieces:
10,000 users need no extra memory.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from provision.audit.document import finding_json
from provision.report.fleet.rows import CURRENT, user_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.audit.finding import Finding
    from provision.audit.machines import AuditedMachine
    from provision.keys.policy import KeyFinding
    from provision.report.fleet.results import FleetReport
    from provision.rotate.rotation import Rotation
    from provision.rotate.states import State


def as_json(report: FleetReport) -> Iterator[str]:
    """The document, one user at a time."""
    head = {
        "schema": "provision/report/v1",
        "workspace": report.workspace,
        "at": report.at.isoformat(timespec="seconds"),
        "ok": not report.has_findings,
        "attention": report.attention_counts,
        "not_looked_at": list(report.not_looked_at()),
        "summary": summary(report),
    }
    yield json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}") + ',\n  "users": ['
    comma, encode = "\n    ", json.JSONEncoder(ensure_ascii=False).encode
    for row in user_rows(report):
        yield comma + encode(row)
        comma = ",\n    "
    tail = {
        "key_findings": [_key_finding(f) for f in report.findings],
        "rotations": [_rotation(r, report) for r in report.rotations],
        "audit": [_leak(m, f) for m, f in report.leaks] if report.audited is not None else None,
        "log": {"events": report.log.count, "head": report.log.head, "faults": [f.what for f in report.log.faults]},
    }
    yield "\n  ],\n" + json.dumps(tail, ensure_ascii=False, indent=2).removeprefix("{\n") + "\n"


def summary(report: FleetReport) -> dict[str, Any]:
    """Counts; null for what was not looked at."""
    answers = report.answers
    verdicts = Counter(a.verdict.value for a in answers) if report.validated else None
    severities = Counter(f.severity.value for _, f in report.leaks) if report.audited is not None else None
    machines = Counter(s for m in report.endpoints for s in m.standings or (CURRENT,)) if report.endpoints else None
    return {
        "users": len(report.states),
        "without_key": sum(report.ledger.current(state.user) is None for state in report.states),
        "key_findings": dict(sorted(Counter(f.rule for f in report.findings).items())),
        "verdicts": dict(sorted(verdicts.items())) if verdicts is not None else None,
        "outdated_verdicts": outdated(report) if report.validated else None,
        "audit": dict(sorted(severities.items())) if severities is not None else None,
        "endpoints": dict(sorted(machines.items())) if machines is not None else None,
        "unverified": unverified(report) if machines is not None else None,
        "rotations": len(report.rotations),
    }


def unverified(report: FleetReport) -> int:
    """How many current machines have a Hermes that was not verified."""
    return sum(not machine.standings and not machine.verified for machine in report.endpoints or ())


def outdated(report: FleetReport) -> int:
    """How many answers are about a key that is no longer current."""
    users, given = report.users, report.validated.users if report.validated else ()
    return sum(a.user in users for a in given) - len(report.answers)


def states_of(rotation: Rotation, report: FleetReport) -> Counter[State]:
    """The users of a rotation by state, as far as the report is about them."""
    users = report.users
    return Counter(p.state for p in rotation.people.values() if report.complete or p.user in users)


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
    return {
        "id": rotation.id,
        "kind": rotation.terms.kind.value,
        "who": rotation.terms.who,
        "halted": rotation.blocked,
        "states": {state.value: count for state, count in sorted(states_of(rotation, report).items())},
    }
