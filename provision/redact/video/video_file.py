"""Redact a video: examine it, join sightings, cover them, note what was covered and what needs a review."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from provision import __version__
from provision.redact.notes import Masked, Remark
from provision.redact.pictures.areas import FILL
from provision.redact.pictures.examiner import SHORT, examiner_of
from provision.redact.session import CannotExamineError
from provision.redact.video.coverage import Box, Margins, Track, VideoState, boxes_at, tracks_of
from provision.redact.video.ffmpeg import Video, frames_of, probe_video, write_video
from provision.redact.video.frame_watcher import FrameWatcher
from provision.redact.video.journal import SUFFIX, VideoJournal
from provision.scratch import Scratch, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.redact.pictures.strips import Pixels
    from provision.redact.session import Session

AROUND_S = 0.8
BRIDGED_S = 3.0
_MOST_REMARKS = 20
_CONTAINERS = {b"\x1aE\xdf\xa3": ".mkv", b"RIFF": ".avi"}
_PREVIEW = (255, 45, 85)


def redact_video(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Cover the keys in a video. Raises CannotExamineError, VideoUnavailableError, PicturesUnavailableError."""
    with scratch_folder(Scratch.VIDEO) as folder:
        own = Path(source.name) if isinstance(getattr(source, "name", None), str) else None
        path = own if own is not None and own.is_file() else _unpacked(source, folder)
        video = probe_video(path)
        journal = VideoJournal(
            own.with_name(own.name + SUFFIX) if own and path == own else None, _identity(path, video, session)
        )
        with journal:
            count = _watch(video, journal, file, session)
        if not count:
            journal.remove()
            raise CannotExamineError(
                "no frame of this video can be read", hint="check that it plays, or export it again"
            )
        margins = Margins(math.ceil(AROUND_S * video.rate), math.ceil(BRIDGED_S * video.rate))
        joined = tracks_of(journal.states, count, margins)
        result = Path(folder) / ("redacted" + _container(source))
        write_video(video, _painted(video, joined, count, file, session), result)
        with result.open("rb") as made:
            shutil.copyfileobj(made, target)
        _note_covered(video, joined, count, file, session)
        _note_doubts(video, journal.states, count, file, session)
        journal.remove()


def _unpacked(source: BinaryIO, folder: Path) -> Path:
    path = folder / "original"
    with path.open("xb") as file:
        shutil.copyfileobj(source, file)
    source.seek(0)
    return path


def _identity(path: Path, video: Video, session: Session) -> dict[str, object]:
    """What must be equal for findings of an earlier run to be used again: the video, and what it was searched for."""
    status = path.stat()
    size = [video.width, video.height]
    searched = f"{__version__} {session.detector.digest()} {session.options.strict}"
    return {
        "bytes": status.st_size,
        "changed_ns": status.st_mtime_ns,
        "size": size,
        "rate": str(video.rate),
        "searched": searched,
    }


def _container(source: BinaryIO) -> str:
    source.seek(0)
    head = source.read(4096)
    if b"webm" in head[:64]:
        return ".webm"
    if head[4:10] == b"ftypqt":
        return ".mov"
    return _CONTAINERS.get(head[:4], ".mp4")


def _watch(video: Video, journal: VideoJournal, file: str, session: Session) -> int:
    """Examine all frames that are not in the journal yet; return the number of frames."""
    watcher = FrameWatcher(examiner_of(session.detector, strict=session.options.strict))
    start = journal.rewind()
    count = 0
    for number, frame in enumerate(frames_of(video)):
        count += 1
        if number >= start:
            for state in watcher.examine(number, frame):
                journal.add(state)
        session.progress(f"examine {file}", count, max(count + 1, video.frames))
    for state in watcher.finish():
        journal.add(state)
    session.progress(f"examine {file}", count, count)
    return count


def _painted(video: Video, joined: list[Track], count: int, file: str, session: Session) -> Iterator[Pixels]:
    for number, frame in enumerate(frames_of(video)):
        for box in boxes_at(number, joined):
            _paint(frame, box, preview=session.options.preview)
        session.progress(f"write {file}", number, count)
        yield frame
    session.progress(f"write {file}", count, count)


def _paint(frame: Pixels, box: Box, *, preview: bool) -> None:
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(frame.shape[1], box[2]), min(frame.shape[0], box[3])
    if preview:
        frame[top:bottom, [left, right - 1]] = _PREVIEW
        frame[[top, bottom - 1], left:right] = _PREVIEW
    else:
        frame[top:bottom, left:right] = FILL


def _note_covered(video: Video, joined: list[Track], count: int, file: str, session: Session) -> None:
    for seen in joined:
        if seen.follows:
            continue
        session.notes.add(Masked(file, _span(video, seen, count), seen.rule, ""))


def _note_doubts(video: Video, states: list[VideoState], count: int, file: str, session: Session) -> None:
    unsure = session.notes.unsure
    doubts = tracks_of(states, count, Margins(0, math.ceil(BRIDGED_S * video.rate)), doubts=True)
    covered = tracks_of(states, count, Margins(0, 0))
    doubts = [doubt for doubt in doubts if not (doubt.rule == SHORT and _typed_on(doubt, covered))]
    unsure += [Remark(file, _span(video, seen, count), seen.rule) for seen in doubts[:_MOST_REMARKS]]
    if len(doubts) > _MOST_REMARKS:
        unsure.append(Remark(file, "", f"{len(doubts) - _MOST_REMARKS} more places need a review"))
    if video.frames and abs(count - video.frames) > max(2, video.frames // 50):
        unsure.append(Remark(file, "", f"{count} frames were read, about {video.frames} were expected"))
    if video.sound:
        unsure.append(Remark(file, "", "the sound is kept and was not examined"))
    if video.left_out:
        session.notes.left_out.append(Remark(file, "", f"the video's other streams: {', '.join(video.left_out)}"))


def _typed_on(doubt: Track, covered: list[Track]) -> bool:
    """Whether a key that was short is covered at full length right after the last doubtful sighting."""
    frame = doubt.last + 1
    left, top, right, bottom = doubt.at(doubt.last)
    boxes = boxes_at(frame, covered)
    return any(b[0] < right and left < b[2] and b[1] < bottom and top < b[3] for b in boxes)


def _span(video: Video, seen: Track, count: int) -> str:
    return f"{video.clock(seen.first)}-{video.clock(min(seen.last + 1, count))}, x {seen.box[0]}, y {seen.box[1]}"
