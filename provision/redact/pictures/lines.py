"""Join strips of one row into a line of text, and find the line below a line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from provision.redact.pictures.glyphs import Glyph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.redact.pictures.strips import Strip

_SAME_ROW = 0.35
_CELL_GAP = 3.5
"""In pitches, from the beginning of one character to the end of the next: three with one space. More, or an upright rule, is
between two cells."""
_WIDEST = 1.3
_COLUMN_PX = 24
_RULES = frozenset("|│┃║")
_FARTHEST_NEIGHBOUR = 4.0
"""In heights: strips of a row that are farther apart belong to different columns or windows."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """The text of one row, left to right."""

    glyphs: tuple[Glyph, ...]

    @property
    def text(self) -> str:
        """The text, one character per glyph."""
        return "".join(g.text for g in self.glyphs)

    @property
    def strip(self) -> Strip:
        """The strip of its first character; all of a line's strips are parallel."""
        return self.glyphs[0].strip

    @property
    def right(self) -> float:
        """Where the line ends, along its first strip."""
        last = self.glyphs[-1]
        return self.strip.within(last.strip.place(last.right, 0))[0]

    @property
    def pitch(self) -> float:
        """The median distance between the middles of characters, in pixels."""
        solid = [g for g in self.glyphs if g.text != " "]
        distances = sorted((b.left + b.right - a.left - a.right) / 2 for a, b in pairwise(solid) if a.strip is b.strip)
        return distances[len(distances) // 2] if distances else self.strip.height / 2

    @property
    def certainty(self) -> float:
        """The mean certainty of its characters, 0 to 1."""
        return sum(g.certainty for g in self.glyphs) / len(self.glyphs)


def lines_of(read: list[list[Glyph]]) -> list[TextLine]:
    """Join read strips into lines, top to bottom."""
    rows: list[list[Glyph]] = []
    for glyphs in sorted((g for g in read if g), key=lambda g: g[0].strip.place(g[0].left, 0)[0]):
        row = next((r for r in rows if _continues(r[-1], glyphs[0])), None)
        if row is None:
            rows.append(list(glyphs))
            continue
        row += [*_gap(row[-1], glyphs[0]), *glyphs]
    return sorted((TextLine(tuple(row)) for row in rows), key=lambda line: (line.strip.y, line.strip.x))


def _continues(last: Glyph, first: Glyph) -> bool:
    a, b = last.strip, first.strip
    if abs(a.angle - b.angle) > 0.05 or not 0.6 < a.height / b.height < 1.7:
        return False
    along, across = a.within(b.place(first.left, b.height / 2))
    distance = along - last.right
    return abs(across - a.height / 2) < _SAME_ROW * a.height and -0.6 < distance / a.height < _FARTHEST_NEIGHBOUR


def _gap(last: Glyph, first: Glyph) -> list[Glyph]:
    along = last.strip.within(first.strip.place(first.left, first.strip.height / 2))[0]
    if along - last.right < 0.35 * last.strip.height:
        return []
    return [Glyph(" ", 1.0, last.strip, last.right, along)]


def cells_of(lines: list[TextLine]) -> list[TextLine]:
    """Return the parts of lines between wide gaps and upright rules, column by column: cells of tables, halves of a split window.

    Empty if no line has more than one: then the lines are the cells.
    """
    cells = [TextLine(tuple(part)) for line in lines for part in _parts(line)]
    if len(cells) == len(lines):
        return []
    return sorted(cells, key=lambda c: (round(c.glyphs[0].strip.place(c.glyphs[0].left, 0)[0] / _COLUMN_PX), c.strip.y))


def _parts(line: TextLine) -> Iterator[list[Glyph]]:
    wide = _CELL_GAP * line.pitch
    part: list[Glyph] = []
    for glyph in line.glyphs:
        if glyph.text in _RULES and (not part or part[-1].text == " "):
            gap = wide + 1
        else:
            last = next((g for g in reversed(part) if g.text != " "), None)
            spaced = last is not None and part[-1] is not last and glyph.text != " "
            gap = _span(last, glyph, line.pitch) if last and spaced else 0.0
        if gap > wide:
            yield from _trimmed(part)
            part = []
        if part or glyph.text not in _RULES:
            part.append(glyph)
    yield from _trimmed(part)


def _trimmed(part: list[Glyph]) -> Iterator[list[Glyph]]:
    while part and part[-1].text == " ":
        part.pop()
    while part and part[0].text == " ":
        part.pop(0)
    if part:
        yield part


def _span(last: Glyph, first: Glyph, pitch: float) -> float:
    """Return the distance from the beginning of a character to the end of a later one: the ends beside a gap are uncertain.

    A character that was read as wide as two is not wider than the widest letter: it has a part of its neighbour.
    """
    widest = _WIDEST * pitch
    begin = max(last.left, last.right - widest)
    return (
        last.strip.within(first.strip.place(min(first.right, first.left + widest), first.strip.height / 2))[0] - begin
    )


def line_below(line: TextLine, lines: list[TextLine]) -> TextLine | None:
    """Return the line in which wrapped text would continue: the next row down that begins left of this line's end."""
    best, nearest = None, 0.0
    for other in lines:
        if other is line or abs(other.strip.angle - line.strip.angle) > 0.05:
            continue
        height = line.strip.height
        if not 0.5 < other.strip.height / height < 2:  # a strip of few characters is lower or higher than others
            continue
        along, across = line.strip.within(other.strip.place(other.glyphs[0].left, other.strip.height / 2))
        down = (across - height / 2) / height
        if 0.5 < down < 2.6 and along < line.right - height / 2:
            rank = down * 4 + abs(along - line.glyphs[0].left) / height / 8
            if best is None or rank < nearest:
                best, nearest = other, rank
    return best
