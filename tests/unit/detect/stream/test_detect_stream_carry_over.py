"""Whether the beginning of a line belongs to the key that the line before left open."""

from __future__ import annotations

import pytest
from detectcraft import aisa_key

from provision.detect.stream.carry_over import CUT_RULE, OpenKey, continues_key, partial_match

KEY = aisa_key().encode()


def opened(text: bytes, width: int = 20, rows: int = 1) -> OpenKey:
    return OpenKey(text, width, rows, None, whole=True)


def test_the_rest_of_a_gateway_key_always_belongs_to_it() -> None:
    assert continues_key(opened(KEY[:30], width=5), KEY[30:], 500, b"=")


@pytest.mark.parametrize(
    ("head", "content", "follows", "belongs"),
    [
        (b"q7Rt2", 5, b"", True),
        (b"q7Rt2", 21, b"", True),
        (b"q7Rt2", 22, b"", False),  # a line longer than the key's rows
        (b"q7Rt2", 5, b"=", False),  # an assignment
        (b"q7Rt2", 5, b"(", False),  # a call
        (b"hello", 5, b"", False),  # a word
    ],
)
def test_a_random_row_that_fits_belongs_to_a_key(head: bytes, content: int, follows: bytes, belongs: bool) -> None:
    assert continues_key(opened(b"ghp_" + b"a1B2" * 4), head, content, follows) is belongs


def test_a_narrow_first_row_decides_nothing_and_a_second_row_everything() -> None:
    assert not continues_key(opened(b"ghp_a1B2", width=8), b"q7Rt2", 5, b"")
    assert continues_key(opened(b"ghp_a1B2", width=8, rows=2), b"hello", 5, b"")


def test_a_partial_match_covers_its_text_and_names_its_rule() -> None:
    match = partial_match(b"sk-ab")
    assert (match.rule, match.spans, match.secret.reveal()) == (CUT_RULE, ((0, 5),), "sk-ab")
    assert match.encodings == ("wrapped",)
