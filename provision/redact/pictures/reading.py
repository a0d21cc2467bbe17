"""Find and read the text of a picture. What is small or was read badly is searched for and read again at twice its size.

At its own size, lines of small text are found as one: a strip over two or three lines, in which nothing can be read.
"""

from __future__ import annotations

import difflib
import itertools
from typing import TYPE_CHECKING

from provision.redact.pictures.glyphs import read_strip
from provision.redact.pictures.strips import distinct_strips, find_enlarged, find_strips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from provision.redact.pictures.glyphs import Glyph
    from provision.redact.pictures.ocr_models import OcrModels
    from provision.redact.pictures.strips import Pixels, Strip

_SMALL_PX = 14
"""A lower strip is searched for at two sizes. Strips of letters of 8 px are lower, those of 12 px are 16 to 20 high."""
_BADLY_READ = 0.75
_SURE_OF_WORD = 0.8
_SAME = 0.6
"""The part of a word that two readings must have in common; look-alike letters may differ."""
_LONG = 16
"""Characters of a word that may be a key."""
_LONG_WORD = 10
"""Characters of a word that may be a key, or most of one, after one reading."""
_WIDE = 5.0
"""In heights: as wide as a long word, whose characters may not all have been read."""
_CERTAIN = 0.6
_FEW = 1.2
"""In heights per character: letters are half as wide as their line is high, so a strip with fewer was not read."""
_SHARED_ROWS = 0.35
"""A strip that shares more of its rows with a strip above or below holds more than one line."""
Span = tuple[float, float]
"""From left to right along a strip."""


def read_text(
    picture: Pixels, models: OcrModels, wanted: Callable[[Strip], bool] | None = None
) -> dict[Strip, list[Glyph]]:
    """Return what stands in each strip of a picture (H, W, 3), top to bottom; only in those that are `wanted`."""

    def fitting(strips: Iterable[Strip]) -> list[Strip]:
        return [s for s in strips if wanted is None or wanted(s)]

    read = {s: read_strip(picture, s, models) for s in fitting(find_strips(picture, models))}
    doubtful = {s for s, glyphs in read.items() if s.height < _SMALL_PX or is_badly_read(s, glyphs)} | _crowded(read)
    if doubtful:
        found = fitting(find_enlarged(picture, models, doubtful))
        kept = {s: read[s] for s in read if s not in doubtful or not any(_meet(s, new) for new in found)}
        read = kept | {s: read_strip(picture, s, models) for s in distinct_strips([*kept, *found]) if s not in kept}
    return dict(sorted(read.items(), key=lambda each: (each[0].y, each[0].x)))


def is_badly_read(strip: Strip, glyphs: list[Glyph]) -> bool:
    """Whether a strip that looks like text has no text, less than it has room for, or uncertain text."""
    solid = [g for g in glyphs if g.text != " "]
    if len(solid) * _FEW * strip.height < strip.length - strip.height:
        return True
    return sum(g.certainty for g in solid) < _BADLY_READ * len(solid)


def has_unread_word(strip: Strip, glyphs: list[Glyph]) -> bool:
    """Whether a strip that is long enough for a key holds a long word that was not read, or not with certainty."""
    if strip.length < _LONG * strip.height / 2:
        return False
    if is_badly_read(strip, glyphs):
        return True
    return any(sum(g.certainty for g in word) < _SURE_OF_WORD * len(word) for word in _long_words(glyphs))


def parts_to_reread(strip: Strip, glyphs: list[Glyph], covers: list[Span]) -> list[Span]:
    """Return the parts of a strip with a word that is long, uncertain or beside a cover, and those without a word beside one.

    Short words that were read with certainty cannot be a key.
    """
    if not covers and glyphs and is_badly_read(strip, glyphs):
        return [(0.0, strip.length)]
    borders = [0.0, *itertools.chain.from_iterable(covers), strip.length]
    parts: list[Span] = []
    for n, (start, end) in enumerate(zip(borders[::2], borders[1::2], strict=True)):
        words = [(word, word[0].left, word[-1].right) for word in _words(g for g in glyphs if start <= g.middle <= end)]
        for word, left, right in words:
            beside = (n and left - start < strip.height) or (n < len(covers) and end - right < strip.height)
            if beside or _may_be_key(word, strip.height):
                joins = parts and left - parts[-1][1] < strip.height
                parts.append((parts.pop()[0] if joins else left, right))
        if covers and not words and end - start > strip.height:
            parts.append((start, end))
    return parts


def _may_be_key(word: list[Glyph], height: float) -> bool:
    wide = word[-1].right - word[0].left > _WIDE * height
    return wide or len(word) >= _LONG_WORD or any(g.certainty < _CERTAIN for g in word)


def readings_differ(first: list[Glyph], second: list[Glyph]) -> bool:
    """Whether a long word of the first reading is another one in the second."""
    text = "".join(g.text for g in second)
    for word in _long_words(first):
        read = "".join(g.text for g in word)
        match = difflib.SequenceMatcher(None, read, text, autojunk=False).get_matching_blocks()
        if sum(block.size for block in match if block.size > 1) < _SAME * len(read):
            return True
    return False


def _long_words(glyphs: Iterable[Glyph]) -> Iterator[list[Glyph]]:
    yield from (word for word in _words(glyphs) if len(word) >= _LONG)


def _words(glyphs: Iterable[Glyph]) -> Iterator[list[Glyph]]:
    for space, word in itertools.groupby(glyphs, lambda g: g.text == " "):
        if not space:
            yield list(word)


def _crowded(strips: Iterable[Strip]) -> set[Strip]:
    """Return level strips that share rows with a neighbour above or below."""
    level = [s for s in strips if not s.angle]
    found: set[Strip] = set()
    for n, a in enumerate(level):
        for b in level[n + 1 :]:
            if _rows_shared(a, b) > _SHARED_ROWS * min(a.height, b.height) and _columns_shared(a, b) > min(
                a.height, b.height
            ):
                found |= {a, b}
    return found


def _meet(a: Strip, b: Strip) -> bool:
    """Whether two strips hold the same text."""
    return _columns_shared(a, b) > 0 and _rows_shared(a, b) > 0.5 * min(a.height, b.height)


def _rows_shared(a: Strip, b: Strip) -> float:
    return min(a.y + a.height, b.y + b.height) - max(a.y, b.y)


def _columns_shared(a: Strip, b: Strip) -> float:
    return min(a.x + a.length, b.x + b.length) - max(a.x, b.x)
