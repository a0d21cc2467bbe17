"""Find text in a picture: a model marks text pixels, and each connected mark becomes a strip that can be read.

A strip may have any angle. Later steps use the strip's own coordinates (along, across) and translate back only to paint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.ocr_models import OcrModels

    Pixels = NDArray[np.uint8]

Point = tuple[float, float]
Window = tuple[slice, slice]
"""Rows and columns of a picture."""
_TEXT = 0.3
"""The model's own threshold for a text pixel."""
_CERTAIN = 0.45
"""Marks whose best pixel is below this are texture, not text."""
_GROW = 1.6
"""The model marks the core of a line; its authors grow the mark by area x this / perimeter to get the line."""
_TILE = 1408
_LARGE = 1_400_000
_THIN = 64
_SMALL_PX = 17
_EDGES = 60
"""A region with more edge pixels outside of strips is searched again: a short word has about as many."""
_OVERLAP = 128
_SMALLEST_PX = 3
_STRAIGHT_DEGREES = 2.0
_REACH = 1.6
"""How far ink is followed beyond the ends of a strip, in heights."""
_BORDER = 0.85


@dataclass(frozen=True, slots=True)
class Strip:
    """A line of text in pixels: its top left corner, direction, length and height."""

    x: float
    y: float
    angle: float
    length: float
    height: float

    def place(self, along: float, across: float) -> Point:
        """Return a point of the strip in the picture's coordinates."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        return self.x + along * c - across * s, self.y + along * s + across * c

    def within(self, point: Point) -> Point:
        """Return a point of the picture in the strip's coordinates."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        dx, dy = point[0] - self.x, point[1] - self.y
        return dx * c + dy * s, dy * c - dx * s

    def quad(self, left: float, right: float) -> tuple[Point, Point, Point, Point]:
        """Return the corners of a part of the strip, clockwise."""
        return self.place(left, 0), self.place(right, 0), self.place(right, self.height), self.place(left, self.height)

    def scaled(self, factor: float) -> Strip:
        return Strip(self.x * factor, self.y * factor, self.angle, self.length * factor, self.height * factor)

    def part(self, left: float, right: float) -> Strip:
        """Return the strip of a part of the text."""
        x, y = self.place(left, 0)
        return Strip(x, y, self.angle, right - left, self.height)

    def moved(self, dx: float, dy: float) -> Strip:
        return Strip(self.x + dx, self.y + dy, self.angle, self.length, self.height)

    def cut(self, picture: Pixels, height: int) -> Pixels:
        """Return the strip's pixels, straightened and scaled to `height` rows."""
        import cv2  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415

        factor = height / self.height
        c, s = math.cos(self.angle) / factor, math.sin(self.angle) / factor
        back = np.array([[c, -s, self.x], [s, c, self.y]], dtype=np.float64)
        size = (max(1, round(self.length * factor)), height)
        x0, y0, x1, y1 = (round(v) for v in (self.x, self.y, self.x + self.length, self.y + self.height))
        inside = x0 >= 0 and y0 >= 0 and x1 <= picture.shape[1] and y1 <= picture.shape[0]
        if self.angle == 0 and factor < 1 and inside:  # averaging keeps thin strokes that interpolation would skip
            part = picture[y0:y1, x0:x1]
            return cv2.resize(part, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
        return cv2.warpAffine(  # type: ignore[return-value]
            picture, back, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )


def find_strips(picture: Pixels, models: OcrModels) -> list[Strip]:
    """Return the strips of a picture (H, W, 3), top to bottom.

    A large picture is searched at half its size first, then at full size where edges are left outside of strips. Small
    text is searched at twice its size.
    """
    rows, columns = picture.shape[:2]
    strips: list[Strip] = []
    if rows * columns > _LARGE and min(rows, columns) > _THIN:
        strips = _at_scale(picture, models, 0.5)
    strips += _in_full(picture, models, strips)
    heights = sorted(s.height for s in strips)
    if heights and heights[len(heights) // 4] < _SMALL_PX:
        edges = _unexplained(picture, strips)
        strips += _enlarged(picture, models, lambda window: _has_edges(edges[window]))
    return _whole(picture, strips)


def find_enlarged(picture: Pixels, models: OcrModels, around: Collection[Strip]) -> list[Strip]:
    """Return the strips that are found at twice the size in the parts of a picture where some other strips are."""

    def near(window: Window) -> bool:
        rows, columns = window
        return any(
            s.y < rows.stop and s.y + s.height > rows.start and s.x < columns.stop and s.x + s.length > columns.start
            for s in around
        )

    return _whole(picture, _enlarged(picture, models, near))


def _whole(picture: Pixels, strips: list[Strip]) -> list[Strip]:
    joined = _joined(distinct_strips([_reaching(s, picture) for s in strips]))
    return sorted(joined, key=lambda s: (s.y, s.x))


def _at_scale(picture: Pixels, models: OcrModels, factor: float) -> list[Strip]:
    import cv2  # noqa: PLC0415

    mode = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    scaled = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=mode)
    return [s.scaled(1 / factor) for s in _in_full(scaled, models, [])]  # type: ignore[arg-type]


def _in_full(picture: Pixels, models: OcrModels, known: list[Strip]) -> list[Strip]:
    found: list[Strip] = []
    edges = _unexplained(picture, known) if known else None
    for top, left in _tiles(picture):
        window = slice(top, top + _TILE), slice(left, left + _TILE)
        if edges is None or _has_edges(edges[window]):
            found += [s.moved(left, top) for s in _in_tile(picture[window], models)]
    return found


def _enlarged(picture: Pixels, models: OcrModels, wanted: Callable[[Window], bool]) -> list[Strip]:
    part = _TILE // 2
    found: list[Strip] = []
    for top in range(0, picture.shape[0], part - _OVERLAP):
        for left in range(0, picture.shape[1], part - _OVERLAP):
            window = slice(top, top + part), slice(left, left + part)
            if wanted(window):
                found += [s.moved(left, top) for s in _at_scale(picture[window], models, 2.0)]
    return found


def _unexplained(picture: Pixels, strips: list[Strip]) -> NDArray[np.bool_]:
    """Return the edges in a picture outside of strips, without straight borders."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    edges = cv2.Canny(grey, 40, 110)
    for strip in strips:
        cv2.fillConvexPoly(edges, np.array(strip.quad(0, strip.length)).round().astype(np.int32), 0)
    straight = cv2.morphologyEx(edges, cv2.MORPH_OPEN, np.ones((1, 25), np.uint8))
    upright = cv2.morphologyEx(edges, cv2.MORPH_OPEN, np.ones((25, 1), np.uint8))
    left: NDArray[np.bool_] = (edges > 0) & (straight == 0) & (upright == 0)
    return left  # borders of boxes and windows are not text


def _has_edges(edges: NDArray[np.bool_]) -> bool:
    return int(edges.sum()) > _EDGES


def _tiles(picture: Pixels) -> list[tuple[int, int]]:
    return [(top, left) for top in _starts(picture.shape[0]) for left in _starts(picture.shape[1])]


def _starts(size: int) -> list[int]:
    return [0] if size <= _TILE else [*range(0, size - _TILE, _TILE - _OVERLAP), size - _TILE]


def _in_tile(tile: Pixels, models: OcrModels) -> list[Strip]:
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    rows, columns = tile.shape[:2]
    padded = cv2.copyMakeBorder(tile, 0, -rows % 32, 0, -columns % 32, cv2.BORDER_REPLICATE)
    planes = ((padded.astype(np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]
    chance = models.locate(np.ascontiguousarray(planes))[:rows, :columns]
    count, labels, stats, _ = cv2.connectedComponentsWithStats((chance > _TEXT).astype(np.uint8))
    best = np.zeros(count, dtype=np.float32)
    np.maximum.at(best, labels.ravel().astype(np.intp), chance.ravel())
    found = []
    for n in range(1, count):
        x, y, width, height = (int(v) for v in stats[n][:4])
        if min(width, height) < _SMALLEST_PX or best[n] < _CERTAIN:
            continue
        points = np.argwhere(labels[y : y + height, x : x + width] == n)[:, ::-1] + (x, y)
        found.append(_strip(points, (x, y, width, height)))
    return found


def _strip(points: NDArray[np.int64], box: tuple[int, int, int, int]) -> Strip:
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    (cx, cy), (width, height), degrees = cv2.minAreaRect(points.astype(np.float32))
    if height > width:
        width, height, degrees = height, width, degrees - 90
    degrees = (degrees + 90) % 180 - 90
    x, y, w, h = box
    if abs(degrees) < _STRAIGHT_DEGREES or w * h < width * height * 1.3 or (w > h and h < 6):
        width, height, degrees, cx, cy = w, h, 0.0, x + w / 2, y + h / 2
        if h > 3 * w:  # a vertical line of text reads upwards or downwards; upwards is what axes and tabs do
            width, height, degrees = h, w, -90.0
    grow = width * height * _GROW / (2 * (width + height))
    width, height, angle = width + 2 * grow, height + 2 * grow, math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    return Strip(cx - width / 2 * c + height / 2 * s, cy - width / 2 * s - height / 2 * c, angle, width, height)


def _reaching(strip: Strip, picture: Pixels) -> Strip:
    """Extend a level strip by ink close to its ends: the model misses single characters beside a wide gap."""
    import numpy as np  # noqa: PLC0415

    if strip.angle:
        return strip
    reach = round(_REACH * strip.height)
    top, bottom = max(0, round(strip.y + strip.height * 0.2)), round(strip.y + strip.height * 0.8)
    left, right = max(0, round(strip.x)), min(picture.shape[1], round(strip.x + strip.length))
    from_x = max(0, left - reach)
    band = picture[top:bottom, from_x : right + reach].astype(np.int16)
    if band.size == 0:
        return strip
    contrast = np.abs(band - np.median(band, axis=(0, 1))).max(axis=2)
    dark = contrast > max(32.0, 0.35 * float(np.percentile(contrast, 98)))
    inked = dark.any(axis=0) & (dark.mean(axis=0) < _BORDER)  # a box's border is ink from top to bottom
    before, after = left - from_x, right - from_x
    ahead = np.flatnonzero(inked[:before])
    behind = np.flatnonzero(inked[after:])
    x0 = from_x + int(ahead[0]) - 3 if len(ahead) else strip.x
    x1 = right + int(behind[-1]) + 4 if len(behind) else strip.x + strip.length
    x0, x1 = max(0.0, min(x0, strip.x)), max(x1, strip.x + strip.length)
    return Strip(x0, strip.y, 0.0, x1 - x0, strip.height)


def _joined(strips: list[Strip]) -> list[Strip]:
    """Join level strips of one row that overlap (a line cut by the border of a tile)."""
    whole: list[Strip] = []
    for strip in sorted(strips, key=lambda s: s.x):
        other = next((w for w in whole if _overlap(w, strip)), None)
        if other is None:
            whole.append(strip)
            continue
        whole.remove(other)
        top, bottom = min(other.y, strip.y), max(other.y + other.height, strip.y + strip.height)
        right = max(other.x + other.length, strip.x + strip.length)
        whole.append(Strip(other.x, top, 0.0, right - other.x, bottom - top))
    return whole


def _overlap(a: Strip, b: Strip) -> bool:
    if a.angle or b.angle or not 0.7 < a.height / b.height < 1.4:
        return False
    level = abs(a.y + a.height / 2 - b.y - b.height / 2) < 0.25 * a.height
    return level and b.x < a.x + a.length


def distinct_strips(strips: Sequence[Strip]) -> list[Strip]:
    """Drop strips that are inside a longer one (from a neighbouring tile or another scale)."""
    kept: list[Strip] = []
    for strip in sorted(strips, key=lambda s: -s.length * s.height):
        if not any(_covers(other, strip) for other in kept):
            kept.append(strip)
    return kept


def _covers(large: Strip, small: Strip) -> bool:
    if abs(large.angle - small.angle) > 0.1 or not 0.5 < small.height / large.height < 1.6:
        return False
    slack = 0.5 * large.height
    for along, across in ((0.0, small.height / 2), (small.length, small.height / 2)):
        u, v = large.within(small.place(along, across))
        if not (-slack <= u <= large.length + slack and 0.25 * large.height <= v <= 0.75 * large.height):
            return False
    return True
