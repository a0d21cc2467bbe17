"""Cover keys with areas of one flat colour. Nothing is blurred or pixelated: both can be undone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.glyphs import Glyph
    from provision.redact.pictures.sightings import LinePart
    from provision.redact.pictures.strips import Pixels, Point, Strip

FILL = (0, 0, 0)
_EDGE = (255, 45, 85)
_MARGIN = 0.12
"""Of the line's height: added at both ends, for the soft edges of the outermost characters."""
_MARGIN_PUNCTUATION = 0.4
"""The same next to a quote or an equals sign, which may be covered."""
_TRAIL = 0.15
"""Of the line's height: ink that follows a key after a smaller gap belongs to it (an underscore that was not read)."""
_CHECKED_ROWS = 8
_FLAT = 24
_LONGEST_TRAIL = 40
_LONGEST_STROKE = 4
"""In the line's heights: seven underscores. A longer one is a border."""
_BREAK = 0.2
"""Of the line's height: blank rows inside a line (above an underscore, below the dot of an i)."""
_REACH = 0.3
_BEYOND = 0.15
"""Of the line's height: how far a line may reach above and below its strip."""
_INK = 0.2
_RULE = 0.9
"""A row with more ink in it is a border, not of letters."""
_SLACK_PX = 0.25
"""A pixel is covered if its middle is not farther outside of a turned area."""
_DESCENT = 0.33
"""Of the height of a capital: how far an underscore is below the line on which letters stand."""


@dataclass(frozen=True, slots=True)
class Area:
    """Four corners in pixels, clockwise, and the reason for covering."""

    corners: tuple[Point, Point, Point, Point]
    rule: str

    def bounds(self) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom."""
        xs, ys = [p[0] for p in self.corners], [p[1] for p in self.corners]
        return min(xs), min(ys), max(xs), max(ys)


def areas_of(part: LinePart, rule: str, picture: Pixels, strips: Iterable[Strip] = ()) -> list[Area]:
    """Return the areas that cover a part of a line, one per strip. `strips` are all strips of the picture."""
    areas = []
    own: list[Strip] = []
    for glyph in part.glyphs:
        if not any(glyph.strip is s for s in own):
            own.append(glyph.strip)
    around = list(strips)
    for strip in own:
        glyphs = [g for g in part.glyphs if g.strip is strip]
        first, last = glyphs[0], glyphs[-1]
        before = part.line.glyphs[part.start - 1].text if part.start and first is part.glyphs[0] else ""
        after = part.line.glyphs[part.end].text if part.end < len(part.line.glyphs) and last is part.glyphs[-1] else ""
        left, right = first.left - _margin(before, strip), last.right + _margin(after, strip)
        if strip.angle:
            more = 0.1 * strip.height
            high, low = -more, strip.height + more
        else:
            high, low = _rows(strip, left, right, picture, around)
            if not before.strip():
                left = min(left, _trail(strip, first, -1, picture))
            if not after.strip():
                right = max(right, _trail(strip, last, 1, picture))
        place = strip.place
        areas.append(Area((place(left, high), place(right, high), place(right, low), place(left, low)), rule))
    return areas


def _margin(neighbour: str, strip: Strip) -> float:
    if neighbour.isalnum():
        return 1.0
    return (_MARGIN_PUNCTUATION if neighbour.strip() else _MARGIN) * strip.height


def _rows(strip: Strip, left: float, right: float, picture: Pixels, around: list[Strip]) -> tuple[float, float]:
    """Return from where to where, across a level strip, a part has ink that is not of the lines around it."""
    reach = _REACH * strip.height
    top, bottom = max(0, round(strip.y - reach)), round(strip.y + strip.height + reach)
    above, below = _neighbours(strip, left, right, around)
    if above is not None:
        top = min(top, max(0, round(above)))
    if below is not None:
        bottom = max(bottom, round(below))
    part = picture[top:bottom, max(0, int(strip.x + left)) : int(strip.x + right) + 1]
    if not part.size:
        return 0, strip.height
    rows = _inked(part).sum(axis=1)
    rows[rows > _RULE * part.shape[1]] = 0
    middle, core = strip.y + strip.height / 2 - top, 0.2 * strip.height
    edges = []
    for step, neighbour in ((-1, above), (1, below)):
        start = min(len(rows) - 1, max(0, int(middle + step * core)))
        if neighbour is None:
            edges.append(_last_ink(rows, start, step, strip.height) + step)
        else:
            edges.append(_parting(rows, start, min(len(rows) - 1, max(0, round(neighbour - top))), step))
    high, low = top + edges[0] - strip.y, top + edges[1] + 1 - strip.y
    foot = _foot(rows, edges[0], int(middle))
    if foot > edges[1] or rows[edges[1] : edges[1] + 1].any():  # no row there: the ink ends with the picture
        low = top + foot + 1 - strip.y
    return max(high, -_BEYOND * strip.height), min(low, (1 + _BEYOND) * strip.height)


def _neighbours(strip: Strip, left: float, right: float, around: list[Strip]) -> tuple[float | None, float | None]:
    """Return the inner edges (y in pixels) of the nearest lines above and below this part, if they are close."""
    middle = strip.y + strip.height / 2
    above: float | None = None
    below: float | None = None
    for other in around:
        distance = other.y + other.height / 2 - middle
        apart = other.x >= strip.x + right or other.x + other.length <= strip.x + left
        if other.angle or apart or not 0.5 < abs(distance) / strip.height < 1.4:
            continue
        if distance < 0:
            above = max(above or 0.0, middle + distance + 0.15 * other.height)
        else:
            below = min(below or 1e9, middle + distance - 0.15 * other.height)
    return above, below


def _parting(rows: NDArray[np.int64], start: int, end: int, step: int) -> int:
    """Return the row with the least ink between two lines: the middle of the last such rows before the other line."""
    between = list(range(start, end, step)) or [start]
    emptiest = min(int(rows[row]) for row in between)
    after = next(n for n in reversed(range(len(between))) if rows[between[n]] == emptiest)
    before = next((n for n in reversed(range(after)) if rows[between[n]] != emptiest), -1)
    return between[(before + 1 + after) // 2]


def _foot(rows: NDArray[np.int64], top: int, middle: int) -> int:
    """Return the row down to which letters like g and the underscore reach, by the row on which all letters stand."""
    below = range(middle, len(rows) - 1)
    standing = max(below, key=lambda row: int(rows[row]) - int(rows[row + 1]), default=middle)
    first = next((row for row in range(max(0, top), middle) if rows[row]), middle)
    return min(len(rows) - 1, standing + round(_DESCENT * (standing + 1 - first)))


def _trail(strip: Strip, glyph: Glyph, step: int, picture: Pixels) -> float:
    """Return where the ink that begins in a glyph ends, although nothing more was read: the model misses underscores."""
    middle = (glyph.left + glyph.right) / 2
    x, span = round(strip.x + middle), round(_LONGEST_TRAIL * strip.height)
    from_x, to_x = (max(0, x), x + span) if step > 0 else (max(0, x - span), max(0, x))
    part = picture[max(0, round(strip.y + 0.1 * strip.height)) : round(strip.y + 0.97 * strip.height), from_x:to_x]
    if not part.size:
        return middle
    columns: NDArray[np.bool_] = _without_rules(_inked(part), round(_LONGEST_STROKE * strip.height)).max(axis=0)
    reached, blank = 0, 0
    for n, inked in enumerate(columns.tolist()[::step], 1):
        blank = 0 if inked else blank + 1
        if inked:
            reached = n + 1
        if blank > _TRAIL * strip.height:
            break
    return middle + step * reached


def _without_rules(inked: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """Return the ink without level rules: rows of more than `longest` pixels, as the borders of cells have."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    rules = cv2.morphologyEx(inked.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, longest), np.uint8))
    letters: NDArray[np.bool_] = inked & (rules == 0)
    return letters


