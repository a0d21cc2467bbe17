"""What is computed around ffmpeg: times, rates, the formats it is asked for; and its absence."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from provision.redact.session import CannotExamineError
from provision.redact.video import ffmpeg
from provision.redact.video.ffmpeg import Video, VideoUnavailableError, probe_video

VIDEO = Video(Path("a.mp4"), 640, 480, Fraction(30), 900, True, ())


@pytest.mark.parametrize(
    ("frame", "shown"),
    [(0, "0:00.0"), (3, "0:00.1"), (29, "0:00.9"), (30, "0:01.0"), (1799, "0:59.9"), (1800, "1:00.0")],
)
def test_the_time_of_a_frame(frame: int, shown: str) -> None:
    assert VIDEO.clock(frame) == shown


def answers(
    monkeypatch: pytest.MonkeyPatch, streams: list[dict[str, Any]], size: bytes = b"P6\n640 480\n255\n"
) -> None:
    document = {"streams": streams, "format": {"duration": "10.0"}}
    monkeypatch.setattr(ffmpeg, "find_program", lambda name: name)
    monkeypatch.setattr(
        ffmpeg, "_run", lambda command: json.dumps(document).encode() if command[0] == "ffprobe" else size
    )


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({"avg_frame_rate": "30000/1001"}, Fraction(30000, 1001)),
        ({"avg_frame_rate": "0/0", "r_frame_rate": "24/1"}, Fraction(24)),
        ({"avg_frame_rate": "1000/1"}, Fraction(60)),
        ({"avg_frame_rate": "nonsense"}, Fraction(25)),
        ({}, Fraction(25)),
    ],
)
def test_the_rate_of_a_video(rates: dict[str, str], expected: Fraction, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, [{"codec_type": "video", **rates}])
    video = probe_video(Path("a.mp4"))
    assert (video.rate, video.frames) == (expected, round(10 * expected))


def test_other_streams_are_named_and_sound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    cover = {"codec_type": "video", "disposition": {"attached_pic": 1}}
    others = [{"codec_type": kind} for kind in ("video", "video", "audio", "subtitle", "subtitle")]
    answers(monkeypatch, [*others, cover])
    video = probe_video(Path("a.mkv"))
    assert video.sound
    assert video.left_out == ("cover picture", "second picture", "subtitle")


@pytest.mark.parametrize(
    "streams", [[], [{"codec_type": "audio"}], [{"codec_type": "video", "disposition": {"attached_pic": 1}}]]
)
def test_a_file_without_moving_pictures_is_refused(
    streams: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, streams)
    with pytest.raises(CannotExamineError, match="no readable video stream"):
        probe_video(Path("a.mp3"))


@pytest.mark.parametrize(("size", "message"), [(b"P6\n9000 9000\n255\n", "too large"), (b"", "can be decoded")])
def test_frames_that_are_too_large_or_missing_are_refused(
    size: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, [{"codec_type": "video"}], size)
    with pytest.raises(CannotExamineError, match=message):
        probe_video(Path("a.mp4"))


def test_a_missing_program_is_named_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "find_program", lambda _: None)
    with pytest.raises(VideoUnavailableError, match="ffprobe") as caught:
        probe_video(Path("a.mp4"))
    assert "install ffmpeg" in caught.value.hint
