"""Videos: frames that differ are read like pictures, keys stay covered between sightings, the sound is kept.

Works in two passes, with constant memory: look at everything, then write with what is known of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from provision.redact.session import Session


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact one video; see `RedactFile`. Needs the extra `[video]` and the program ffmpeg."""
    from provision.redact.video.video_file import redact_video  # noqa: PLC0415

    redact_video(source, target, file, session)
