"""The journal of a video continues after a kill, fits only its own video, and holds no text."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provision.redact.video.coverage import SeenBox, VideoState
from provision.redact.video.journal import VideoJournal

if TYPE_CHECKING:
    from pathlib import Path

WHAT = {"bytes": 100, "rate": "30"}
FIRST = VideoState(0, (SeenBox((1, 2, 3, 4), "aisa-key", 0, ((3, 0, -4),)),), read=True)
SECOND = VideoState(7, (), (SeenBox((5, 6, 7, 8), "could not be read well", 7),), new=True)


def written(path: Path, *states: VideoState) -> None:
    with VideoJournal(path, WHAT) as journal:
        for state in states:
            journal.add(state)


def test_the_next_run_knows_what_the_last_one_found(tmp_path: Path) -> None:
    path = tmp_path / "a.redacting"
    written(path, FIRST)
    written(path, SECOND)
    assert VideoJournal(path, WHAT).states == [FIRST, SECOND]


def test_the_next_run_continues_with_the_last_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.redacting"
    written(path, FIRST, VideoState(5, FIRST.cover, read=True), SECOND)
    journal = VideoJournal(path, WHAT)
    assert journal.rewind() == 5
    assert [state.frame for state in journal.states] == [0, 5]
    written(path, SECOND)
    assert VideoJournal(None, WHAT).rewind() == 0


def test_an_incomplete_last_line_is_ignored_and_then_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.redacting"
    written(path, FIRST, SECOND)
    path.write_bytes(path.read_bytes()[:-10])
    assert VideoJournal(path, WHAT).states == [FIRST]
    written(path, SECOND)
    assert VideoJournal(path, WHAT).states == [FIRST, SECOND]


@pytest.mark.parametrize("other", [{"bytes": 101, "rate": "30"}, {}])
def test_the_journal_of_another_video_is_not_used(tmp_path: Path, other: dict[str, object]) -> None:
    path = tmp_path / "a.redacting"
    written(path, FIRST)
    assert VideoJournal(path, other).states == []


@pytest.mark.parametrize("text", ["", "nonsense\n", "[]\n", '{"schema": "provision/video-journal/v1"}\n'])
def test_a_file_that_is_not_a_journal_is_not_used(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.redacting"
    path.write_text(text)
    assert VideoJournal(path, WHAT).states == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes and links")
def test_what_others_put_in_its_place_is_neither_read_nor_written_to(tmp_path: Path) -> None:
    path, other = tmp_path / "a.redacting", tmp_path / "other"
    written(other, FIRST)
    before = other.read_bytes()
    path.symlink_to(other)
    assert VideoJournal(path, WHAT).states == []
    written(path, SECOND)
    assert other.read_bytes() == before
    path.unlink()
    os.mkfifo(path)
    written(path, SECOND)
    assert VideoJournal(path, WHAT).states == [SECOND]


def test_without_a_path_nothing_is_saved(tmp_path: Path) -> None:
    with VideoJournal(None, WHAT) as journal:
        journal.add(FIRST)
    journal.remove()
    assert journal.states == [FIRST]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_does_not_stop_the_run(tmp_path: Path) -> None:
    with VideoJournal(tmp_path / "missing" / "a.redacting", WHAT) as journal:
        journal.add(FIRST)
    assert journal.states == [FIRST]


def test_the_file_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.redacting"
    written(path, FIRST)
    VideoJournal(path, WHAT).remove()
    assert not path.exists()
