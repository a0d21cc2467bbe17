"""Covering: areas of one flat colour where keys stood. Nothing is blurred or pixelated; both can be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.finding import Part
    from provision.redact.pictures.strips import Pixels, Point, Strip

FILL = (0, 0, 0)
_EDGE = (255, 45, 85)
_MARGIN = 0.12
"""Of the line's height, added at both ends: the outermost characters' soft edges, and what stands between them and the next."""
_BREAK = 0.1
"""Of the line's height: blank rows inside a line (above an underscore, below the dot of an i)."""
_REACH = 0.3
_INK = 0.2


@dataclass(frozen=True, slots=True)
class Area:
    """Four corners in pixels, clockwise, and why they are covered."""

    corners: tuple[Point, Point, Point, Point]
    rule: str

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        xs, ys = [p[0] for p in self.corners], [p[1] for p in self.corners]
        return min(xs), min(ys), max(xs), max(ys)


def areas_of(part: Part, rule: str, picture: Pixels) -> list[Area]:
    """The areas that cover a part of a line: one for each strip that it stands in."""
    areas = []
    strips: list[Strip] = []
    for glyph in part.glyphs:
        if not any(glyph.strip is s for s in strips):
            strips.append(glyph.strip)
    for strip in strips:
        glyphs = [g for g in part.glyphs if g.strip is strip]
        first, last = glyphs[0], glyphs[-1]
        before = part.line.glyphs[part.start - 1].text if part.start and first is part.glyphs[0] else " "
        after = part.line.glyphs[part.end].text if part.end < len(part.line.glyphs) and last is part.glyphs[-1] else " "
        margin = _MARGIN * strip.height
        left = first.left - (1.0 if before.isalnum() else margin)
        right = last.right + (1.0 if after.isalnum() else margin)
        areas.append(Area(_quad(strip, left, right, picture), rule))
    return areas


def _quad(strip: Strip, left: float, right: float, picture: Pixels) -> tuple[Point, Point, Point, Point]:
    """A part of a strip from its topmost to its lowest ink."""
    if strip.angle:
        more = 0.1 * strip.height
        high, low = -more, strip.height + more
        return strip.place(left, high), strip.place(right, high), strip.place(right, low), strip.place(left, low)
    reach = _REACH * strip.height
    top, bottom = max(0, round(strip.y - reach)), round(strip.y + strip.height + reach)
    part = picture[top:bottom, max(0, int(strip.x + left)) : int(strip.x + right) + 1]
    if not part.size:
        return strip.quad(left, right)
    rows = _inked_rows(part)
    middle = strip.y + strip.height / 2 - top
    core = 0.2 * strip.height
    high = _last_ink(rows, int(middle - core), -1, _BREAK * strip.height)
    low = _last_ink(rows, int(middle + core), 1, _BREAK * strip.height)
    y0, y1 = top + high - 1 - strip.y, top + low + 2 - strip.y
    return strip.place(left, y0), strip.place(right, y0), strip.place(right, y1), strip.place(left, y1)


def _inked_rows(part: Pixels) -> NDArray[np.bool_]:
    import numpy as np  # noqa: PLC0415

    colours = part.astype(np.int16)
    contrast = np.abs(colours - np.median(colours, axis=(0, 1))).max(axis=2)
    rows: NDArray[np.bool_] = (contrast > max(16.0, _INK * float(np.percentile(contrast, 98)))).any(axis=1)
    return rows


def _last_ink(rows: NDArray[np.bool_], start: int, step: int, gap: float) -> int:
    """The last inked row from `start` on, before a blank stretch longer than `gap`."""
    row, last, blank = start, start, 0.0
    while 0 <= row < len(rows) and blank <= max(1.0, gap):
        blank = 0.0 if rows[row] else blank + 1
        if rows[row]:
            last = row
        row += step
    return last


def cover(picture: Pixels, areas: list[Area]) -> None:
    """Fill areas in place, to the outermost pixel they touch."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    for area in areas:
        left, top, right, bottom = area.bounds()
        if all(min(abs(x - left), abs(x - right)) < 0.01 for x, _ in area.corners):
            rows = slice(max(0, int(np.floor(top))), max(0, int(np.ceil(bottom))))
            columns = slice(max(0, int(np.floor(left))), max(0, int(np.ceil(right))))
            picture[rows, columns] = FILL
        else:
            corners = np.array(area.corners).round().astype(np.int32)
            cv2.fillConvexPoly(picture, corners, FILL)
            cv2.polylines(picture, [corners], isClosed=True, color=FILL, thickness=2)


def outline(picture: Pixels, areas: list[Area], colour: tuple[int, int, int] = _EDGE) -> None:
    """Draw the areas' edges in place, for a preview: what is inside stays visible."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    for area in areas:
        corners = np.array(area.corners).round().astype(np.int32)
        cv2.polylines(picture, [corners], isClosed=True, color=colour, thickness=2)
