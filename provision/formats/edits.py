"""Replacing some stretches of a text and leaving every other character as it is."""

from __future__ import annotations

from typing import NamedTuple


class Edit(NamedTuple):
    """Half-open range of characters, and what stands there afterwards."""

    start: int
    end: int
    text: str


def apply_edits(text: str, edits: list[Edit]) -> str:
    """The text with all edits made; they must not overlap."""
    out: list[str] = []
    at = 0
    for edit in sorted(edits):
        out += (text[at : edit.start], edit.text)
        at = edit.end
    return "".join((*out, text[at:]))


def decode_text(data: bytes) -> tuple[str, str] | None:
    """The text, and the encoding that gives the same bytes back; None for what is no text."""
    encoding = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(data[:2], "utf-8")
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        return None


def line_of(text: str, offset: int) -> int:
    """The line, counted from 1, in which a character stands."""
    return text.count("\n", 0, offset) + 1
