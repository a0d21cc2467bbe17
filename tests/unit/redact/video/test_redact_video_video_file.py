"""What is covered and reported of a video, from the states that were found; without ffmpeg and OCR."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from redactcraft import aisa_key, session

from provision.detect.detector import Detector
from provision.detect.policy import Policy
from provision.detect.rules.builtin import BUILTIN
from provision.redact.pictures.examiner import SHORT
from provision.redact.session import CannotExamineError, RedactionOptions, Session
from provision.redact.video import video_file
from provision.redact.video.coverage import Box, SeenBox, VideoState
from provision.redact.video.ffmpeg import Video
from provision.redact.video.video_file import redact_video

if TYPE_CHECKING:
    from collections.abc import Iterator

BOX = (10, 10, 50, 20)
NOTHING = VideoState(30)


def state(frame: int, cover: list[tuple[Box, str]], doubts: list[tuple[Box, str]]) -> VideoState:
    covers, unsure = (tuple(SeenBox(box, rule, frame) for box, rule in found) for found in (cover, doubts))
    return VideoState(frame, covers, unsure, read=True)


KEY = state(20, [(BOX, "aisa-key")], [])


class Run:
    """A video of 100 frames at 10 a second, with given states."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, states: list[VideoState], *, sound: bool = False, count: int = 100
    ) -> None:
        self.written: list[np.ndarray] = []
        self.suffix = ""
        video = Video(Path("a"), 64, 48, Fraction(10), 100, sound, ("subtitle",) if sound else ())
        monkeypatch.setattr(video_file, "probe_video", lambda _: video)
        monkeypatch.setattr(video_file, "frames_of", self._frames)
        monkeypatch.setattr(video_file, "write_video", self._write)

        def watch(_video: Video, journal: Any, _file: str, _session: Session) -> int:
            journal.states += states
            return count

        monkeypatch.setattr(video_file, "_watch", watch)

    def _frames(self, _video: Video) -> Iterator[np.ndarray]:
        return (np.full((48, 64, 3), 200, np.uint8) for _ in range(100))

    def _write(self, _video: Video, frames: Iterator[np.ndarray], target: Path) -> None:
        self.written, self.suffix = list(frames), target.suffix
        target.write_bytes(b"done")

    def redact(self, head: bytes = b"\0\0\0\x20ftypisom", *, preview: bool = False) -> Session:
        used, out = session(options=RedactionOptions(preview=preview)), io.BytesIO()
        redact_video(io.BytesIO(head), out, "a.mp4", used)
        assert out.getvalue() == b"done"
        return used


def test_a_key_is_covered_from_before_its_first_to_after_its_last_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [VideoState(0), KEY, NOTHING])
    used = run.redact()
    covered = [n for n, frame in enumerate(run.written) if (frame[10:20, 10:50] == 0).all()]
    assert covered == list(range(12, 38)), "0.8 seconds before frame 20 and after frame 29"
    assert all((frame[21:] == 200).all() for frame in run.written)
    assert [place.where for place in used.notes.places] == ["0:01.2-0:03.8, x 10, y 10"]


def test_a_key_in_the_last_state_is_covered_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [VideoState(0), state(95, [(BOX, "aisa-key")], [])])
    run.redact()
    assert [n for n, frame in enumerate(run.written) if (frame[15, 15] == 0).all()] == list(range(87, 100))


def test_a_preview_draws_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [KEY])
    run.redact(preview=True)
    assert (run.written[50][15, 30] == 200).all()
    assert (run.written[50][10, 10:50] == (255, 45, 85)).all()


@pytest.mark.parametrize(
    ("head", "suffix"),
    [
        (b"\0\0\0\x20ftypisom", ".mp4"),
        (b"\0\0\0\x20ftypqt  ", ".mov"),
        (b"\x1aE\xdf\xa3....matroska", ".mkv"),
        (b"\x1aE\xdf\xa3....webm", ".webm"),
        (b"RIFF....AVI ", ".avi"),
    ],
)
def test_the_container_stays(head: bytes, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [VideoState(0)])
    run.redact(head)
    assert run.suffix == suffix


def test_doubts_are_reported_with_their_time_and_place(monkeypatch: pytest.MonkeyPatch) -> None:
    doubt = state(20, [], [(BOX, "could not be read well")])
    used = Run(monkeypatch, [doubt, NOTHING]).redact()
    assert [(each.where, each.message) for each in used.notes.unsure] == [
        ("0:02.0-0:03.0, x 10, y 10", "could not be read well")
    ]


@pytest.mark.parametrize("typed_on", [True, False])
def test_a_short_key_is_no_doubt_when_it_goes_on_to_be_typed(typed_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    short = state(20, [(BOX, "aisa-key")], [(BOX, SHORT)])
    later = state(25, [((10, 10, 60, 20), "aisa-key")] if typed_on else [], [])
    used = Run(monkeypatch, [short, later]).redact()
    assert [each.message for each in used.notes.unsure] == ([] if typed_on else [SHORT])


def test_sound_and_other_streams_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    used = Run(monkeypatch, [VideoState(0)], sound=True).redact()
    assert [each.message for each in used.notes.unsure] == ["the sound is kept and was not examined"]
    assert [each.message for each in used.notes.left_out] == ["the video's other streams: subtitle"]


def test_many_doubts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    doubts: list[tuple[Box, str]] = [((n, 10, n + 1, 20), "could not be read well") for n in range(25)]
    used = Run(monkeypatch, [state(0, [], doubts)]).redact()
    assert len(used.notes.unsure) == 21
    assert used.notes.unsure[-1].message == "5 more places need a review"


def test_a_video_without_frames_is_not_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotExamineError, match="no frame"):
        Run(monkeypatch, [], count=0).redact()


def test_findings_are_used_again_only_with_the_same_rules_and_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom")
    states: list[list[VideoState]] = []

    def watch(_video: Video, journal: Any, _file: str, _session: Session) -> int:
        states.append(list(journal.states))
        if not journal.states:
            journal.add(KEY)
        raise KeyboardInterrupt

    Run(monkeypatch, [])
    monkeypatch.setattr(video_file, "_watch", watch)
    other_rules = Session(Detector(BUILTIN[:3]), session().masker)
    other_policy = Session(Detector(BUILTIN[:3], policy=Policy.PUBLISHING), session().masker)
    for used in (session(), session(), session(aisa_key("a")), session(), other_rules, other_rules, other_policy):
        with path.open("rb") as source, pytest.raises(KeyboardInterrupt):
            redact_video(source, io.BytesIO(), "a.mp4", used)
    assert [bool(found) for found in states] == [False, True, False, False, False, True, False]
