"""`--limit`: which users a pattern selects."""

from __future__ import annotations

import pytest
from fleet_texts import ALICE, users

from provision.errors import Exit, NothingMatchedError, UsageError
from provision.fleet.limit import select_users

R = f"recipients: [{ALICE}]"
STATES = users(
    "users:\n"
    f"  - {{id: ada, profile: base, platform: macos, tags: [pilot, eu], {R}}}\n"
    f"  - {{id: adam, profile: base, tags: [eu], {R}}}\n"
    f"  - {{id: bob, profile: lab, platform: windows, {R}}}\n",
    base="model: m\n",
    lab="model: m\n",
).states


def selected(*patterns: str) -> str:
    return " ".join(s.user for s in select_users(STATES, patterns))


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), "ada adam bob"),
        (("bob,ada",), "ada bob"),
        (("ada*",), "ada adam"),
        (("ADA",), "ada"),
        (("a?a", "bob"), "ada bob"),
        (("profile:lab",), "bob"),
        (("tag:eu,!tag:pilot",), "adam"),
        (("!bob",), "ada adam"),
        (("platform:w*",), "bob"),
        (("!platform:linux", "ada*"), "ada"),
        ((" ada , bob ",), "ada bob"),
    ],
)
def test_the_selected_users(patterns: tuple[str, ...], expected: str) -> None:
    assert selected(*patterns) == expected


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("adaa", "did you mean ada or adam?"),
        ("ada,bobb", "did you mean bob?"),
        ("tag:pilt", "did you mean tag:pilot?"),
        ("profile:x", "known: profile:base, profile:lab"),
        ("!zzz", "known: ada, adam, bob"),
        ("ada,!ada", "its exclusions"),
    ],
)
def test_a_pattern_that_matches_no_user(pattern: str, hint: str) -> None:
    with pytest.raises(NothingMatchedError) as caught:
        selected(pattern)
    assert hint in caught.value.hint
    assert caught.value.exit_code is Exit.NO_MATCH


@pytest.mark.parametrize("pattern", ["", "ada,,bob", "!", "group:x"])
def test_a_pattern_that_cannot_be_read(pattern: str) -> None:
    with pytest.raises(UsageError):
        selected(pattern)
