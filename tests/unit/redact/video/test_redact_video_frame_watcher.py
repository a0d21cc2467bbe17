"""What is read of a video and when, and what is followed instead."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from provision.redact.pictures.areas import Area
from provision.redact.pictures.examiner import Examination, Examiner
from provision.redact.pictures.strips import Strip
from provision.redact.video.coverage import Margins, boxes_at, tracks_of
from provision.redact.video.frame_canvas import STILL, FrameCanvas
from provision.redact.video.frame_watcher import FrameWatcher, parts_around

if TYPE_CHECKING:
    from provision.redact.video.coverage import VideoState

HEIGHT, WIDTH, LINE = 480, 400, 20
KEY_RED = 220
"""A line in this red is a key."""


class Reader:
    """An examiner that takes every row of blocks for a line, and finds the keys by their colour."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.known: list[int] = []

    def _read(self, frame: np.ndarray, known: dict[Strip, list[Any]]) -> Examination:
        result = Examination(settled=True, words=1, read=dict(known))
        rows = (frame[:, :, 1] < 100).any(axis=1)
        edges = np.flatnonzero(np.diff(rows.astype(int), prepend=0, append=0))
        for top, bottom in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            left, right = (int(v) for v in np.flatnonzero((frame[top:bottom, :, 1] < 100).any(axis=0))[[0, -1]])
            result.read[Strip(left, top, 0.0, right + 1 - left, bottom - top)] = []
            if (frame[top:bottom, :, 0] == KEY_RED).any() and bottom - top > 4:
                corners = ((left, top), (right + 1, top), (right + 1, bottom), (left, bottom))
                result.areas.append(Area(corners, "key"))  # type: ignore[arg-type]
        return result

    def examine(self, frame: np.ndarray) -> Examination:
        self.asked.append("all")
        return self._read(frame, {})

    def examine_again(
        self, frame: np.ndarray, before: np.ndarray, known: Examination, parts: list[tuple[int, int, int, int]]
    ) -> Examination:
        assert before.shape == frame.shape
        self.asked.append(parts)
        self.known.append(len(known.read))
        return self._read(frame, {})


def text(*keys: int, lines: int = 40, seed: int = 1) -> np.ndarray:
    """A tall page: lines of 10 rows with random blocks; those of `keys` are keys."""
    rng = random.Random(seed)
    picture = np.full((lines * LINE, WIDTH, 3), 200, np.uint8)
    for line in range(lines):
        for x in range(20, 360, 5):
            if rng.random() < 0.6:
                top = line * LINE + 5 + rng.randint(0, 4)
                picture[top : top + 6, x : x + 3] = (KEY_RED, 40, 40) if line in keys else (40, 40, 40)
    return picture


def watched(frames: list[np.ndarray]) -> tuple[Reader, list[VideoState]]:
    reader, states = Reader(), []
    watcher = FrameWatcher(cast("Examiner", reader))
    for number, frame in enumerate(frames):
        states += watcher.examine(number, frame)
    return reader, states + watcher.finish()


