"""ECS lines: the fields that a SIEM looks for, one JSON object per line, no secret and no control character."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from test_report_audit import AUDIT, finding

from provision.audit.result import Unread
from provision.keys.events.text import Event
from provision.report.siem.ecs import events_as_ecs, findings_as_ecs

KEY = "sk-aisa-" + "Ab3dE6gH" * 5


def test_a_finding_is_an_alert_with_rule_file_host_and_user() -> None:
    audit = replace(AUDIT, findings=(finding(),), user="ada", unread=(Unread("/x", "permission"),))
    lines = [json.loads(line) for line in findings_as_ecs([audit])]
    assert [line["event"]["kind"] for line in lines] == ["alert", "event"], "`signal` is reserved"
    alert, unread = lines
    given = audit.findings[0]
    assert alert["@timestamp"] == audit.started
    assert alert["event"]["id"] == given.id
    assert alert["event"]["category"] == ["intrusion_detection"]
    assert alert["event"]["severity"] in {21, 47, 73, 99}
    assert (alert["rule"]["id"], alert["file"]["path"]) == (given.rule, given.place.path)
    assert (alert["host"]["name"], alert["user"]["name"]) == (audit.host, "ada")
    assert alert["related"]["hosts"] == [audit.host]
    assert unread["event"]["outcome"] == "failure"
    assert unread["message"] == "1 file not read"


def test_events_say_who_did_what_to_whom() -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    event = Event(at, "op", "key added", "ada", "fp_a", {"by": f"import {KEY}"})
    (line,) = events_as_ecs([event])
    found = json.loads(line)
    assert found["event"]["action"] == "key added"
    assert found["event"]["category"] == ["iam"]
    assert found["user"] == {"name": "op", "target": {"name": "ada"}}
    assert found["related"]["user"] == ["ada", "op"]
    assert found["@timestamp"] == "2026-06-01T12:00:00+00:00"
    assert KEY not in line


def test_hostile_texts_are_one_line_without_control_characters() -> None:
    hostile = f"x\n\x1b[31m\u202e{KEY}"
    audit = replace(AUDIT, host=hostile, findings=(replace(finding(), message=hostile),))
    lines = "".join(findings_as_ecs([audit]))
    assert lines.count("\n") == len(audit.findings) + bool(audit.unread)
    assert all(ord(c) >= 32 or c == "\n" for c in lines)
    assert KEY not in lines
