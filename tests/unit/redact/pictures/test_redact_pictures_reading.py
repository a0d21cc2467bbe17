"""Which parts of a line are read a second time: words that may be keys, and what is left beside a cover."""

from __future__ import annotations

import pytest

from provision.redact.pictures.glyphs import Glyph
from provision.redact.pictures.reading import Span, parts_to_reread
from provision.redact.pictures.strips import Strip

STRIP = Strip(0, 0, 0.0, 60 * 8, 18)
SHORT = "one two three four five six seven eight nine ten twelve end."


def _glyphs(text: str, certainty: float = 0.99) -> list[Glyph]:
    return [Glyph(c, certainty, STRIP, n * 8, n * 8 + 8) for n, c in enumerate(text)]


@pytest.mark.parametrize(
    ("text", "covers", "parts"),
    [
        (SHORT, [], []),
        ("one abcdefghij " + SHORT[:44], [], [(4 * 8, 14 * 8)]),
        ("one abcdefghij abcdefghijk " + SHORT[:32], [], [(4 * 8, 26 * 8)]),
        (SHORT[:20] + " " * 40, [(160, 400)], [(14 * 8, 20 * 8), (400, 480)]),
        (SHORT[:19] + " " * 31 + " end two...", [(152, 400)], [(14 * 8, 18 * 8), (51 * 8, 54 * 8)]),
        (" " * 60, [(0, 480)], []),
    ],
    ids=["short words", "a long one", "two long ones", "nothing after a cover", "words around a cover", "only a cover"],
)
def test_words_that_may_be_keys_and_those_beside_covers(text: str, covers: list[Span], parts: list[Span]) -> None:
    assert parts_to_reread(STRIP, _glyphs(text), covers) == parts


def test_a_word_with_an_uncertain_letter_and_a_line_that_was_read_badly() -> None:
    glyphs = _glyphs(SHORT)
    glyphs[5] = Glyph("w", 0.3, STRIP, 40, 48)
    assert parts_to_reread(STRIP, glyphs, []) == [(32, 56)]
    assert parts_to_reread(STRIP, _glyphs(SHORT, 0.5), []) == [(0.0, STRIP.length)]


def test_a_wide_word_of_few_letters_is_read_again() -> None:
    glyphs = [Glyph(c, 0.99, STRIP, n * 32, n * 32 + 32) for n, c in enumerate("abcdefgh")]
    glyphs += [Glyph(c, 0.99, STRIP, 256 + n * 8, 264 + n * 8) for n, c in enumerate(" and a few more words here")]
    assert parts_to_reread(STRIP, glyphs, []) == [(0, 256)]
