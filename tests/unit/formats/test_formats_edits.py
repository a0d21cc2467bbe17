"""Edits replace ranges and keep all other characters; decoding is reversible."""

from __future__ import annotations

import pytest

from provision.formats.edits import Edit, apply_edits, decode_text, line_of


def test_edits_are_applied_in_order_of_their_position() -> None:
    edits = [Edit(6, 11, "X"), Edit(0, 1, "J"), Edit(11, 11, "!")]
    assert apply_edits("hello world", edits) == "Jello X!"
    assert apply_edits("hello", []) == "hello"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        "plain ä €\r\n".encode(),
        "\ufeffmarked".encode(),
        "\ufeffä\n".encode("utf-16-le"),
        "\ufeffä".encode("utf-16-be"),
    ],
)
def test_decoded_text_encodes_to_the_same_bytes(data: bytes) -> None:
    decoded = decode_text(data)
    assert decoded is not None
    text, encoding = decoded
    assert text.encode(encoding) == data


def test_data_that_is_not_text_is_not_decoded() -> None:
    assert decode_text(b"a\xffb") is None
    assert decode_text(b"\xff\xfea") is None  # half a character of UTF-16


def test_lines_are_counted_from_one() -> None:
    text = "a\nbc\n\nd"
    assert [line_of(text, at) for at in (0, 1, 2, 4, 5, 6)] == [1, 1, 2, 2, 3, 4]
