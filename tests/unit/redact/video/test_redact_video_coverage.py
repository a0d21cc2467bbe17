"""What is covered when, from what was seen when."""

from __future__ import annotations

from provision.redact.video.coverage import Margins, VisibleSpan, boxes_at, join_spans

MARGINS = Margins(around=3, bridged=10)
HERE = (10, 10, 110, 30)


def test_an_area_is_covered_a_little_before_and_after() -> None:
    joined = join_spans([VisibleSpan(20, 25, HERE, "key")], MARGINS)
    assert [n for n in range(60) if boxes_at(n, joined)] == list(range(17, 29))


def test_a_gap_between_sightings_is_bridged() -> None:
    joined = join_spans([VisibleSpan(0, 4, HERE, "key"), VisibleSpan(15, 20, HERE, "key")], MARGINS)
    assert [n for n in range(60) if boxes_at(n, joined)] == list(range(24))


def test_a_long_gap_is_not() -> None:
    joined = join_spans([VisibleSpan(0, 4, HERE, "key"), VisibleSpan(40, 41, HERE, "key")], MARGINS)
    assert not boxes_at(20, joined)


def test_what_grows_is_covered_as_large_as_it_gets() -> None:
    joined = join_spans([VisibleSpan(n, n, (10, 10, 20 + 5 * n, 30), "key") for n in range(20)], MARGINS)
    assert boxes_at(0, joined) == [(10, 10, 115, 30)]


def test_what_moves_is_covered_everywhere_it_was() -> None:
    seen = [VisibleSpan(n, n, (10, 100 - 20 * n, 110, 118 - 20 * n), "key") for n in range(5)]
    joined = join_spans(seen, MARGINS)
    for n, one in enumerate(seen):
        assert one.box in boxes_at(n, joined)
