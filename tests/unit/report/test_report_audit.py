"""Formats of an audit: SARIF by its schema, JUnit by a parser, JSON there and back, tables and pages as people see them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import seeded

from provision.audit.document import AuditReportError, read_document
from provision.audit.finding import Finding, Location, finding_id
from provision.audit.merge import as_single_audit, merge_audits
from provision.audit.result import Audit, Counts, HomeRoute, IgnoredFinding, Unread
from provision.detect.known import KnownKeys
from provision.detect.known_key import KnownKey
from provision.detect.match import Confidence, FindingSeverity
from provision.report import audit as report
from provision.report import audit_fleet
from provision.report.sarif import _uri, as_sarif

SARIF_SCHEMA = json.loads((Path(__file__).parents[2] / "data" / "sarif-2.1.0.json").read_text())


def finding(rule: str = "aisa-key", path: str = ".hermes/logs/a.log", **fields: object) -> Finding:
    place = Location(path, 3, 7)
    known: dict[str, object] = {"owner": "ada", "stage": "current", "fingerprint": "fp_" + "a" * 16}
    values = {
        "severity": FindingSeverity.HIGH,
        "confidence": Confidence.HIGH,
        "excerpt": "sk-a…wxyz",
        **known,
        **fields,
    }
    return Finding(
        id=finding_id(rule, place, str(values["fingerprint"])), rule=rule, place=values.pop("place", place),  # type: ignore[arg-type]
        message="ada's current key, in a log", cure="mask it", **values,  # type: ignore[arg-type]
    )  # fmt: skip


HOSTILE = "a b\n\x1b[31m<é>\u202e'\"&%.log"
ROUTE = HomeRoute(
    "/home/ada/.hermes", "https://api.aisa.one/v1/chat/completions", "gpt-5.2", "chat_completions", "custom:aisa",
    "fp_" + "a" * 16, "ada", "current", "AISA_API_KEY in .env", "yes",
)  # fmt: skip
AUDIT = Audit(
    host="ada-mbp",
    started="2026-06-01T12:00:00+00:00",
    targets=("/home/ada/.hermes",),
    findings=(
        finding(severity=FindingSeverity.CRITICAL, verdict="live"),
        finding("assigned-password", HOSTILE, owner=None, stage=None, fingerprint=None, excerpt="****"),
        finding("route-plain-http", place=Location("/x/config.yaml", None, None, "model.base_url"), excerpt=""),
    ),
    ignored=(IgnoredFinding(finding("old"), "rotated", "2026-05-01"),),
    routes=(ROUTE,),
    unread=(Unread("/home/ada/x.db", "not a database"),),
    counts=Counts(12, 3_400_000, 1, 2),
    elapsed_s=1.5,
)  # fmt: skip
EMPTY = Audit("h", "2026-06-01T12:00:00+00:00", (".",), ())


@pytest.mark.parametrize("audit", [AUDIT, EMPTY, as_single_audit(merge_audits([AUDIT, EMPTY]))])
def test_sarif_is_what_the_standard_says(audit: Audit) -> None:
    log = json.loads(as_sarif(audit, {"aisa-key": "An AIsa key"}))
    jsonschema.Draft4Validator(SARIF_SCHEMA, format_checker=jsonschema.FormatChecker()).validate(log)
    (run,) = log["runs"]
    assert len(run["results"]) == len(audit.findings) + len(audit.ignored)
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_says_place_level_excuse_and_what_was_not_read() -> None:
    (run,) = json.loads(as_sarif(AUDIT, {"aisa-key": "An AIsa key"}))["runs"]
    first, second, third, excused = run["results"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": ".hermes/logs/a.log"}, "region": {"startLine": 3, "startColumn": 7},
    }  # fmt: skip
    assert (first["level"], first["properties"]["verdict"]) == ("error", "live")
    uri = second["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.isascii()
    assert not set(uri) & set(' \n<>"')
    assert third["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "model.base_url"}]
    assert excused["suppressions"] == [{"kind": "external", "justification": "rotated"}]
    assert run["invocations"][0]["executionSuccessful"] is False


def test_the_schema_is_one_that_can_refuse() -> None:
    log = json.loads(as_sarif(AUDIT, {}))
    log["runs"][0]["results"][0]["level"] = "catastrophe"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(SARIF_SCHEMA).validate(log)


def test_junit_counts_and_parses() -> None:
    suite = ET.fromstring("".join(report.as_junit(AUDIT))).find("testsuite")
    assert suite is not None
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 5, "failures": 3, "errors": 1, "skipped": 1}
    assert len(suite.findall("testcase")) == 5
    assert len(suite.findall("testcase/failure")) == 3
    assert "testcase" in "".join(report.as_junit(EMPTY))


def test_json_there_and_back() -> None:
    assert read_document(report.as_json(AUDIT).encode()) == AUDIT
    assert read_document(report.as_json(EMPTY).encode()) == EMPTY


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("findings"),
        lambda d: d.update(schema="provision/audit/v9"),
        lambda d: d["findings"][0].update(severity="terrible"),
        lambda d: d["findings"][0].update(excerpt="sk-aisa-" + seeded.token_urlsafe(32)),
    ],
)
def test_a_report_that_is_none_or_holds_a_key_is_refused(damage: object) -> None:
    said = json.loads(report.as_json(AUDIT))
    damage(said)  # type: ignore[operator]
    with pytest.raises(AuditReportError) as refused:
        read_document(json.dumps(said).encode())
    assert "sk-aisa-" not in str(refused.value)


def test_the_table_leads_with_routes_and_ends_with_a_count() -> None:
    text = "".join(report.as_table(AUDIT, home="/home/ada"))
    assert text.startswith("HERMES HOME")
    assert "~/.hermes " in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    last = text.strip().splitlines()[-1]
    assert last.startswith("12 files, 3.4 MB: 3 findings (1 critical, 2 high)")
    assert last.endswith("1 could not be read")
    many = replace(AUDIT, findings=(finding(),) * 30)
    assert "… and 10 more" in "".join(report.as_table(many))
    assert "more: --all" not in "".join(report.as_table(many, everything=True))


def test_pages_escape_what_they_show() -> None:
    for html in ("".join(report.as_html(AUDIT)), "".join(audit_fleet.as_html(merge_audits([AUDIT])))):
        assert "<é>" not in html
        assert "ada&#39;s current key" in html
        assert html.count("<script") == 2, "the rows and the page's own script"
        assert 'data-state="critical"' in html
        assert "<code>mask it</code>" in html


def test_merging_says_which_key_leaks_where() -> None:
    mark = "fp_" + "a" * 16
    other = replace(AUDIT, host="bob-pc", findings=(finding(owner=None, stage=None),), ignored=(), routes=())
    older = replace(AUDIT, started="2026-01-01T00:00:00+00:00", findings=())
    known = KnownKeys(b"s" * 16, frozenset(), {mark: KnownKey("ada", mark, "previous")})
    fleet = merge_audits([AUDIT, other, older], known)
    assert [a.started for a in fleet.audits] == [AUDIT.started, other.started], "the newest of each machine"
    key = fleet.keys[0]
    assert (key.owner, key.stage, key.machines) == ("ada", "previous", ("ada-mbp", "bob-pc"))
    assert key.severity is FindingSeverity.CRITICAL
    assert [s.finding.rule for s in fleet.others] == ["assigned-password"]
    said = json.loads(audit_fleet.as_json(fleet))
    assert said["schema"] == "provision/audit-fleet/v1"
    assert {p["machine"] for p in said["keys"][0]["places"]} == {"ada-mbp", "bob-pc"}
    assert "ada's previous key" in "".join(audit_fleet.as_table(fleet))


def test_a_route_with_somebody_elses_key_is_wrong() -> None:
    theirs = replace(AUDIT, user="bob")
    assert [m for m, _ in merge_audits([theirs]).wrong_routes] == ["bob@ada-mbp"]
    assert merge_audits([replace(AUDIT, user="ada")]).wrong_routes == ()


@pytest.mark.skipif(os.name == "nt", reason="names of POSIX systems")
@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b#c?d%.py", "a%20b%23c%3Fd%25.py"),
        ("back\\slash.py", "back%5Cslash.py"),
        ("./x:y/z", "x%3Ay/z"),
        (".//x", "x"),
        ("/srv/ä", "file:///srv/%C3%A4"),
        ("//srv/x", "file:///srv/x"),
        ("./", "."),
        ("\udcff", "%FF"),
    ],
)
def test_uris_of_odd_names(path: str, uri: str) -> None:
    assert _uri(path) == uri
