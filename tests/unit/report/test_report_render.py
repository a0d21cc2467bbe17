"""The result of `render`."""

from __future__ import annotations

import json
from collections import Counter

from provision.bundle.render import RenderOutcome, RenderStatus
from provision.report.render import as_json, as_table

OUTCOMES = [
    RenderOutcome(
        "eve", RenderStatus.FAILED, "engineering", message="no key in the vault", hint="provision keys import"
    ),
    RenderOutcome("ada", RenderStatus.NEW, "engineering", 7, "fp_aaaa"),
]
COUNTS = Counter({"failed": 1, "new": 1, "unchanged": 98})


def test_the_summary_counts_users_that_are_not_listed() -> None:
    lines = as_table(OUTCOMES, COUNTS).splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["ada", "new"], ["eve", "failed"]]
    assert "no key in the vault" in lines[2]
    assert lines[-1] == "1 failed, 1 new, 98 unchanged"


def test_no_users() -> None:
    assert as_table([], Counter()) == "no users\n"


def test_only_problems_have_a_message_in_json() -> None:
    ada, eve = json.loads(as_json(OUTCOMES, COUNTS))["users"]
    assert ada == {"user": "ada", "status": "new", "profile": "engineering", "generation": 7, "key": "fp_aaaa"}
    assert (eve["key"], eve["message"], eve["hint"]) == (None, "no key in the vault", "provision keys import")