def open_keys(frames: list[np.ndarray], states: list[VideoState], around: int = 0) -> list[int]:
    """The frames in which a pixel of a key is not covered."""
    tracks, found = tracks_of(states, len(frames), Margins(around, 30)), []
    for number, frame in enumerate(frames):
        left = (frame[:, :, 0] == KEY_RED) & (frame[:, :, 1] == 40)
        for x0, y0, x1, y1 in boxes_at(number, tracks):
            left[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = False
        found += [number] if left.any() else []
    return found


def test_still_frames_are_read_once() -> None:
    reader, states = watched([text(5)[:HEIGHT]] * 20)
    assert reader.asked == ["all"]
    assert open_keys([text(5)[:HEIGHT]] * 20, states) == []


@pytest.mark.parametrize("step", [1, 4, 17, 60])
def test_a_page_that_scrolls_is_read_when_it_leaves_and_every_key_is_covered_all_the_way(step: int) -> None:
    page = text(3, 12, 26, 33)
    frames = [page[at : at + HEIGHT] for at in range(0, 320, step)]
    reader, states = watched(frames)
    assert len(reader.asked) <= 4
    assert open_keys(frames, states) == []
    for number in range(len(frames)):
        boxes = boxes_at(number, tracks_of(states, len(frames), Margins(0, 30)))
        assert sum((b[2] - b[0]) * (b[3] - b[1]) for b in boxes) <= 3 * 4 * 360 * 10


def scrolled_with_noise(page: np.ndarray, steps: int) -> list[np.ndarray]:
    """Frames of a page that moves up by 4; along the edge at which it leaves, compression changes each of them differently."""
    noise = np.random.default_rng(1)
    frames = [page[at : at + HEIGHT].copy() for at in range(0, 4 * steps, 4)]
    for frame in frames:
        edge = frame[:3, 20:360]
        edge[:] = np.clip(edge.astype(int) + noise.integers(-60, 61, edge.shape), 100, 255)
    return frames


def test_the_rest_of_a_line_that_leaves_is_not_read_again() -> None:
    frames = scrolled_with_noise(text(), 60)
    reader, _ = watched(frames)
    assert len(reader.asked) <= len(frames) // 5
    assert max(reader.known) <= HEIGHT // LINE + 1


@pytest.mark.parametrize("top", [0, 2, 4, 6, 9])
def test_a_key_that_appears_where_a_page_leaves_is_read(top: int) -> None:
    frames = scrolled_with_noise(text(), 60)
    key = text(3)[3 * LINE + 3 : 4 * LINE - 3]
    for frame in frames[30:33]:
        frame[top : top + len(key)] = key
    _, states = watched(frames)
    assert open_keys(frames, states) == []


def test_noise_that_matches_after_a_shift_by_chance_is_no_movement() -> None:
    before, after = text(3)[:HEIGHT], text(3)[:HEIGHT]
    for top, left in (100, 100), (200, 300), (300, 200):
        before[top : top + 8, left : left + 3] = after[top + 1 : top + 9, left : left + 3] = 90
    change = FrameCanvas(before, 0).compare(after)
    assert change is not None
    assert change.shift == STILL


def test_a_character_that_changes_is_read_again_also_while_the_page_scrolls() -> None:
    page = text(3)
    frames = [page[at : at + HEIGHT].copy() for at in range(0, 120, 4)]
    for number in range(15, 30):
        frames[number][20 * LINE + 5 - 4 * number : 20 * LINE + 11 - 4 * number, 20:360] = (KEY_RED, 40, 40)
    reader, states = watched(frames)
    assert len(reader.asked) >= 2
    assert open_keys(frames, states) == []


def test_a_key_that_is_shown_for_one_frame_is_read() -> None:
    frames = [text()[:HEIGHT]] * 10 + [text(7, seed=2)[:HEIGHT]] + [text()[:HEIGHT]] * 10
    reader, states = watched(frames)
    assert len(reader.asked) >= 3
    assert open_keys(frames, states) == []


def test_a_key_that_is_typed_and_then_deleted_is_read() -> None:
    whole = text(7)[:HEIGHT]
    frames = []
    for end in [*range(20, 360, 10), *range(360, 20, -10)]:
        frame = whole.copy()
        frame[7 * LINE : 8 * LINE, end:] = 200
        frames.append(frame)
    _, states = watched(frames)
    assert open_keys(frames, states) == []


def test_a_key_that_vanishes_column_by_column_is_read() -> None:
    whole = text(7, lines=24)
    whole[: 7 * LINE] = whole[8 * LINE :] = 200
    frames = [whole.copy() for _ in range(360)]
    for number, frame in enumerate(frames):
        frame[:, :number] = 200
    _, states = watched(frames)
    last = states[-1].frame
    for frame in frames:
        frame[:, : last + 1] = 200  # less than a letter may be gone when it is read
    assert 20 <= last < 30
    assert open_keys(frames, states) == []


def test_two_equal_lines_are_both_covered_when_one_takes_the_place_of_the_other() -> None:
    page = text(8)
    page[9 * LINE : 10 * LINE] = page[8 * LINE : 9 * LINE]
    frames = [page[:HEIGHT]] * 3 + [page[LINE : LINE + HEIGHT]] * 3
    _, states = watched(frames)
    assert open_keys(frames, states) == []


def test_a_key_that_fades_is_read_before_it_is_pale() -> None:
    whole = text(7)[:HEIGHT].astype(int)
    frames = [(200 + (whole - 200) * (20 - n) // 20).astype(np.uint8) for n in range(20)]
    seen: list[float] = []

    class Contrast(Reader):
        def examine(self, frame: np.ndarray) -> Examination:
            seen.append(float(frame.max()) - float(frame.min()))
            return super().examine(frame)

    watcher = FrameWatcher(cast("Examiner", Contrast()))
    for number, frame in enumerate(frames):
        watcher.examine(number, frame)
    assert seen[0] >= 0.5 * (whole.max() - whole.min())


def test_faint_text_is_read() -> None:
    faint = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    faint[100:110, 50:90:4] = 42
    reader, _ = watched([faint] * 3)
    assert reader.asked == ["all"]


def test_slow_changes_add_up_until_they_are_read() -> None:
    frames = [np.full((HEIGHT, WIDTH, 3), 120, np.uint8) for _ in range(40)]
    for number, frame in enumerate(frames):
        frame[100:110, 50:350:4] = (min(KEY_RED, 120 + 4 * number), 120 - 4 * min(20, number // 2), 120)
    _, states = watched(frames)
    assert any(state.cover for state in states)


def test_a_part_leaves_room_and_parts_that_touch_are_one() -> None:
    waiting = np.zeros((800, 300), np.bool_)
    waiting[400:404, 100:110] = True
    assert parts_around(waiting, waiting) == [(68, 336, 142, 468)]
    waiting[20, 100] = True
    assert len(parts_around(waiting, waiting)) == 2
    waiting[::100, 100] = True
    assert parts_around(waiting, waiting) == [(68, 0, 142, 800)]


def test_a_part_has_all_that_is_near_on_both_sides() -> None:
    waiting, ink = np.zeros((800, 900), np.bool_), np.zeros((800, 900), np.bool_)
    ink[400:410, 100:800:50] = True
    ink[300, 850] = True  # another line, too far above
    waiting[400:404, 300:302] = True
    assert parts_around(waiting, ink) == [(68, 336, 783, 468)]
    ink[400:410, 300:500] = False
    ink[400:410, 300] = True
    assert parts_around(waiting, ink) == [(68, 336, 333, 468)]
