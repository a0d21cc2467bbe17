"""What a video has shown, at its present place: the pixels as they were read, and which are still to be read.

Every frame is compared with this canvas, so that slow changes add up until they are noticed. What has moved is moved here
too, if its pixels match; what was seen once and only moved need not be read again. New text is read as late as possible,
when all of it is still visible: a page that scrolls is then read once, and not at every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from provision.redact.video.coverage import displaced
from provision.redact.video.motion import Shift, differences, ink, likely_shifts, moved, unlike

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.strips import Pixels
    from provision.redact.video.coverage import Box
    from provision.redact.video.motion import Mask

READ = -1
"""In place of a frame number: these pixels were read."""
_SMALLEST = 48
"""A smaller part is read and not followed."""
_EXPLAINED = 0.5
_NEARLY_ALL = 0.9
_CARRIED = 0.1
"""Of the ink around it that stays: a movement has more. Noise that matches by chance has less."""
_FEW = 8
_PIECE = (32, 16)
"""In pixels, width and height: where more than a few pixels are lost in so little room, something may be lost for reading."""
_EDGE_PX = 8
_WORD = 3
"""In heights of a line."""
_OLDER = 10
"""So many per cent of the pixels may be older: ink of what was in the same place before."""
STILL: Shift = (0, 0)


@dataclass(frozen=True, slots=True)
class Change:
    """How a frame differs from the canvas. Of a pixel that moved, the place is that in the frame."""

    shift: Shift
    moved: Mask
    """Ink that matches only after the shift."""
    comes: Mask
    """What matches after the shift, in the rectangle around what moved."""
    alike: Mask
    """What matches after the shift, anywhere."""
    still: Mask
    """Ink that matches only without the shift."""
    new: Mask
    """What matches in neither way."""
    ink: Mask
    """What has ink in the frame."""
    faint: Mask
    """What may have ink in the frame: grey on black is text too."""
    leaving: Mask
    """The strip along the edge at which what moves leaves."""


class FrameCanvas:
    """The canvas of a video, from a frame on. `since` holds for every pixel the frame from which on it is to be read."""

    def __init__(self, frame: Pixels, number: int) -> None:
        import numpy as np  # noqa: PLC0415

        self.pixels = frame.copy()
        self.since: NDArray[np.int32] = np.full(frame.shape[:2], number, np.int32)
        self.ink = ink(frame)[1]
        self._shift = STILL
        self._lost: NDArray[np.uint16] = np.zeros(frame.shape[:2], np.uint16)

    def compare(self, frame: Pixels, lines: Collection[Box] = ()) -> Change | None:
        """Return how a frame differs; None if it does not. `lines` are the places of what was read."""
        import numpy as np  # noqa: PLC0415

        changed = differences(self.pixels, frame)
        if not changed.any():
            return None
        edges, faint = ink(frame)
        found = self._movement(frame, changed, edges)
        nothing = np.zeros_like(changed)
        if found is None:
            self._forgive(frame, (STILL, nothing), lines, changed, nothing)
            if not changed.any():
                return None
            return Change(STILL, nothing, nothing, nothing, ~changed & edges, changed, edges, faint, nothing)
        shift, differs = found
        left, top, right, bottom = box = _bounds(changed & ~differs)
        leaving = _exit(box, shift, changed.shape)
        comes = nothing
        comes[top:bottom, left:right] = ~differs[top:bottom, left:right]
        new = changed & ~comes
        self._forgive(frame, (shift, leaving), lines, new, comes)
        self._shift = shift
        moves, stays = changed & ~differs & edges, ~changed & differs & edges
        return Change(shift, moves, comes, comes | ~differs, stays, new, edges, faint, leaving)

    def _forgive(
        self, frame: Pixels, movement: tuple[Shift, Mask], lines: Collection[Box], new: Mask, comes: Mask
    ) -> None:
        """Take for the same what only became sharper or paler, while it is still to be read or leaves at an edge.

        It is compared with what was seen first, so that a text that fades is read before it is gone. What is left of a
        line that was read and leaves is not read once more.
        """
        part = part_of(_bounds(new))
        if not new[part].size:
            return
        shift, leaving = movement
        waiting = self.since != READ
        if shift != STILL:
            before = moved(self.pixels, shift, frame ^ 128)[part]
            comes_waiting = moved(waiting, shift, waiting & False)
            may = comes_waiting | leaving
            for line in lines:
                box = displaced(line, *shift)
                if touches(box, leaving):
                    may[part_of(box)] = True
            same = new[part] & ((leaving & ~comes_waiting)[part] | may[part] & ~unlike(before, frame[part]))
            comes[part] |= same
            new[part] &= ~same
            waiting |= leaving
        new[part] &= ~waiting[part] | unlike(self.pixels[part], frame[part])

    def _movement(self, frame: Pixels, changed: Mask, edges: Mask) -> tuple[Shift, Mask] | None:
        """Return the shift that explains most of what changed, and which pixels do not match after it."""
        left, top, right, bottom = _bounds(changed)
        to_explain = changed & edges
        wanted = int(to_explain.sum())
        if min(right - left, bottom - top) < _SMALLEST or not wanted:
            return None
        best: tuple[float, Shift, Mask] | None = None
        part = slice(top, bottom), slice(left, right)
        tried = {STILL}
        for shift in chain([self._shift], likely_shifts(self.pixels[part], frame[part])):
            if shift in tried:
                continue
            tried.add(shift)
            differs = differences(moved(self.pixels, shift, frame ^ 128), frame)
            explained = 1 - int((to_explain & differs).sum()) / wanted
            if best is None or explained > best[0]:
                best = explained, shift, differs
            if explained > _NEARLY_ALL:
                break
        if best is None or best[0] < _EXPLAINED:
            return None
        _, shift, differs = best
        part = part_of(_bounds(changed & ~differs))
        moves, stays = (to_explain & ~differs)[part], (edges & ~changed & differs)[part]
        return (shift, differs) if int(moves.sum()) > _CARRIED * int(stays.sum()) else None

    def loses(self, change: Change) -> bool:
        """Whether ink that is still to be read is neither where it was nor where it has moved to.

        What was lost in frames before counts by half for every frame since: letters may vanish column by column.
        """
        import cv2  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415

        gone = self.waiting() & (change.new | change.comes)
        if change.shift != STILL:
            dx, dy = change.shift
            gone &= ~moved(change.alike, (-dx, -dy), gone & False)
        near = cv2.boxFilter(gone.view(np.uint8), cv2.CV_16U, _PIECE, normalize=False, borderType=cv2.BORDER_CONSTANT)
        self._lost = (self._lost // 2 + near).astype(np.uint16)
        return int(self._lost.max()) > _FEW

    def advance(self, change: Change, frame: Pixels, number: int) -> None:
        """Move and renew what has changed."""
        import cv2  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415

        if change.shift != STILL:
            at = change.comes
            pixels, since = moved(self.pixels, change.shift, frame), moved(self.since, change.shift, self.since)
            cv2.copyTo(pixels, at.view(np.uint8), self.pixels)
            cv2.copyTo(since, at.view(np.uint8), self.since)
        cv2.copyTo(frame, change.new.view(np.uint8), self.pixels)
        self.since[change.new] = number
        self.ink = change.faint

    def waiting(self) -> Mask:
        """Return which pixels with ink are still to be read."""
        mask: Mask = (self.since != READ) & self.ink
        return mask

    def renew(self, box: Box, which: Mask, number: int) -> None:
        """Have pixels of a part read again."""
        left, top, right, bottom = (max(0, v) for v in box)
        part = self.since[top:bottom, left:right]
        part[(part == READ) & which[top:bottom, left:right]] = number

    def was_read(self, frame: Pixels) -> None:
        """Note that all was read, in this frame."""
        waiting = self.since != READ
        self.pixels[waiting] = frame[waiting]
        self.since[:] = READ
        self._lost[:] = 0

    def since_when(self, box: Box, otherwise: int) -> int:
        """Return from which frame on ink in a box is waiting: the first of some characters, by most of their pixels."""
        import numpy as np  # noqa: PLC0415

        left, top, right, bottom = (max(0, v) for v in box)
        first = otherwise
        word = max(1, _WORD * (bottom - top))
        for start in range(left, right, word):
            part = slice(top, bottom), slice(start, min(right, start + word))
            waiting = self.since[part][self.ink[part]]
            waiting = waiting[waiting != READ]
            if waiting.size:
                first = min(first, int(np.percentile(waiting, _OLDER)))
        return first


def _exit(box: Box, shift: Shift, size: tuple[int, ...]) -> Mask:
    """Return the strip along the edge at which a moving part leaves, where compression blurs what is cut off."""
    import numpy as np  # noqa: PLC0415

    (left, top, right, bottom), (dx, dy) = box, shift
    at: Mask = np.zeros(size, np.bool_)
    if dy:
        edge = top if dy < 0 else bottom
        at[max(0, edge - _EDGE_PX) : edge + _EDGE_PX, left:right] = True
    if dx:
        edge = left if dx < 0 else right
        at[max(0, top - _EDGE_PX) : bottom + _EDGE_PX, max(0, edge - _EDGE_PX) : edge + _EDGE_PX] = True
    return at


def touches(box: Box, mask: Mask) -> bool:
    return bool(mask[part_of(box)].any())


def part_of(box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box in a frame."""
    left, top, right, bottom = (max(0, v) for v in box)
    return slice(top, bottom), slice(left, right)


def _bounds(mask: Mask) -> Box:
    import numpy as np  # noqa: PLC0415

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
