"""Compare two frames: what differs, what has ink, and by how many pixels the differing part has moved. Pure.

A shift is only proposed here. Whoever uses it compares the pixels: what does not match after the shift is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.redact.pictures.examiner import DIFFERENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.strips import Pixels

    Mask = NDArray[np.bool_]

Shift = tuple[int, int]
"""Pixels to the right and down."""
_WINDOW = 8
_FEWEST = 3
"""So many clearly differing pixels in a window are a change. Characters of 8 px differ by more, look-alikes (0 and O) may not."""
_SHARPER = 0.45
_FAINT = 6
_COLUMNS = 16
_PEAKS = 3
_MOSTLY = 0.6
_ALIKE = 0.68
_AFAR = 16


def differences(before: Pixels, after: Pixels) -> Mask:
    """Return which pixels differ clearly, if others in a window of 8 x 8 do: compression changes single ones."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    differs: Mask = _distance(before, after) > DIFFERENT
    if differs.any():
        size = (_WINDOW, _WINDOW)
        found = cv2.boxFilter(differs.view(np.uint8), -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
        many = (found >= _FEWEST).view(np.uint8)
        differs &= cv2.dilate(many, np.ones((_WINDOW + 1, _WINDOW + 1), np.uint8)).view(np.bool_)
    return differs


def unlike(before: Pixels, after: Pixels) -> Mask:
    """Return which pixels differ by as much as letters differ from their ground: sharper letters do not."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    size = np.ones((_WINDOW + 1, _WINDOW + 1), np.uint8)
    greys = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
    contrast = cv2.max(*(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, size) for grey in greys))
    most = np.maximum(DIFFERENT, _SHARPER * np.arange(256)).astype(np.uint8)
    found: Mask = _distance(before, after) > cv2.LUT(contrast, most)
    return found


def _distance(before: Pixels, after: Pixels) -> Pixels:
    """Return the largest difference of a colour in each pixel."""
    import cv2  # noqa: PLC0415

    red, green, blue = cv2.split(cv2.absdiff(before, after))
    return cv2.max(cv2.max(red, green), blue)  # type: ignore[return-value]


def ink(frame: Pixels) -> tuple[Mask, Mask]:
    """Return which pixels are at an edge, of letters or of anything else that could be text: clear ones, and faint ones too."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    edges = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return edges > DIFFERENT, edges > _FAINT


def moved(picture: NDArray[Any], shift: Shift, empty: NDArray[Any]) -> NDArray[Any]:
    """Return a picture or mask that is moved; where nothing comes from, it shows `empty`."""
    dx, dy = shift
    rows, columns = picture.shape[:2]
    made = empty.copy()
    if abs(dx) < columns and abs(dy) < rows:
        made[max(0, dy) : rows + min(0, dy), max(0, dx) : columns + min(0, dx)] = picture[
            max(0, -dy) : rows - max(0, dy), max(0, -dx) : columns - max(0, dx)
        ]
    return made


def likely_shifts(before: Pixels, after: Pixels) -> Iterator[Shift]:
    """Yield by how much a part of a frame may have moved, most usual movements first: up or down, sideways, both."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    then, now = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float32) for p in (before, after))
    yield from ((0, dy) for dy in _peaks(then, now))
    yield from ((dx, 0) for dx in _peaks(then.T, now.T))
    window = cv2.createHanningWindow(then.shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(then, now, window)
    yield round(x), round(y)


def _peaks(before: NDArray[np.float32], after: NDArray[np.float32]) -> list[int]:
    """Return the shifts along the first axis at which two pictures are most alike: phase correlation of a few broad columns."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    length = len(before)
    then, now = (
        cv2.resize(np.ascontiguousarray(p), (_COLUMNS, length), interpolation=cv2.INTER_AREA) for p in (before, after)
    )
    a, b = (np.fft.rfft(np.diff(p, axis=0), n=2 * length, axis=0) for p in (then, now))
    cross = (b * a.conj()).sum(axis=1)
    alike = np.fft.irfft(cross / (np.abs(cross) + 1e-3))
    best = [int(at) for at in np.argsort(alike)[::-1][:_PEAKS]]
    return [at if at < length else at - 2 * length for at in best]


def is_new(before: Pixels, after: Pixels, new: Mask, edges: Mask) -> bool:
    """Whether a frame may begin another scene: most ink is new, and the frames are not alike even from afar, as in a fade."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    if int((new & edges).sum()) <= _MOSTLY * max(1, int(edges.sum())):
        return False
    small = max(1, before.shape[1] // _AFAR), max(1, before.shape[0] // _AFAR)
    then, now = (
        cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), small, interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
        for p in (before, after)
    )
    then, now = then - then.mean(), now - now.mean()
    size = float(np.sqrt((then**2).sum() * (now**2).sum()))
    return size == 0 or float((then * now).sum()) / size < _ALIKE
