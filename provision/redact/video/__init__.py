"""Redact videos: read changed frames like pictures, keep keys covered between sightings, keep the sound.

Two passes with constant memory: the first examines all frames, the second writes the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from provision.redact.session import Session


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact one video; see `RedactFile`. Needs the extra `[video]` and the program ffmpeg."""
    from provision.redact.video.video_file import redact_video  # noqa: PLC0415

    redact_video(source, target, file, session)
