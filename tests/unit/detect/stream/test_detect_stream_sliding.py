"""Windows over bytes: the same matches for any chunks, and each match once."""

from __future__ import annotations

import random
import re

from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret
from provision.detect.stream.sliding import Sliding, slide


def find(data: bytes, _: int | None) -> list[Match]:
    return [
        Match("r", FindingSeverity.LOW, Confidence.LOW, (found.span(),), Secret("x"))
        for found in re.finditer(rb"<[a-z]+>", data)
    ]


def spans(data: bytes, sizes: list[int]) -> list[tuple[int, int]]:
    sliding = Sliding(find, 16, 8)
    found, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += [match.spans[0] for match in sliding.feed(data[at : at + size])]
        at, turn = at + size, turn + 1
    return [*found, *(match.spans[0] for match in sliding.finish())]


def test_every_match_is_found_once_for_any_chunks() -> None:
    chance = random.Random(8)
    for _ in range(100):
        data = b"".join(chance.choices([b"<abc>", b"<a>", b".", b"......", b"<", b">"], k=30))
        expected = [found.span() for found in re.finditer(rb"<[a-z]+>", data)]
        assert [match.spans[0] for match in slide(data, find, 16, 8)] == expected
        for sizes in ([1], [7], [16], [1000], [3, 40]):
            assert spans(data, sizes) == expected, data


def test_a_match_settles_when_its_window_and_the_overlap_have_arrived() -> None:
    sliding = Sliding(find, 16, 8)
    assert list(sliding.feed(b"<abc>" + b"." * 18)) == []
    assert sliding.settled == 0
    assert [match.spans for match in sliding.feed(b".")] == [((0, 5),)]
    assert sliding.settled == 16


def test_the_end_settles_everything() -> None:
    sliding = Sliding(find, 16, 8)
    assert list(sliding.feed(b"..<ab>")) == []
    assert [match.spans for match in sliding.finish()] == [((2, 6),)]
    assert sliding.settled == 6
    assert list(slide(b"", find, 16, 8)) == []
