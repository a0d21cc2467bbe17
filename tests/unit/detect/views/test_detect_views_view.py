"""Offsets of decoded text lead back to the bytes they come from."""

from __future__ import annotations

import re

import pytest

from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret
from provision.detect.views.signs import sign_segments
from provision.detect.views.view import Pieces, Segment, View, unescaped_segment

PERCENT = re.compile(rb"(%[0-9a-f]{2})")


def match(start: int, end: int) -> Match:
    return Match("r", FindingSeverity.LOW, Confidence.LOW, ((start, end),), Secret("x"), ("json",))


def test_pieces_map_a_range_to_all_ranges_that_hold_it() -> None:
    pieces = Pieces(((2, 5), (10, 12), (20, 24)))
    assert pieces.joined(b"..abc.....de........fghi") == b"abcdefghi"
    assert pieces.place(0, 3) == ((2, 5),)
    assert pieces.place(1, 7) == ((3, 5), (10, 12), (20, 22))
    assert pieces.place(4, 5) == ((11, 12),)


def test_a_match_is_mapped_through_its_segment_and_gets_its_encoding() -> None:
    view = View("hex", [Segment(b"abcd", lambda a, b: ((100 + a, 100 + b),)), Segment(b"xyz", lambda a, b: ((a, b),))])
    second = view.text.index(b"xyz")
    original = view.to_original(match(second + 1, second + 3))
    assert original is not None
    assert original.spans == ((1, 3),)
    assert original.encodings == ("hex", "json")
    assert view.original_offset(2) == 102
    assert view.original_offset(second) == 0


def test_a_match_across_two_segments_is_dropped() -> None:
    view = View("hex", [Segment(b"abcd", lambda a, b: ((a, b),)), Segment(b"xyz", lambda a, b: ((a, b),))])
    assert view.to_original(match(2, len(view.text))) is None
    assert view.to_original(match(0, 4)) is not None


def test_escapes_are_replaced_and_their_whole_text_belongs_to_the_character() -> None:
    data = b"__a%62c%64e__"
    segment = unescaped_segment(data, 2, len(data), PERCENT, lambda escape: bytes((int(escape[1:], 16),)))
    assert segment is not None
    assert segment.text == b"abcde__"
    for at, source in enumerate((b"a", b"%62", b"c", b"%64", b"e")):
        ((start, end),) = segment.place(at, at + 1)
        assert data[start:end] == source
    ((start, end),) = segment.place(1, 4)
    assert data[start:end] == b"%62c%64"


def test_text_without_escapes_needs_no_segment() -> None:
    assert unescaped_segment(b"plain", 0, 5, PERCENT, lambda escape: escape) is None


@pytest.mark.parametrize("struck", [b"ab", b"&\xfa", b"&a", b"<a", b"\\a", b"{a", b"{-"])
@pytest.mark.parametrize("over", [b"\x08", b"\x7f"])
def test_what_is_struck_over_is_gone_whatever_it_begins_with(struck: bytes, over: bytes) -> None:
    data = b"key sk-" + struck + 2 * over + b"aisa-rest"
    [segment, *_] = sign_segments(data, [data.index(over)])
    assert segment.text == b"key sk-aisa-rest"
