"""The five answers, as a table of cases."""

from __future__ import annotations

from datetime import date

import pytest

from provision.detect.known import KnownKey
from provision.redact.checklist import KeyHistory, Records, Showing, Sighting, Unseen, Verdict, judge

TODAY = date(2026, 5, 1)
KNOWN = KnownKey("ada", "fp_ada", "current")
PASS, FAIL, UNSURE = Verdict.PASS, Verdict.FAIL, Verdict.CANNOT_TELL


def seen(showing: Showing = Showing.OTHER, known: KnownKey | None = KNOWN, *, sure: bool = True) -> Sighting:
    return Sighting("a.log", "line 1", "known-key", "fp_ada" if known else "3fa2", showing, known, sure)


def told(stage: str = "current", doubt: str = "", **fields: date) -> Records:
    return Records({"fp_ada": KeyHistory("ada", stage, **fields)}, doubt)


CASES = {
    "nothing to see": ([], [], told(), (PASS, PASS, PASS, PASS, UNSURE)),
    "a log": ([seen()], [], told(), (FAIL, PASS, PASS, FAIL, FAIL)),
    "a .env": ([seen(Showing.ENV)], [], told(), (FAIL, FAIL, PASS, FAIL, FAIL)),
    "a config": ([seen(Showing.CONFIG)], [], told(), (FAIL, PASS, FAIL, FAIL, FAIL)),
    "retired": ([seen()], [], told("retired", retired=date(2026, 4, 1)), (FAIL, PASS, PASS, PASS, FAIL)),
    "retired, but the log is broken": ([seen()], [], told("retired", "it was cut"), (FAIL, PASS, PASS, UNSURE, FAIL)),
    "replaced": ([seen()], [], told("previous"), (FAIL, PASS, PASS, FAIL, FAIL)),
    "pending": ([seen()], [], told("pending"), (FAIL, PASS, PASS, FAIL, FAIL)),
    "demo key in date": ([seen()], [], told(demo_until=TODAY), (FAIL, PASS, PASS, FAIL, PASS)),
    "demo key that is over": ([seen()], [], told(demo_until=date(2026, 4, 30)), (FAIL, PASS, PASS, FAIL, FAIL)),
    "nobody's key": ([seen(known=None)], [], told(), (FAIL, PASS, PASS, UNSURE, UNSURE)),
    "no vault": ([seen()], [], None, (FAIL, PASS, PASS, UNSURE, UNSURE)),
    "perhaps one": ([seen(known=None, sure=False)], [], told(), (UNSURE, PASS, PASS, PASS, UNSURE)),
    "unreadable": ([], [Unseen("a.png", "", "no")], told(), (UNSURE, UNSURE, UNSURE, PASS, UNSURE)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_five_answers(name: str) -> None:
    sightings, unseen, records, expected = CASES[name]
    items = judge(sightings, unseen, records, TODAY)
    assert tuple(item.verdict for item in items) == expected
    assert [item.number for item in items] == [1, 2, 3, 4, 5]
    assert all(each.cure for item in items for each in item.evidence if each.verdict is not PASS)


@pytest.mark.parametrize(
    ("demo_until", "expected"), [(None, FAIL), (date(2026, 4, 30), FAIL), (TODAY, PASS), (date(2027, 1, 1), PASS)]
)
def test_with_nothing_to_see_the_makers_current_key_answers_the_fifth(
    demo_until: date | None, expected: Verdict
) -> None:
    records = Records({"fp_ada": KeyHistory("ada", "current", demo_until)}, current={"ada": "fp_ada"})
    assert judge([], [], records, TODAY)[4].verdict is expected
    nobody = Records({}, current={"bob": None})
    assert judge([], [], nobody, TODAY)[4].verdict is UNSURE


def test_the_worst_reason_comes_first_and_decides() -> None:
    other = KnownKey("bob", "fp_bob", "retired")
    sightings = [Sighting("b", "", "known-key", "fp_bob", Showing.OTHER, other), seen()]
    records = Records({"fp_ada": KeyHistory("ada", "current"), "fp_bob": KeyHistory("bob", "retired")})
    rotated = judge(sightings, [Unseen("c", "", "no")], records, TODAY)[3]
    assert rotated.verdict is FAIL
    assert [each.verdict for each in rotated.evidence] == [FAIL, PASS]


def test_a_secret_in_many_places_is_asked_about_once() -> None:
    items = judge([seen(), seen(Showing.ENV), seen(Showing.CONFIG)], [], told(), TODAY)
    assert len(items[0].evidence) == 3
    assert len(items[3].evidence) == 1
