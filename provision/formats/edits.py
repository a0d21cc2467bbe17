"""Replace parts of a text and keep every other character."""

from __future__ import annotations

from operator import itemgetter
from typing import NamedTuple


class Edit(NamedTuple):
    """A half-open range of characters and its replacement."""

    start: int
    end: int
    text: str


def apply_edits(text: str, edits: list[Edit]) -> str:
    """Return the text with all edits applied; they must not overlap. Those at one place are made in their order."""
    out: list[str] = []
    at = 0
    for edit in sorted(edits, key=itemgetter(0, 1)):
        out += (text[at : edit.start], edit.text)
        at = edit.end
    return "".join((*out, text[at:]))


def decode_text(data: bytes) -> tuple[str, str] | None:
    """Return the text and an encoding that yields the same bytes again; None for data that is not text."""
    encoding = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(data[:2], "utf-8")
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        return None


def line_of(text: str, offset: int) -> int:
    """Return the line (from 1) of the character at `offset`."""
    return text.count("\n", 0, offset) + 1
