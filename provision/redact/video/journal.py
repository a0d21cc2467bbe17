"""Keep the progress of a video's examination, so that an interrupted run continues where it stopped.

A file of JSON lines beside the video: a header that identifies the video, the rules and the known keys, then what was
found from which frame on. It holds places and rule names, nothing that was read. If the header does not match, the
examination starts again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING, Any, TextIO

from provision.files import FileProblemError, read_bounded
from provision.redact.video.coverage import SeenBox, VideoState

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "provision/video-journal/v2"
SUFFIX = ".redacting"
_MAX_BYTES = 256 << 20


class VideoJournal:
    """The states found so far. `path` None: nothing is saved. `what` identifies the video."""

    def __init__(self, path: Path | None, what: dict[str, Any]) -> None:
        self._path = path
        self._header = {"schema": SCHEMA, **what}
        self._file: TextIO | None = None
        self.states: list[VideoState] = self._load()

    def _load(self) -> list[VideoState]:
        if self._path is None:
            return []
        with contextlib.suppress(FileProblemError, OSError, ValueError, LookupError, TypeError):
            lines = read_bounded(self._path, _MAX_BYTES, follow=False).decode().splitlines()
            if json.loads(lines[0]) != self._header:
                return []
            states = []
            for line in lines[1:]:
                with contextlib.suppress(ValueError):  # the last line of a killed run may be incomplete
                    states.append(_state(json.loads(line)))
            return states
        return []

    def __enter__(self) -> VideoJournal:
        if self._path is not None:
            # in a read-only folder the run cannot be continued later, but need not stop
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
                self._file = self._path.open("x", encoding="utf-8")  # follows no link that others put there
                self._write(self._header)
                for state in self.states:
                    self._write(_form(state))
        return self

    def add(self, state: VideoState) -> None:
        """Add a state and save it."""
        self.states.append(state)
        self._write(_form(state))

    def rewind(self) -> int:
        """Drop what came after the last reading; return its frame, with which the examination continues."""
        while self.states and not self.states[-1].read:
            self.states.pop()
        return self.states[-1].frame if self.states else 0

    def _write(self, form: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(form, separators=(",", ":")) + "\n")
            self._file.flush()

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def remove(self) -> None:
        """Remove the file, after the work is done."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def _form(state: VideoState) -> dict[str, Any]:
    return dataclasses.asdict(state)


def _state(form: dict[str, Any]) -> VideoState:
    return VideoState(
        int(form["frame"]), _places(form["cover"]), _places(form["doubts"]), new=form["new"], read=form["read"]
    )


def _places(forms: list[dict[str, Any]]) -> tuple[SeenBox, ...]:
    return tuple(
        SeenBox(
            (int(f["box"][0]), int(f["box"][1]), int(f["box"][2]), int(f["box"][3])),
            str(f["rule"]),
            int(f["since"]),
            tuple((int(frame), int(dx), int(dy)) for frame, dx, dy in f["moves"]),
        )
        for f in forms
    )
