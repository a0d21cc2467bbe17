"""Examine the frames of a video in order: read what changed, keep what did not.

A frame is compared with the last one that was read, so that slow changes add up until they are noticed. In a changed
frame only the rows around the change are read; other lines keep their earlier reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.redact.pictures.examiner import DIFFERENT, Band, Examination, Examiner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.strips import Pixels

_BLOCK = 8
_MARGIN_PX = 64
_WHOLE = 0.7
"""If more than this share of a frame's rows changed, all are read."""


@dataclass(slots=True)
class FrameWatcher:
    """Examines the frames of one video in order."""

    examiner: Examiner
    _read: Pixels | None = None
    _state: Examination = field(default_factory=Examination)

    def examine(self, frame: Pixels) -> Examination | None:
        """Return the examination of this frame, or None if nothing changed since the last one that was read."""
        if self._read is None:
            self._state = self.examiner.examine(frame.copy())
        else:
            bands = changed_rows(self._read, frame)
            if not bands:
                return None
            self._state = self.examiner.examine_again(frame.copy(), self._read, self._state, bands)
        self._read = frame
        return self._state


def changed_rows(before: Pixels, after: Pixels) -> list[Band]:
    """Return bands of rows (top, bottom) around what differs, with room for a line above and below."""
    import numpy as np  # noqa: PLC0415

    rows = _changed(before, after).any(axis=1)
    height = before.shape[0]
    bands: list[Band] = []
    for block in np.flatnonzero(rows):
        top, bottom = max(0, int(block) * _BLOCK - _MARGIN_PX), min(height, (int(block) + 1) * _BLOCK + _MARGIN_PX)
        if bands and top <= bands[-1][1]:
            bands[-1] = (bands[-1][0], bottom)
        else:
            bands.append((top, bottom))
    if sum(bottom - top for top, bottom in bands) > _WHOLE * height:
        return [(0, height)]
    return bands


def _changed(before: Pixels, after: Pixels) -> NDArray[np.bool_]:
    """Return which blocks have more than two pixels that differ clearly."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    differs = (cv2.absdiff(before, after).max(axis=2) > DIFFERENT).astype(np.uint8)
    padded = np.pad(differs, ((0, -differs.shape[0] % _BLOCK), (0, -differs.shape[1] % _BLOCK)))
    blocks = padded.reshape(padded.shape[0] // _BLOCK, _BLOCK, padded.shape[1] // _BLOCK, _BLOCK)
    found: NDArray[np.bool_] = blocks.sum(axis=(1, 3)) > 2
    return found
