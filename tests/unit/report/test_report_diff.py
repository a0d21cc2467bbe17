"""`diff` by change: equal changes are one line, personal values too, and the summary counts users."""

from __future__ import annotations

from provision.bundle.diff import UserDiff, ValueChange
from provision.report.diff import as_groups, as_user

MODEL = ValueChange("model", "gpt-5.2", "gpt-5.5")


def test_equal_changes_are_one_line_and_users_are_counted_once() -> None:
    found = [
        *(UserDiff(f"u{n:02}", "changed", (MODEL, ValueChange("key", f"fp_{n}", f"fp_x{n}"))) for n in range(20)),
        UserDiff("zoe", "changed", (ValueChange("key", "fp_z", "fp_y"), ValueChange("env", None, "x"))),
        UserDiff("new", "new"),
        UserDiff("gone", "removed", reason="no longer in the inventory"),
    ]
    lines = as_groups(found, 30).splitlines()
    assert [line.split("  ")[0] for line in lines[1:-1]] == ["21 users", "20 users", "1 user", "1 user", "1 user"]
    assert "key: another value for each user" in lines[1]
    assert "model: gpt-5.2 -> gpt-5.5" in lines[2]
    assert "u00, u01, u02 and 17 more" in lines[2]
    assert "env: — -> x" in lines[3]
    assert lines[-1] == "21 changed, 1 new, 1 removed, 8 as they are; one in full: --user USER"


def test_few_different_values_are_shown() -> None:
    found = [UserDiff(n, "changed", (ValueChange("model", "a", n),)) for n in ("x", "y")]
    assert "model: a -> y" in as_groups(found, 2)


def test_one_user_in_full_and_nothing() -> None:
    found = [UserDiff("ada", "changed", (MODEL, ValueChange("key", "fp_1", "fp_2")))]
    assert as_user(found, "ada").splitlines()[2].split() == ["changed", "key:", "fp_1", "->", "fp_2"]
    assert as_user([], "ada") == "no drift: the bundle of ada matches the workspace\n"
    assert as_groups([], 3) == "no drift: dist/ matches the workspace for 3 users\n"
