"""Needles match a keyword in every encoding they promise, and are as long as they say."""

from __future__ import annotations

import base64
import random
import re
import re._parser as regex_parser

import pytest

from provision.detect.engines.needles import (
    BASE64_KINDS,
    NeedleKind,
    base64_classes,
    make_needles,
    mark_needles,
    minimal_words,
)

CHANCE = random.Random(11)
NEEDLES = make_needles(("api_key", "sk-test"), ("sk-test",), ("sk-test",))


def kinds_in(data: bytes) -> set[NeedleKind]:
    return {needle.kind for needle in NEEDLES if re.search(needle.pattern, data, re.DOTALL)}


@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("altchars", [b"+/", b"-_"])
def test_base64_of_every_alignment_and_alphabet_is_matched(shift: int, altchars: bytes) -> None:
    for word in (b"api_key", b"API_KEY", b"Api_Key"):
        data = base64.b64encode(CHANCE.randbytes(3 + shift) + word + CHANCE.randbytes(9), altchars)
        assert BASE64_KINDS[shift] in kinds_in(data), (word, data)


def test_the_other_encodings_are_matched() -> None:
    assert NeedleKind.HEX in kinds_in(b"api_key".hex().encode())
    assert NeedleKind.HEX in kinds_in(b"API_key".hex().upper().encode())
    assert NeedleKind.UTF16 in kinds_in("api_key".encode("utf-16-le"))
    assert NeedleKind.UTF16 in kinds_in("api_key".encode("utf-16-be"))
    assert NeedleKind.URL in kinds_in(b"api%5fkey")
    assert NeedleKind.JSON in kinds_in(b"\\u0061\\u0070\\u0069")
    assert NeedleKind.BROKEN in kinds_in(b"sk-\r\ntest")
    assert NeedleKind.COLOUR in kinds_in(b"sk-\x1b[31mtest")
    assert kinds_in(b"the api_key and sk-test in plain text\n") == set()


def test_a_nested_keyword_is_matched_in_base64_of_base64() -> None:
    data = base64.b64encode(base64.b64encode(b"xx sk-test yy"))
    assert kinds_in(data) & set(BASE64_KINDS)


def test_a_needle_matches_exactly_its_length() -> None:
    for needle in NEEDLES:
        assert regex_parser.parse(needle.pattern).getwidth() == (needle.length, needle.length), needle


def test_only_the_shortest_of_nested_keywords_is_kept() -> None:
    assert minimal_words(("api_key", "key", "token", "key")) == ["key", "token"]


def test_a_mark_must_have_one_class_per_byte() -> None:
    (plain,) = mark_needles([("[ab][0-9]x", 3)], decode=False)
    assert (plain.kind, plain.length) == (NeedleKind.MARK, 3)
    assert len(list(mark_needles([("[ab][0-9]x", 3)], decode=True))) > 5
    with pytest.raises(ValueError, match="one class for each"):
        list(mark_needles([("[ab]+", 3)], decode=False))


def test_base64_classes_leave_out_characters_that_say_nothing() -> None:
    classes = base64_classes([frozenset(b"a")], 0)
    assert [chr(min(each)) for each in classes[:1]] == ["Y"]
    assert len(classes) == 2  # 8 bits: one full character and a part of the second


def test_a_long_mark_is_searched_for_as_it_is_only() -> None:
    (plain,) = mark_needles([("[0-9a-f]" * 41, 41)], decode=True)
    assert plain.length == 41
