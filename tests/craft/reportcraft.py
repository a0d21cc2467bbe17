"""A fleet in all states for the report: a FleetReport of any size, made without a workspace."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from provision.audit.finding import Finding, Location
from provision.audit.machines import AuditedMachine
from provision.detect.match import Confidence, FindingSeverity
from provision.errors import Place
from provision.fleet.desired import DesiredState, EffectiveProfile
from provision.keys.events.log import Verified
from provision.keys.policy import check_key_ages
from provision.keys.vault.ledger import KeyVersion, Ledger, Stage, VaultLine
from provision.receipts.fleet import Standing
from provision.report.fleet.results import FleetMachine, FleetReport
from provision.report.fleet.validation_reader import ValidationDocument

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
_TEAMS = ("engineering", "research", "support", "platform", "finance")
_MODELS = ("gpt-5.2", "gpt-5.3-codex", "claude-sonnet-5", "gpt-5.4-mini")
_STANDINGS = {
    **dict.fromkeys((3, 13, 23), (Standing.NEVER,)),
    7: (Standing.BEHIND,),
    17: (Standing.BEHIND, Standing.SILENT),
    29: (Standing.MISROUTED, Standing.DRIFTED),
}
"""By the number of the user modulo 31; all others are current."""


def fleet_report(users: int, first: str = "user00000") -> FleetReport:
    """A fleet with a bit of everything; `first` is the first user's name."""
    profiles = [EffectiveProfile(team, _MODELS[at % 4], "https://api.aisa.one/v1") for at, team in enumerate(_TEAMS)]
    names = [first, *(f"user{number:05}" for number in range(1, users))]
    tags = [("pilot",) if at % 9 == 0 else () for at in range(users)]
    states = [
        DesiredState(name, profiles[at % 5], Place("inventory.yaml", at + 1), tags=tags[at])
        for at, name in enumerate(names)
    ]
    lines = {
        name: (
            VaultLine(
                KeyVersion(name, 1, Stage.CURRENT, _fingerprint(name), NOW - timedelta(days=at % 93), "", None), "x"
            ),
        )
        for at, name in enumerate(names)
        if at % 41 != 11
    }
    ledger = Ledger(lines)
    remark = "sends to http://127.0.0.1:11434/v1, model llama"
    endpoints = []
    for at, name in enumerate(names):
        found = _STANDINGS.get(at % 31, ())
        told = remark if Standing.MISROUTED in found else ""
        endpoints.append(FleetMachine(name, name, found, told, NOW - timedelta(hours=at % 90), "0.19.0", True))
    answers = [
        {"user": name, "verdict": "unfunded" if at % 53 == 5 else "ok", "key_fingerprint": _fingerprint(name)}
        for at, name in enumerate(names)
        if name in lines
    ]
    leak = Finding(
        id="f1",
        rule="aisa-key",
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        place=Location("/home/user/deploy.sh", 2, 32),
        message=f"{first}'s current key",
        excerpt="sk-a…",
        cure=f"provision rotate leaked {first}",
        owner=first,
        stage="current",
        fingerprint=_fingerprint(first),
    )
    return FleetReport(
        "acme",
        NOW,
        states,
        ledger,
        list(check_key_ages(ledger, states, NOW)),
        (),
        (),
        Verified(users, "ab", users, NOW, ()),
        validated=ValidationDocument.model_validate({"users": answers, "summary": {"started": "2026-06-01T10:00:00Z"}}),
        audited=(AuditedMachine(f"{first}@laptop", first, "2026-06-01T09:00:00Z", (leak,)),),
        endpoints=endpoints,
    )


def _fingerprint(name: str) -> str:
    letters = hashlib.sha256(name.encode()).hexdigest()[:16].translate(str.maketrans("0189", "abcd"))
    return f"fp_{letters}"
