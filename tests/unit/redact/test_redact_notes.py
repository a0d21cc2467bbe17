"""Notes count every mask, list a limited number of places, and never hold a value."""

from __future__ import annotations

import pytest

from provision.redact import notes
from provision.redact.notes import Masked, Notes, Remark


def test_counts_are_complete_and_places_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "MOST_PLACES", 2)
    found = Notes()
    for number in range(5):
        found.add(Masked("a.log", f"line {number}", "jwt" if number else "aisa-key", "3fa2"))
    report = found.as_dict()
    assert (found.total, report["masked"]) == (5, 5)
    assert report["rules"] == {"aisa-key": 1, "jwt": 4}
    assert [place["where"] for place in report["places"]] == ["line 0", "line 1"]
    assert report["places_not_listed"] == 3


def test_a_report_lists_what_was_left_out_and_what_needs_a_review() -> None:
    found = Notes(
        left_out=[Remark("a.zip", "b", "it is encrypted", "decrypt it")], unsure=[Remark("c.png", "", "small")]
    )
    report = found.as_dict()
    assert report["left_out"] == [{"file": "a.zip", "where": "b", "message": "it is encrypted", "cure": "decrypt it"}]
    assert [each["file"] for each in report["needs_review"]] == ["c.png"]


@pytest.mark.parametrize(
    ("remark", "line"),
    [
        (Remark("a", "", "m"), "a: m"),
        (Remark("a", "line 3", "m"), "a, line 3: m"),
        (Remark("a", "line 3", "m", "c"), "a, line 3: m (c)"),
    ],
)
def test_a_remark_as_a_line(remark: Remark, line: str) -> None:
    assert str(remark) == line
