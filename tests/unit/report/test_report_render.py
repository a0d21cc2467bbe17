"""The result of `render`, and of `diff` by change: equal changes are one line, personal values too."""

from __future__ import annotations

import json
from collections import Counter

from provision.bundle.diff import UserDiff, ValueChange
from provision.bundle.render import RenderOutcome, RenderStatus
from provision.report.render import as_json, as_table, diff_groups, diff_user

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


MODEL = ValueChange("model", "gpt-5.2", "gpt-5.5")


def test_equal_changes_are_one_line_and_users_are_counted_once() -> None:
    found = [
        *(UserDiff(f"u{n:02}", "changed", (MODEL, ValueChange("key", f"fp_{n}", f"fp_x{n}"))) for n in range(20)),
        UserDiff("zoe", "changed", (ValueChange("key", "fp_z", "fp_y"), ValueChange("env", None, "x"))),
        UserDiff("new", "new"),
        UserDiff("gone", "removed", reason="no longer in the inventory"),
    ]
    lines = diff_groups(found, 30).splitlines()
    assert [line.split("  ")[0] for line in lines[1:-1]] == ["21 users", "20 users", "1 user", "1 user", "1 user"]
    assert "key: another value for each user" in lines[1]
    assert "model: gpt-5.2 -> gpt-5.5" in lines[2]
    assert "u00, u01, u02 and 17 more" in lines[2]
    assert "env: — -> x" in lines[3]
    assert lines[-1] == "21 changed, 1 new, 1 removed, 8 as they are; one in full: --user USER"


def test_few_different_values_are_shown() -> None:
    found = [UserDiff(n, "changed", (ValueChange("model", "a", n),)) for n in ("x", "y")]
    assert "model: a -> y" in diff_groups(found, 2)


def test_one_user_in_full_and_nothing() -> None:
    found = [UserDiff("ada", "changed", (MODEL, ValueChange("key", "fp_1", "fp_2")))]
    assert diff_user(found, "ada").splitlines()[2].split() == ["changed", "key:", "fp_1", "->", "fp_2"]
    assert diff_user([], "ada") == "no drift: the bundle of ada matches the workspace\n"
    assert diff_groups([], 3) == "no drift: dist/ matches the workspace for 3 users\n"
