"""Which rows of a frame are read again, and against which frame it is compared."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from provision.redact.pictures.examiner import Examination, Examiner
from provision.redact.video.frame_watcher import FrameWatcher, changed_rows

HEIGHT, WIDTH = 800, 300


def blank() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 200, np.uint8)


def changed(*rows: int, by: int = 100) -> np.ndarray:
    frame = blank()
    for row in rows:
        frame[row : row + 4, 100:110] -= by
    return frame


class Recorder:
    """An examiner that records what it is asked to read."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def examine(self, _frame: np.ndarray) -> Examination:
        self.asked.append("all")
        return Examination(words=len(self.asked))

    def examine_again(
        self, _frame: np.ndarray, before: np.ndarray, known: Examination, bands: list[tuple[int, int]]
    ) -> Examination:
        self.asked.append((int(before[0, 0, 0]), known.words, bands))
        return Examination(words=len(self.asked))


def test_equal_frames_and_small_differences_have_no_bands() -> None:
    assert changed_rows(blank(), blank()) == []
    assert changed_rows(blank(), changed(400, by=20)) == []


def test_a_band_leaves_room_around_a_change() -> None:
    [(top, bottom)] = changed_rows(blank(), changed(400))
    assert top <= 400 - 50
    assert bottom >= 404 + 50
    assert bottom - top < 200


def test_bands_are_cut_at_the_edges_and_joined_when_they_touch() -> None:
    assert [top for top, _ in changed_rows(blank(), changed(0))] == [0]
    assert [bottom for _, bottom in changed_rows(blank(), changed(HEIGHT - 4))] == [HEIGHT]
    assert len(changed_rows(blank(), changed(100, 200))) == 1
    assert len(changed_rows(blank(), changed(100, 600))) == 2


def test_many_changes_are_one_band_of_all_rows() -> None:
    assert changed_rows(blank(), changed(*range(0, HEIGHT, 100))) == [(0, HEIGHT)]


def test_a_frame_size_that_is_no_multiple_of_a_block_is_compared_to_its_edge() -> None:
    before = np.full((37, 41, 3), 200, np.uint8)
    after = before.copy()
    after[36, 37:40] = 0
    assert changed_rows(before, after) == [(0, 37)]


def test_slow_changes_add_up_until_they_are_read() -> None:
    recorder = Recorder()
    watcher = FrameWatcher(cast("Examiner", recorder))
    assert watcher.examine(blank()) is not None
    frames = [changed(400, by=step) for step in (10, 20, 30)]
    assert [watcher.examine(frame) is not None for frame in frames] == [False, False, True]
    assert recorder.asked[0] == "all"
    assert recorder.asked[1][:2] == (200, 1)
    assert len(recorder.asked) == 2
    assert watcher.examine(changed(400, by=30)) is None
