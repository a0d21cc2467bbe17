"""The page of the fleet: a view over what the workspace holds, which never says "ok" about what was not asked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from bundlecraft import PROFILE

from provision.audit.finding import Finding, Location
from provision.audit.result import Audit
from provision.detect.match import Confidence, FindingSeverity
from provision.errors import Place
from provision.fleet.desired import DesiredState
from provision.keys.events.log import Verified
from provision.keys.events.text import LogFault
from provision.keys.policy import check_key_ages
from provision.keys.vault.ledger import KeyVersion, Ledger, Stage, VaultLine
from provision.report.fleet import USER_COLUMNS, FleetReport, as_html, as_json
from provision.report.validation_reader import ValidationDocument

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
LEDGER = Ledger(
    {
        user: (
            VaultLine(KeyVersion(user, 1, Stage.CURRENT, f"fp_{user}", NOW - timedelta(days=days), label, demo), "x"),
        )
        for user, days, label, demo in [
            ("ada", 10, "laptop", None),
            ("bob", 200, "", None),
            ("dan", 1, "d", date(2026, 7, 1)),
        ]
    }
)
STATES = [DesiredState(user, PROFILE, Place("inventory.yaml", 1)) for user in ("ada", "bob", "dan", "eve")]
LEAK = Finding(
    id="f1",
    rule="aisa-key",
    severity=FindingSeverity.CRITICAL,
    confidence=Confidence.HIGH,
    place=Location("/home/ada/notes.txt", 3, 1),
    message="ada's current key",
    excerpt="sk-a…",
    cure="rotate it",
    owner="ada",
    stage="current",
    fingerprint="fp_ada",
)


def report(**changes: object) -> FleetReport:
    fields: dict[str, object] = {"findings": (), "rotations": (), "events": (), "log": Verified(3, "ab", 3, NOW, ())}
    return FleetReport("acme", NOW, STATES, LEDGER, **fields | changes)  # type: ignore[arg-type]


def validated(verdict: str, fingerprint: str = "fp_ada") -> ValidationDocument:
    user = {"user": "ada", "verdict": verdict, "key_fingerprint": fingerprint}
    return ValidationDocument.model_validate({"users": [user], "summary": {"started": "now"}})


def rows(found: FleetReport) -> dict[str, dict[str, object]]:
    return {row["user"]: row for row in json.loads("".join(as_json(found)))["users"]}


def test_what_was_not_given_is_null_and_not_zero() -> None:
    document = json.loads("".join(as_json(report())))
    assert [document["summary"][name] for name in ("verdicts", "audit", "endpoints")] == [None, None, None]
    ada = document["users"][0]
    assert [ada[name] for name in ("verdict", "endpoint", "leaks", "rotation")] == [None] * 4
    html = "".join(as_html(report()))
    assert "not validated" in html
    assert "not audited" in html


def test_users_without_a_key_are_counted() -> None:
    found = rows(report())
    assert found["eve"]["key"] is None
    assert (found["ada"]["age_days"], found["dan"]["demo_until"]) == (10, "2026-07-01")
    assert json.loads("".join(as_json(report())))["summary"]["without_key"] == 1


def test_a_verdict_about_another_key_is_not_shown() -> None:
    assert rows(report(validated=validated("ok")))["ada"]["verdict"] == "ok"
    assert rows(report(validated=validated("ok", "fp_older")))["ada"]["verdict"] is None


def test_an_audit_without_a_leak_of_a_user_says_zero() -> None:
    audit = Audit("host", "now", ("/home",), (LEAK,))
    found = rows(report(audit=audit))
    assert (found["ada"]["leaks"], found["bob"]["leaks"]) == (1, 0)


def test_a_current_endpoint_is_named_so_and_an_unknown_one_is_null() -> None:
    found = rows(report(standings={"ada": (), "bob": ("behind", "silent")}))
    assert found["ada"]["endpoint"] == ["current"]
    assert found["bob"]["endpoint"] == ["behind", "silent"]
    assert found["eve"]["endpoint"] is None


@pytest.mark.parametrize(
    ("changes", "has_findings"),
    [
        ({}, False),
        ({"validated": validated("ok")}, False),
        ({"validated": validated("unreachable")}, False),  # inconclusive
        ({"validated": validated("key_invalid")}, True),
        ({"audit": Audit("host", "now", (), (LEAK,))}, True),
        ({"log": Verified(3, "ab", 3, NOW, (LogFault(2, "a line was changed"),))}, True),
        ({"standings": {"ada": ("behind",)}}, False),
    ],
)
def test_what_counts_as_a_finding(changes: dict[str, object], has_findings: bool) -> None:
    found = report(**changes)
    assert found.has_findings is has_findings
    assert json.loads("".join(as_json(found)))["ok"] is not has_findings
    assert ("something needs attention" in "".join(as_html(found))) is has_findings


def test_old_keys_are_listed_with_what_to_do() -> None:
    findings = list(check_key_ages(LEDGER, STATES, NOW))
    assert [f.key.user for f in findings] == ["bob"]
    assert "provision rotate" in "".join(as_html(report(findings=findings)))


def test_every_column_has_a_cell_for_every_user() -> None:
    for row in rows(report(validated=validated("ok"), standings={"ada": ()})).values():
        cells = {name: str(cell(row)) for name, cell in USER_COLUMNS.items()}
        assert all(cells[name] for name in USER_COLUMNS if name != "label")
    html = "".join(as_html(replace(report(), workspace="<b>acme</b>")))
    assert "<b>acme" not in html
    assert "d (demo until 2026-07-01)" in html
