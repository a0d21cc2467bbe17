"""Examine the frames of a video in order: read what is new, follow what was read, forget what changed.

A text that was read is followed while its pixels match, where it was or where it moved to. If one of its pixels does not
match, or something new is beside it, it is read again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.redact.pictures.areas import Area
from provision.redact.pictures.examiner import Bounds, Examination, Examiner, bounds_of
from provision.redact.video.coverage import Box, Move, SeenBox, VideoState, displaced, united
from provision.redact.video.frame_canvas import STILL, Change, FrameCanvas, part_of, touches
from provision.redact.video.motion import is_new

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from provision.redact.pictures.glyphs import Glyph
    from provision.redact.pictures.strips import Pixels, Strip
    from provision.redact.video.motion import Mask, Shift

_BLOCK = 8
_MARGIN_PX = 64
_BESIDE_PX = 32
_WHOLE = 0.7
"""If more than this share of a frame's rows is to be read, all are read."""
_MOST_MOVES = 600
_UNCERTAIN = 0.2
_EVEN = 0.4


@dataclass(frozen=True, slots=True)
class _Held:
    """Something that was read, and where it is now."""

    box: Box
    rule: str
    text: tuple[Strip, list[Glyph]] | None = None
    area: Area | None = None
    sure: bool = True
    """Whether all its pixels are as they were read. If not, a cover follows what is left, until that is read again."""
    shift: Shift = STILL

    def at(self, shift: Shift) -> Box:
        """Return where it is after a further shift."""
        return displaced(self.box, self.shift[0] + shift[0], self.shift[1] + shift[1])


