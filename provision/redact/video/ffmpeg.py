"""Decode and encode videos with the program ffmpeg, which may access only local files.

Frames have a constant rate, so that a frame number means the same picture in every run over the same file.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from provision.programs import find_program
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.redact.pictures.strips import Pixels

_LOCAL_ONLY = ("-protocol_whitelist", "file,pipe")
_FASTEST = Fraction(60)
_USUAL = Fraction(25)
_PROBE_S = 60
_H264 = ("libx264", "-preset", "veryfast", "-crf", "18")
_WEBM = ("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-crf", "24", "-b:v", "0")
MOST_PIXELS = 8_300_000 * 2
"""Limit for one frame: twice 4K."""


class VideoUnavailableError(CannotExamineError):
    """ffmpeg is not installed; the hint says how to get it."""


@dataclass(frozen=True, slots=True)
class Video:
    """A video file: frames of `width` x `height` at `rate` per second; `frames` is their approximate number."""

    path: Path
    width: int
    height: int
    rate: Fraction
    frames: int
    sound: bool
    left_out: tuple[str, ...]
    """Kinds of other streams (subtitle, data, attachment), which are left out of a redacted video."""

    def clock(self, frame: int) -> str:
        """Return the time of a frame as players show it: `1:02.3`."""
        tenths = int(frame / self.rate * 10)
        return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise VideoUnavailableError(f"videos need the program {name}", hint="apt install ffmpeg (or brew, winget)")
    return found


def probe_video(path: Path) -> Video:
    """Inspect a video file. Raises CannotExamineError, VideoUnavailableError."""
    output = _run(
        [
            _program("ffprobe"),
            "-v",
            "error",
            *_LOCAL_ONLY,
            "-show_streams",
            "-show_format",
            "-of",
            "json",
            f"file:{path}",
        ]
    )
    try:
        document = json.loads(output)
        streams = document["streams"]
        shown = [s for s in streams if s["codec_type"] == "video" and not s.get("disposition", {}).get("attached_pic")]
        rate = _rate(shown[0])
        seconds = float(shown[0].get("duration") or document["format"].get("duration") or 0)
    except (ValueError, LookupError, TypeError) as e:
        raise CannotExamineError("no readable video stream in this file") from e
    width, height = _size(path)
    if width * height > MOST_PIXELS:
        raise CannotExamineError(f"frames of {width} x {height} pixels are too large to examine")
    others = [s["codec_type"] for s in streams if s["codec_type"] not in {"video", "audio"}]
    others += ["cover picture"] * sum(bool(s.get("disposition", {}).get("attached_pic")) for s in streams)
    others += ["second picture"] * (len(shown) - 1)
    sound = any(s["codec_type"] == "audio" for s in streams)
    return Video(path, width, height, rate, round(seconds * rate), sound, tuple(sorted(set(others))))


def _rate(stream: dict[str, str]) -> Fraction:
    for name in ("avg_frame_rate", "r_frame_rate"):
        with contextlib.suppress(ValueError, ZeroDivisionError):
            rate = Fraction(stream.get(name, "0/0"))
            if rate > 0:
                return min(rate, _FASTEST)
    return _USUAL


def _size(path: Path) -> tuple[int, int]:
    """Return the size of a frame as players show it, after the rotation that the file asks for."""
    first = _run(
        [
            _program("ffmpeg"),
            "-v",
            "error",
            *_LOCAL_ONLY,
            "-i",
            f"file:{path}",
            "-map",
            "0:V:0",
            "-frames:v",
            "1",
            "-f",
            "image2pipe",
            "-c:v",
            "ppm",
            "-",
        ]
    )
    parts = first[:32].split(maxsplit=3)
    if len(parts) < 4 or parts[0] != b"P6":
        raise CannotExamineError("no frame of this video can be decoded")
    return int(parts[1]), int(parts[2])


def _run(command: list[str]) -> bytes:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as e:
        raise CannotExamineError(f"the video takes more than {_PROBE_S} s to open") from e
    if done.returncode:
        raise CannotExamineError("the video is damaged, or its format is not supported")
    return done.stdout


def frames_of(video: Video) -> Iterator[Pixels]:
    """Yield every frame (H, W, 3). Raises CannotExamineError if the decoder fails on the way."""
    import numpy as np  # noqa: PLC0415

    size = video.width * video.height * 3
    command = [
        _program("ffmpeg"), "-v", "error", *_LOCAL_ONLY, "-i", f"file:{video.path}", "-map", "0:V:0",
        "-vf", f"fps={video.rate}", "-f", "rawvideo", "-pix_fmt", "rgb24", "-",
    ]  # fmt: skip
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as decoder:
        try:
            while len(data := decoder.stdout.read(size) if decoder.stdout else b"") == size:
                yield np.frombuffer(data, np.uint8).reshape(video.height, video.width, 3).copy()
            if decoder.wait():
                raise CannotExamineError("the video is damaged: decoding failed on the way")
        finally:
            decoder.kill()


def write_video(video: Video, frames: Iterator[Pixels], target: Path) -> None:
    """Encode frames with the sound of `video`, in the format that `target`'s suffix names. No other stream, no metadata."""
    size = f"{video.width}x{video.height}"
    coder = _WEBM if target.suffix == ".webm" else _H264
    command = [
        _program("ffmpeg"), "-v", "error", "-y", *_LOCAL_ONLY,
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(video.rate), "-i", "pipe:0",
        "-i", f"file:{video.path}", "-map", "0:v", "-map", "1:a?", "-c:a", "copy", "-c:v", *coder,
        "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", "-map_metadata", "-1", "-map_chapters", "-1",
        "-sn", "-dn", "-fflags", "+bitexact", "-flags:v", "+bitexact", f"file:{target}",
    ]  # fmt: skip
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as coder_process:
        try:
            with contextlib.suppress(BrokenPipeError):
                for frame in frames:
                    if coder_process.stdin:
                        coder_process.stdin.write(frame.tobytes())
                if coder_process.stdin:
                    coder_process.stdin.close()
            if coder_process.wait():
                raise CannotExamineError(
                    "the redacted video cannot be encoded", hint="free space in the temporary folder"
                )
        finally:
            coder_process.kill()
