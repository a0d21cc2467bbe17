"""Of overlapping matches one is kept, and nothing secret is lost behind it."""

from __future__ import annotations

from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.resolve import resolve_overlaps
from provision.detect.secret import Secret


def _match(rule: str, confidence: Confidence, *spans: tuple[int, int]) -> Match:
    return Match(rule, FindingSeverity.HIGH, confidence, spans, Secret("TEST"))


SURE = _match("sure", Confidence.HIGH, (40, 90))


def test_a_match_within_or_around_a_surer_one_goes() -> None:
    for spans in (((45, 60),), ((30, 95),), ((40, 90),)):
        assert resolve_overlaps([_match("unsure", Confidence.MEDIUM, *spans), SURE]) == [SURE]


def test_what_reaches_out_of_a_surer_one_stays_covered() -> None:
    before, after = _match("before", Confidence.MEDIUM, (0, 10), (12, 50)), _match("after", Confidence.LOW, (80, 120))
    assert [(m.rule, m.spans) for m in resolve_overlaps([before, after, SURE])] == [
        ("before", ((0, 10), (12, 40))),
        ("sure", ((40, 90),)),
        ("after", ((90, 120),)),
    ]


def test_next_to_nothing_is_not_worth_a_match() -> None:
    assert resolve_overlaps([_match("before", Confidence.MEDIUM, (35, 50)), SURE]) == [SURE]


def test_a_match_in_pieces_of_which_surer_ones_leave_none_goes() -> None:
    pieces = _match("pieces", Confidence.MEDIUM, (10, 12), (60, 62))
    around = [_match("one", Confidence.HIGH, (0, 30)), _match("other", Confidence.HIGH, (50, 100))]
    assert resolve_overlaps([pieces, *around]) == around
