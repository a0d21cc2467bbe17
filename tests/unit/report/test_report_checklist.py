"""The checklist's result: what may be published, and why not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from provision.redact.checklist import ChecklistAnswer, ChecklistItem, Evidence, Remedy
from provision.report.checklist import EVIDENCE_ROWS, ChecklistResult, as_html, as_json, as_table, summary_line

PASS, FAIL, CANNOT_TELL = ChecklistAnswer.PASS, ChecklistAnswer.FAIL, ChecklistAnswer.CANNOT_TELL


def result(*answers: ChecklistAnswer, reasons: int = 1) -> ChecklistResult:
    evidence = [
        Evidence("a.cast", f"line {n}", "a key is \x1b[31mreadable", "provision redact", FAIL) for n in range(reasons)
    ]
    items = tuple(
        ChecklistItem(number, f"point {number}", answer, tuple(evidence if answer is FAIL else ()))
        for number, answer in enumerate(answers, 1)
    )
    return ChecklistResult(items, ("media/",), 3, datetime(2026, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("answers", "begins"),
    [
        ([PASS] * 5, "all 5 points pass"),
        ([PASS, FAIL, FAIL, CANNOT_TELL, PASS], "do not publish this: 2 of 5 points fail"),
        ([PASS, PASS, PASS, CANNOT_TELL, PASS], "no point fails; 1 point could not be decided"),
    ],
)
def test_the_last_line_says_whether_to_publish(answers: list[ChecklistAnswer], begins: str) -> None:
    found = result(*answers)
    assert summary_line(found).startswith(begins)
    assert as_table(found).endswith(summary_line(found) + "\n")


def test_the_table_shows_the_place_and_the_fix_of_each_failure() -> None:
    text = as_table(result(PASS, FAIL, PASS, PASS, PASS))
    assert "2  FAIL " in text
    assert "\na.cast\n    line 0: a key is \\x1b[31mreadable (also point 2)\n" in text
    assert "\nto do\n    provision redact\n" in text


def test_the_table_is_bounded_and_json_is_not() -> None:
    found = result(FAIL, PASS, PASS, PASS, PASS, reasons=EVIDENCE_ROWS + 5)
    assert "… and 5 more: --format json has them all" in as_table(found)
    assert "… and 5 more" in "".join(as_html(found))
    document = json.loads(as_json(found))
    assert document["ok"] is False
    assert len(document["items"][0]["evidence"]) == EVIDENCE_ROWS + 5


def test_thousands_of_places_in_many_files_stay_readable() -> None:
    mask = "provision redact --in-place"
    remedy = Remedy("mask", mask, is_path=True)
    evidence = tuple(
        Evidence(
            f"site/{n % 500}.txt",
            f"line {n}",
            "a key can be read",
            mask,
            FAIL,
            replace(remedy, operand=f"site/{n % 500}.txt"),
        )
        for n in range(10_000)
    )
    found = replace(result(PASS, PASS, PASS, PASS, PASS), paths=("site",))
    found = replace(found, items=(replace(found.items[0], verdict=FAIL, evidence=evidence), *found.items[1:]))
    text = as_table(found)
    assert text.count("\n") < 200
    assert "… and 480 more files with 9,600 places" in text
    assert "\n    mask (500)\n        provision redact --in-place site\n" in text
    [fix] = json.loads(as_json(found))["to_do"]
    assert fix == {"title": "mask", "command": "provision redact --in-place site", "count": 500}


def test_cannot_tell_is_not_a_failure_in_json() -> None:
    document = json.loads(as_json(result(PASS, PASS, PASS, CANNOT_TELL, PASS)))
    assert document["ok"] is True
    assert [item["verdict"] for item in document["items"]] == ["pass", "pass", "pass", "cannot tell", "pass"]