def _inked(part: Pixels) -> NDArray[np.bool_]:
    import numpy as np  # noqa: PLC0415

    colours = part.astype(np.int16)
    contrast = np.abs(colours - np.median(colours, axis=(0, 1))).max(axis=2)
    inked: NDArray[np.bool_] = contrast > max(24.0, _INK * float(np.percentile(contrast, 98)))
    return inked


def _last_ink(rows: NDArray[np.int64], start: int, step: int, height: float) -> int:
    """Return the last row with ink from `start` on, before a blank gap that is too long for one line."""
    last, blank = start, 0
    for row in range(start, len(rows) if step > 0 else -1, step):
        blank = 0 if rows[row] else blank + 1
        if rows[row]:
            last = row
        if blank > max(1.0, _BREAK * height):
            break
    return last


def cover_areas(picture: Pixels, areas: list[Area]) -> None:
    """Fill areas in place: level ones to the outermost pixel they touch, turned ones by the middles of pixels."""
    import numpy as np  # noqa: PLC0415

    for area in areas:
        left, top, right, bottom = area.bounds()
        x0, y0 = max(0, math.floor(left)), max(0, math.floor(top))
        x1, y1 = max(0, math.ceil(right)), max(0, math.ceil(bottom))
        part = picture[y0:y1, x0:x1]
        if all(min(abs(x - left), abs(x - right)) < 0.01 for x, _ in area.corners):
            part[...] = FILL
            continue
        ys, xs = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] + 0.5
        inside = np.ones(part.shape[:2], dtype=bool)
        for (ax, ay), (bx, by) in pairwise((*area.corners, area.corners[0])):
            beyond = ((by - ay) * (xs - ax) - (bx - ax) * (ys - ay)) / (math.hypot(bx - ax, by - ay) or 1.0)
            inside &= beyond <= _SLACK_PX
        part[inside] = FILL


def is_filled(picture: Pixels, strip: Strip) -> bool:
    """Whether a strip is of one colour between a quarter and three quarters of its height, as it is when it was covered."""
    middle = strip.cut(picture, 4 * _CHECKED_ROWS)[_CHECKED_ROWS:-_CHECKED_ROWS, 1:-1]
    return not middle.size or int(middle.max()) - int(middle.min()) < _FLAT


def outline_areas(picture: Pixels, areas: list[Area], colour: tuple[int, int, int] = _EDGE) -> None:
    """Draw the edges of areas in place, for a preview: their content stays visible."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    for area in areas:
        corners = np.array(area.corners).round().astype(np.int32)
        cv2.polylines(picture, [corners], isClosed=True, color=colour, thickness=2)
