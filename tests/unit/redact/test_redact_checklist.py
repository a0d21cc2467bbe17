"""The five answers, as a table of cases."""

from __future__ import annotations

from datetime import date

import pytest

from provision.containers.rewrite import REBUILD
from provision.detect.known_key import KnownKey
from provision.redact.checklist import (
    ChecklistAnswer,
    ExposedSecret,
    KeyHistory,
    NotExamined,
    Records,
    ShownIn,
    answer_checklist,
)

TODAY = date(2026, 5, 1)
KNOWN = KnownKey("ada", "fp_ada", "current")
PASS, FAIL, UNSURE = ChecklistAnswer.PASS, ChecklistAnswer.FAIL, ChecklistAnswer.CANNOT_TELL


def seen(showing: ShownIn = ShownIn.OTHER, known: KnownKey | None = KNOWN, *, sure: bool = True) -> ExposedSecret:
    return ExposedSecret("a.log", "line 1", "known-key", "fp_ada" if known else "3fa2", showing, known, sure)


def told(stage: str = "current", doubt: str = "", **fields: date) -> Records:
    return Records({"fp_ada": KeyHistory("ada", stage, **fields)}, doubt)


CASES = {
    "nothing to see": ([], [], told(), (PASS, PASS, PASS, PASS, UNSURE)),
    "a log": ([seen()], [], told(), (FAIL, PASS, PASS, FAIL, FAIL)),
    "a .env": ([seen(ShownIn.ENV)], [], told(), (FAIL, FAIL, PASS, FAIL, FAIL)),
    "a config": ([seen(ShownIn.CONFIG)], [], told(), (FAIL, PASS, FAIL, FAIL, FAIL)),
    "retired": ([seen()], [], told("retired", retired=date(2026, 4, 1)), (FAIL, PASS, PASS, PASS, FAIL)),
    "retired, but the log is broken": ([seen()], [], told("retired", "it was cut"), (FAIL, PASS, PASS, UNSURE, FAIL)),
    "replaced": ([seen()], [], told("previous"), (FAIL, PASS, PASS, FAIL, FAIL)),
    "pending": ([seen()], [], told("pending"), (FAIL, PASS, PASS, FAIL, FAIL)),
    "demo key in date": ([seen()], [], told(demo_until=TODAY), (FAIL, PASS, PASS, FAIL, PASS)),
    "demo key that is over": ([seen()], [], told(demo_until=date(2026, 4, 30)), (FAIL, PASS, PASS, FAIL, FAIL)),
    "nobody's key": ([seen(known=None)], [], told(), (FAIL, PASS, PASS, UNSURE, UNSURE)),
    "no vault": ([seen()], [], None, (FAIL, PASS, PASS, UNSURE, UNSURE)),
    "perhaps one": ([seen(known=None, sure=False)], [], told(), (UNSURE, PASS, PASS, PASS, UNSURE)),
    "unreadable": ([], [NotExamined("a.png", "", "no")], told(), (UNSURE, UNSURE, UNSURE, PASS, UNSURE)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_five_answers(name: str) -> None:
    sightings, unseen, records, expected = CASES[name]
    items = answer_checklist(sightings, unseen, records, TODAY)
    assert tuple(item.verdict for item in items) == expected
    assert [item.number for item in items] == [1, 2, 3, 4, 5]
    assert all(each.cure for item in items for each in item.evidence if each.verdict is not PASS)


@pytest.mark.parametrize(
    ("demo_until", "expected"), [(None, FAIL), (date(2026, 4, 30), FAIL), (TODAY, PASS), (date(2027, 1, 1), PASS)]
)
def test_with_nothing_to_see_the_makers_current_key_answers_the_fifth(
    demo_until: date | None, expected: ChecklistAnswer
) -> None:
    records = Records({"fp_ada": KeyHistory("ada", "current", demo_until)}, current={"ada": "fp_ada"})
    assert answer_checklist([], [], records, TODAY)[4].verdict is expected
    nobody = Records({}, current={"bob": None})
    assert answer_checklist([], [], nobody, TODAY)[4].verdict is UNSURE


def test_the_worst_reason_comes_first_and_decides() -> None:
    other = KnownKey("bob", "fp_bob", "retired")
    sightings = [ExposedSecret("b", "", "known-key", "fp_bob", ShownIn.OTHER, other), seen()]
    records = Records({"fp_ada": KeyHistory("ada", "current"), "fp_bob": KeyHistory("bob", "retired")})
    rotated = answer_checklist(sightings, [NotExamined("c", "", "no")], records, TODAY)[3]
    assert rotated.verdict is FAIL
    assert [each.verdict for each in rotated.evidence] == [FAIL, PASS]


def test_a_secret_in_many_places_is_asked_about_once() -> None:
    items = answer_checklist([seen(), seen(ShownIn.ENV), seen(ShownIn.CONFIG)], [], told(), TODAY)
    assert len(items[0].evidence) == 3
    assert len(items[3].evidence) == 1


def test_what_cannot_be_rewritten_is_in_no_command() -> None:
    exposed = [ExposedSecret("a.log", "record at byte 0", "aisa-key", "3fa2", ShownIn.OTHER, path="a.log")]
    (hidden, *_) = answer_checklist(
        exposed, [NotExamined("a.log", "", "a secret is in it", REBUILD, holds_secret=True)], None, TODAY
    )
    assert [each.cure for each in hidden.evidence] == [REBUILD, REBUILD]
    assert hidden.verdict is FAIL
