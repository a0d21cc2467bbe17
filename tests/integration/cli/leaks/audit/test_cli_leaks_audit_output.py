"""How `audit` prints and ends: the same for one machine and for many."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from provision.audit.finding import Finding, Location
from provision.audit.merge import merge_audits
from provision.audit.result import Audit, Unread
from provision.cli.leaks.audit.output import OutputOptions, audit_text, write_audit, write_fleet_audit
from provision.detect.match import Confidence, FindingSeverity
from provision.errors import Exit
from provision.report.formats import Format

FINDING = Finding(
    id="f1",
    rule="aisa-key",
    severity=FindingSeverity.CRITICAL,
    confidence=Confidence.HIGH,
    place=Location("/home/ada/notes.txt", 3, 1),
    owner="ada",
    stage="current",
    fingerprint="fp_aaaa",
    excerpt="sk-a…",
    message="ada's current key",
    cure="rotate it",
)
CLEAN = Audit("ada-mbp", "2026-06-01T12:00:00+00:00", ("/home",), ())
LEAK = replace(CLEAN, findings=(FINDING,))
UNREAD = replace(CLEAN, unread=(Unread("/home/x.db", "not a database"),))
BOTH = replace(LEAK, unread=UNREAD.unread)


def options(tmp_path: Path, *, exit_zero: bool = False, format_: Format = Format.TABLE) -> OutputOptions:
    return OutputOptions(format_, tmp_path / "out", everything=False, exit_zero=exit_zero)


@pytest.mark.parametrize(
    ("audit", "code", "code_with_exit_zero"),
    [
        (CLEAN, Exit.OK, Exit.OK),
        (LEAK, Exit.FINDINGS, Exit.OK),
        (UNREAD, Exit.PARTIAL, Exit.PARTIAL),
        (BOTH, Exit.FINDINGS, Exit.PARTIAL),
    ],
)
def test_exit_codes(audit: Audit, code: Exit, code_with_exit_zero: Exit, tmp_path: Path) -> None:
    fleet = merge_audits([audit, CLEAN])
    for exit_zero, expected in ((False, code), (True, code_with_exit_zero)):
        assert write_audit(audit, {}, options(tmp_path, exit_zero=exit_zero)) is expected
        assert write_fleet_audit(fleet, options(tmp_path, exit_zero=exit_zero)) is expected


@pytest.mark.parametrize(
    ("format_", "mark"),
    [
        (Format.TABLE, "CRITICAL"),
        (Format.JSON, '"schema": "provision/audit/v1"'),
        (Format.SARIF, '"version": "2.1.0"'),
        (Format.JUNIT, "<testsuites "),
        (Format.HTML, "<!doctype html>"),
        (Format.ECS, '"kind": "alert"'),
    ],
)
def test_every_format_holds_the_finding(format_: Format, mark: str, tmp_path: Path) -> None:
    text = "".join(audit_text(LEAK, {"aisa-key": "an AIsa key"}, format_, everything=False))
    assert mark in text
    assert "notes.txt" in text
    assert write_fleet_audit(merge_audits([LEAK]), options(tmp_path, format_=format_)) is Exit.FINDINGS
    assert "notes.txt" in (tmp_path / "out").read_text()


def test_sarif_describes_the_rules(tmp_path: Path) -> None:
    text = "".join(audit_text(LEAK, {"aisa-key": "an AIsa key"}, Format.SARIF, everything=False))
    (rule,) = json.loads(text)["runs"][0]["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "an AIsa key"
