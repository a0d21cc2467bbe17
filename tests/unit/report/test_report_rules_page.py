"""The page of the rules is current, and what SARIF refers to is in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rulespage import PAGE, page
from test_report_audit import AUDIT, finding

import provision
from provision.audit.finding import Location
from provision.audit.result import Audit
from provision.report.sarif import as_sarif


def results(*places: Location) -> list[dict[str, object]]:
    audit = replace(AUDIT, findings=tuple(finding(place=place) for place in places), ignored=())
    return json.loads(as_sarif(audit, {"aisa-key": "AIsa API key"}))["runs"][0]["results"]


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python tests/craft/rulespage.py`"


def test_each_rule_in_sarif_has_help_and_its_section(monkeypatch: pytest.MonkeyPatch) -> None:
    audit: Audit = AUDIT
    assert "helpUri" not in as_sarif(audit, {}), "nothing points to an address that the project does not own"
    monkeypatch.setattr(provision, "SITE", "https://docs.example/")
    rules = json.loads(as_sarif(audit, {"aisa-key": "AIsa API key"}))["runs"][0]["tool"]["driver"]["rules"]
    rule = next(each for each in rules if each["id"] == "aisa-key")
    assert rule["helpUri"] == "https://docs.example/rules/aisa-key.html"
    assert [each["id"] for each in rules if "helpUri" not in each] == ["old", "route-plain-http"], (
        "no secret rules of ours"
    )
    assert "provision:allow=aisa-key" in rule["help"]["text"]
    assert "\n## aisa-key\n" in page()


def test_history_is_at_the_path_of_the_file_with_its_commit() -> None:
    found = results(
        Location(".git", 4, 2, "commit 0123456789:conf/app.yaml: db.password"),
        Location("work/repo/.git", 1, 1, "commit 0123456789:a b.txt (in no branch or tag)"),
        Location("/srv/bare.git", 1, 1, "commit 0123456789:x.env"),
        Location(".git", 1, 1, "commit 0123456789:(message)"),
    )
    uris = [each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in found]  # type: ignore[index]
    assert uris == ["conf/app.yaml", "work/repo/a%20b.txt", "file:///srv/bare.git/x.env", ".git"]
    assert [each["properties"]["commit"] for each in found] == ["0123456789"] * 4  # type: ignore[index]