@dataclass(frozen=True, slots=True)
class _Step:
    """A movement: how much of each block of a frame moved, and how much did not."""

    frame: int
    shift: Shift
    moved: NDArray[np.uint8]
    still: NDArray[np.uint8]

    def votes(self, box: Box) -> tuple[int, int]:
        """Return how much of a box moved, and how much did not."""
        left, top, right, bottom = box
        part = part_of((left // _BLOCK, top // _BLOCK, -(-right // _BLOCK), -(-bottom // _BLOCK)))
        return int(self.moved[part].sum()), int(self.still[part].sum())


class FrameWatcher:
    """Examines the frames of one video in order."""

    def __init__(self, examiner: Examiner) -> None:
        self._examiner = examiner
        self._canvas: FrameCanvas | None = None
        self._last: Pixels | None = None
        self._number = 0
        self._texts: list[_Held] = []
        self._covers: list[_Held] = []
        self._doubts: list[_Held] = []
        self._steps: list[_Step] = []

    def examine(self, number: int, frame: Pixels) -> list[VideoState]:
        """Return what is new: a reading as of an earlier frame, and what moved or went in this one."""
        if self._canvas is None or self._last is None:
            self._canvas, self._last, self._number = FrameCanvas(frame, number), frame, number
            return [VideoState(number)]
        change = self._canvas.compare(frame, self._lines())
        states: list[VideoState] = []
        if change is not None and (self._canvas.loses(change) or len(self._steps) >= _MOST_MOVES):
            states += self.finish()
            change = self._canvas.compare(frame, self._lines())
        if change is not None:
            new = is_new(self._last, frame, change.new, change.ink)
            self._canvas.advance(change, frame, number)
            states += self._advance(self._canvas, change, number, new=new)
        self._last, self._number = frame, number
        return states

    def finish(self) -> list[VideoState]:
        """Read what is still to be read, in the last frame."""
        canvas, last = self._canvas, self._last
        if canvas is None or last is None:
            return []
        parts = parts_around(canvas.waiting(), canvas.ink)
        if not parts:
            canvas.was_read(last)
            self._steps.clear()
            return []
        if self._texts or self._covers:
            result = self._examiner.examine_again(last.copy(), canvas.pixels, self._known(), parts)
        else:
            result = self._examiner.examine(last.copy())
        self._texts = [_Held(_outside(strip), "", (strip, glyphs)) for strip, glyphs in result.read.items()]
        self._covers = _largest([_Held(bounds_of(area), area.rule, area=area) for area in result.areas])
        self._doubts = [
            _Held(bounds or (0, 0, 0, 0), why) for why, bounds in result.remarks() if bounds or not result.settled
        ]
        covers, doubts = tuple(map(self._place, self._covers)), tuple(map(self._place, self._doubts))
        state = VideoState(self._number, covers, doubts, read=True)
        canvas.was_read(last)
        self._steps.clear()
        return [state]

    def _lines(self) -> list[Box]:
        return [held.at(STILL) for held in self._texts]

    def _known(self) -> Examination:
        """Return what was read before, where it is now."""
        known = Examination()
        for held in self._texts:
            if held.text:
                strip, glyphs = held.text
                if held.shift != STILL:
                    strip = strip.moved(*held.shift)
                    glyphs = [replace(glyph, strip=strip) for glyph in glyphs]
                known.read[strip] = glyphs
        for held in self._covers:
            if held.area and held.sure:
                dx, dy = held.shift
                a, b, c, d = ((x + dx, y + dy) for x, y in held.area.corners)
                known.areas.append(Area((a, b, c, d), held.rule))
        return known

    def _place(self, held: _Held) -> SeenBox:
        """Return where something that was just read is, from when on it was there, and how it moved since."""
        box, moves = held.box, list[Move]()
        since = self._canvas.since_when(box, self._number) if self._canvas else self._number
        for step in reversed(self._steps):
            if step.frame < since:
                break
            moved, still = step.votes(box)
            if not moved and not still and self._is_outside(box):
                since = step.frame
                break
            if min(moved, still) > _EVEN * max(moved, still):
                box = united(box, displaced(box, -step.shift[0], -step.shift[1]))
            elif moved > still:
                moves.insert(0, (step.frame, *step.shift))
                box = displaced(box, -step.shift[0], -step.shift[1])
        for _, dx, dy in moves:
            box = displaced(box, dx, dy)
        return SeenBox(box, held.rule, min([since, *(frame - 1 for frame, _, _ in moves[:1])]), tuple(moves))

    def _is_outside(self, box: Box) -> bool:
        return self._last is not None and not self._last[part_of(box)].size

    def _advance(self, canvas: FrameCanvas, change: Change, number: int, new: bool) -> list[VideoState]:
        """Follow what was read, have the rest read; return the state if it is another one now."""
        if change.shift != STILL:
            self._steps.append(_Step(number, change.shift, _density(change.moved), _density(change.still)))
        fresh = change.new & change.ink
        before = len(self._covers) + len(self._doubts)
        for held in self._texts + self._covers:
            if touches(held.at(change.shift), change.leaving):
                continue
            kept = {text.shift for text, _ in _followed(held, change, fresh, number) if text.sure}
            for shift, which in {STILL: change.still, change.shift: change.moved}.items():
                if (held.shift[0] + shift[0], held.shift[1] + shift[1]) not in kept:
                    canvas.renew(held.at(shift), which, number)
        texts = [text for held in self._texts for text, _ in _followed(held, change, fresh, number)]
        self._texts = list({text.at(STILL): text for text in texts}.values())
        covers = _distinct(each for held in self._covers for each in _followed(held, change, fresh, number))
        doubts = [each for held in self._doubts for each in _followed(held, change, fresh, number)]
        self._covers, self._doubts = [held for held, _ in covers], [held for held, _ in doubts]
        if not new and before == len(covers + doubts) and not any(place.moves for _, place in covers + doubts):
            return []
        return [VideoState(number, tuple(p for _, p in covers), tuple(p for _, p in doubts), new=new)]


def parts_around(waiting: Mask, ink: Mask) -> list[Bounds]:
    """Return the parts of a frame around what is to be read, with room for a line above and below.

    At the sides they end where nothing is for a while, so that no line is cut there.
    """
    import numpy as np  # noqa: PLC0415

    width = waiting.shape[1]
    parts: list[Bounds] = []
    for top, bottom in _bands(waiting):
        columns = np.flatnonzero(ink[top:bottom].any(axis=0))
        for group in np.split(columns, np.flatnonzero(np.diff(columns) > 2 * _BESIDE_PX) + 1):
            left, right = max(0, int(group[0]) - _BESIDE_PX), min(width, int(group[-1]) + 1 + _BESIDE_PX)
            if waiting[top:bottom, left:right].any():
                parts.append((left, top, right, bottom))
    return parts


def _bands(waiting: Mask) -> list[tuple[int, int]]:
    import numpy as np  # noqa: PLC0415

    height = len(waiting)
    bands: list[tuple[int, int]] = []
    for row in np.flatnonzero(waiting.any(axis=1)):
        top, bottom = max(0, int(row) - _MARGIN_PX), min(height, int(row) + 1 + _MARGIN_PX)
        if bands and top <= bands[-1][1]:
            bands[-1] = (bands[-1][0], bottom)
        else:
            bands.append((top, bottom))
    if sum(bottom - top for top, bottom in bands) > _WHOLE * height:
        return [(0, height)]
    return bands


def _largest(covers: list[_Held]) -> list[_Held]:
    """Return the covers that are not inside of another one of the same rule."""
    kept: list[_Held] = []
    for held in sorted(covers, key=lambda c: (c.box[0] - c.box[2]) * (c.box[3] - c.box[1])):
        left, top, right, bottom = held.box
        if not any(
            k.rule == held.rule
            and k.box[0] <= left + 1
            and k.box[1] <= top + 1
            and k.box[2] >= right - 1
            and k.box[3] >= bottom - 1
            for k in kept
        ):
            kept.append(held)
    return kept


def _distinct(found: Iterable[tuple[_Held, SeenBox]]) -> list[tuple[_Held, SeenBox]]:
    return list({(place.box, place.rule): (held, place) for held, place in found}.values())


def _followed(held: _Held, change: Change, fresh: Mask, number: int) -> Iterator[tuple[_Held, SeenBox]]:
    """Yield where something is after a change: in its place, moved, cut apart into both, or nowhere."""
    stays, stays_surely = _speaks(held.at(STILL), change, change.still)
    goes, goes_surely = _speaks(held.at(change.shift), change, change.moved)
    if held.text and touches(held.at(STILL), change.leaving):  # it leaves whole: nothing of it stays at the edge
        stays, goes = stays_surely and not goes_surely, goes_surely
    if stays and (stays_surely or not goes or not goes_surely):
        sure = held.sure and _is_whole(held.at(STILL), change, fresh)
        if sure or held.area:
            yield replace(held, sure=sure), SeenBox(held.at(STILL), held.rule, number)
    if change.shift != STILL and goes and (goes_surely or not stays):
        sure = held.sure and _is_whole(held.at(change.shift), change, fresh)
        if sure or held.area:
            (dx, dy), (x, y) = change.shift, held.shift
            place = SeenBox(held.at(change.shift), held.rule, number - 1, ((number, dx, dy),))
            yield replace(held, sure=sure, shift=(x + dx, y + dy)), place


def _is_whole(box: Box, change: Change, fresh: Mask) -> bool:
    """Whether nothing in a box or beside it is new; it may be cut off."""
    left, top, right, bottom = box
    height = bottom - top
    beside = part_of((left - height, top - height // 8, right + height, bottom + height // 8))
    return not (change.new[part_of(box)].any() or fresh[beside].any())


def _speaks(box: Box, change: Change, so: Mask) -> tuple[bool, bool]:
    """Return whether the ink in a box may be where `so` says that it is, and whether some of it says so."""
    inside = part_of(box)
    if not so[inside].size:  # it has left the frame
        return False, False
    for_it = int(so[inside].sum())
    decisive = int(change.still[inside].sum()) + int(change.moved[inside].sum())
    if int((change.new & change.ink)[inside].sum()) > decisive:
        return False, False
    return for_it >= _UNCERTAIN * decisive, for_it > 0


def _outside(strip: Strip) -> Box:
    xs, ys = zip(*strip.quad(0, strip.length), strict=True)
    return round(min(xs)), round(min(ys)), round(max(xs)), round(max(ys))


def _density(mask: Mask) -> NDArray[np.uint8]:
    """Return how much of each block is set (0 to 255)."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    size = max(1, mask.shape[1] // _BLOCK), max(1, mask.shape[0] // _BLOCK)
    return cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
