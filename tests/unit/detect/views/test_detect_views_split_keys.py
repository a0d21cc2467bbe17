"""Keys that a terminal splits: where they begin, where a row ends and which row belongs to them."""

from __future__ import annotations

import pytest

from provision.detect.engines.hits import Hits
from provision.detect.engines.needles import NeedleKind
from provision.detect.views.split_keys import (
    colour_views,
    has_mixed_characters,
    inside_word,
    key_start,
    last_row_belongs,
    row_end,
    wrapped_rows,
)


def test_a_key_begins_before_a_keyword_that_is_not_at_its_beginning() -> None:
    assert key_start(b"see 7102015431:AAxyz", 14) == 4
    assert key_start(b"see sk-abc", 4) == 4
    assert key_start(b"1" * 40 + b":AA", 40) == 40 - 16  # at most 16 characters back


def test_a_keyword_inside_a_word_is_not_the_beginning_of_a_key() -> None:
    assert inside_word(b"task-list", 2)
    assert not inside_word(b"a sk-list", 2)
    assert not inside_word(b"1:AA", 1)


def test_a_row_ends_at_the_first_other_character() -> None:
    assert row_end(b"sk-ab_C9/x rest", 0, 100) == 10
    assert row_end(b"sk-abcdefgh", 0, 5) == 5


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"sk-aaaaaaaa\nbbbbbbbbbbb\ncc done", [b"sk-aaaaaaaa", b"bbbbbbbbbbb", b"cc"]),
        (b"sk-aaaaaaaa\nbbb\ncc", [b"sk-aaaaaaaa", b"bbb"]),  # a row that is not full is the last one
        (b"sk-aaaaaaaa\n\nbbb", [b"sk-aaaaaaaa"]),
    ],
)
def test_a_key_continues_only_after_full_rows(text: bytes, rows: list[bytes]) -> None:
    end = text.index(b"\n")
    assert [text[first:last] for first, last in wrapped_rows(text, 0, end, end + 1)] == rows


def test_a_row_in_which_another_key_begins_is_not_part_of_this_one() -> None:
    text = b"sk-aaaaaaaa\nsk-bbbbbbbb\n"
    assert wrapped_rows(text, 0, 11, 12, {12}) == [(0, 11)]


def test_the_last_row_belongs_to_a_key_when_it_looks_random_and_fits() -> None:
    first = b"sk-aB3dE5fG7hJ9kL\n"
    for row, belongs in (
        (b"q7Rt2\n", True),
        (b"hello\n", False),
        (b"q7Rt2=x\n", False),
        (b"q7Rt2 " + b"w" * 20, False),
    ):
        data = first + row
        assert last_row_belongs(data, ((0, 17), (18, 23))) is belongs, row


def test_mixed_characters() -> None:
    assert has_mixed_characters(b"ab1")
    assert has_mixed_characters(b"aBcDe")
    assert not has_mixed_characters(b"12345")
    assert not has_mixed_characters(b"Hello")


def test_colour_codes_are_removed_from_the_view_only() -> None:
    data = b"x sk-\x1b[31mab\x1b[0mcd y"
    hits = Hits([], {NeedleKind.COLOUR: [data.index(b"\x1b"), data.rindex(b"\x1b")]})
    (view,) = colour_views(data, hits)
    assert view.text == b"x sk-abcd y"
    assert view.original_offset(view.text.index(b"ab")) == data.index(b"ab")
    assert colour_views(data, Hits([], {})) == []
