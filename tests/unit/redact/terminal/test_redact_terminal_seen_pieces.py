"""A part of a secret that comes again is recognised; short and ordinary values are not remembered."""

from __future__ import annotations

from redactcraft import aisa_key, opaque

from provision.redact.terminal.canvas import ScreenText
from provision.redact.terminal.seen_pieces import SeenPieces

KEY = aisa_key("pieces")


def found(pieces: SeenPieces, text: str) -> list[str]:
    return [part for part, _ in pieces.found_in(ScreenText(text, list(range(len(text)))))]


def test_a_part_that_was_seen_before_is_found_without_its_prefix() -> None:
    pieces = SeenPieces()
    assert not found(pieces, KEY[20:40])
    pieces.learn(KEY)
    assert found(pieces, f"x {KEY[20:40]} y") == [KEY[20:40]]
    assert not found(pieces, "x ordinary-words-of-a-line y")


def test_short_and_ordinary_values_are_not_remembered() -> None:
    pieces = SeenPieces()
    pieces.learn(opaque("short", 15))
    pieces.learn("correct-horse-battery-staple")
    assert not pieces
