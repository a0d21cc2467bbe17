"""Straighten a picture that is turned by a few degrees, as scans and photographs of screens are.

A turned line is read badly, and a cover along its rows would reach into the lines beside it. So the picture is turned back
first; what is found is then placed in the picture as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.redact.pictures.areas import Area
from provision.redact.pictures.lines import TextLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.glyphs import Glyph
    from provision.redact.pictures.sightings import KeySighting
    from provision.redact.pictures.strips import Pixels, Point, Strip

_MOST_DEGREES = 3.0
"""A strip that is turned by more has an angle of its own."""
_LEAST_DEGREES = 0.25
_COARSE, _FINE = 0.25, 0.05
_CLEARER = 1.15
"""Rows of text must be so much clearer in the straightened picture."""
_SEARCHED_PX = 1400


@dataclass(frozen=True, slots=True)
class Turn:
    """A picture's angle in radians (clockwise), and where its corner is in the straightened one."""

    angle: float
    x: float
    y: float
    width: int
    height: int

    def straighten(self, picture: Pixels) -> Pixels:
        """Return the straightened picture, on a ground of its own colour."""
        import cv2  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415

        c, s = math.cos(self.angle), math.sin(self.angle)
        there = np.array([[c, s, self.x], [-s, c, self.y]], dtype=np.float64)
        ground = tuple(float(v) for v in np.median(picture[::8, ::8].reshape(-1, 3), axis=0))
        return cv2.warpAffine(  # type: ignore[return-value]
            picture, there, (self.width, self.height), flags=cv2.INTER_CUBIC, borderValue=ground
        )

    def point(self, x: float, y: float) -> Point:
        """Return where a point of the straightened picture is in the picture."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        x, y = x - self.x, y - self.y
        return x * c - y * s, x * s + y * c

    def area(self, area: Area) -> Area:
        """Return where an area is in the picture."""
        a, b, c, d = (self.point(*corner) for corner in area.corners)
        return Area((a, b, c, d), area.rule)

    def strip(self, strip: Strip) -> Strip:
        """Return where a strip is in the picture."""
        x, y = self.point(strip.x, strip.y)
        return replace(strip, x=x, y=y, angle=strip.angle + self.angle)

    def glyphs(self, glyphs: list[Glyph] | tuple[Glyph, ...]) -> list[Glyph]:
        """Return where characters are in the picture."""
        return [replace(glyph, strip=self.strip(glyph.strip)) for glyph in glyphs]

    def sighting(self, sighting: KeySighting) -> KeySighting:
        """Return where a key is in the picture."""
        parts = (replace(part, line=TextLine(tuple(self.glyphs(part.line.glyphs)))) for part in sighting.parts)
        return replace(sighting, parts=tuple(parts))


def turn_of(picture: Pixels) -> Turn | None:
    """Return by how much the rows of a picture (H, W, 3) are turned; None if they are level, or not clearly turned."""
    degrees = _degrees(picture)
    if abs(degrees) < _LEAST_DEGREES:
        return None
    angle, (rows, columns) = math.radians(degrees), picture.shape[:2]
    c, s = math.cos(angle), math.sin(angle)
    corners = [(x * c + y * s, y * c - x * s) for x in (0, columns) for y in (0, rows)]
    (left, top), (right, bottom) = map(min, zip(*corners, strict=True)), map(max, zip(*corners, strict=True))
    return Turn(angle, -left, -top, math.ceil(right - left), math.ceil(bottom - top))


def _degrees(picture: Pixels) -> float:
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    factor = min(1.0, _SEARCHED_PX / max(grey.shape))
    if factor < 1:
        grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    edges = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(np.float32)
    steps = round(_MOST_DEGREES / _COARSE)
    best = max((n * _COARSE for n in range(-steps, steps + 1)), key=lambda d: _clearness(edges, d))
    if not best:
        return 0.0
    near = round(_COARSE / _FINE)
    best = max((best + n * _FINE for n in range(-near, near + 1)), key=lambda d: _clearness(edges, d))
    return best if _clearness(edges, best) > _CLEARER * _clearness(edges, 0) else 0.0


def _clearness(edges: NDArray[np.float32], degrees: float) -> float:
    """Return how much the rows of a picture differ from each other when it is straightened: rows of text and between them."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    rows, columns = edges.shape
    shear = math.tan(math.radians(degrees))
    back = np.array([[1, 0, 0], [shear, 1, -shear * columns / 2]], dtype=np.float64)
    level = cv2.warpAffine(
        edges,
        back,
        (columns, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return float(np.square(np.diff(level.sum(axis=1))).sum())
