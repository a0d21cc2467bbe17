"""How far the examination of a video got, so that an interrupted run goes on where it was.

A file of JSON lines beside the video: a header that says which video and which rules, then what was seen from which
frame on. It holds places and names of rules, nothing that was read. A header that does not fit starts anew.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "provision/video-journal/v1"
SUFFIX = ".redacting"
VideoState = tuple[int, list[tuple[tuple[int, int, int, int], str]], list[tuple[tuple[int, int, int, int], str]]]
"""A frame, the boxes to cover from it on with their rules, and the doubtful boxes with what is doubtful."""


class VideoJournal:
    """The states seen so far; `path` None keeps nothing. `what` names the video, its size and time, and the rules."""

    def __init__(self, path: Path | None, what: dict[str, Any]) -> None:
        self._path = path
        self._header = {"schema": SCHEMA, **what}
        self._file: TextIO | None = None
        self.states: list[VideoState] = self._load()

    def _load(self) -> list[VideoState]:
        if self._path is None:
            return []
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            lines = self._path.read_text(encoding="utf-8").splitlines()
            if json.loads(lines[0]) != self._header:
                return []
            states = []
            for line in lines[1:]:
                with contextlib.suppress(ValueError):  # the last line of a killed run may be half a line
                    form = json.loads(line)
                    states.append((int(form["frame"]), _boxes(form["cover"]), _boxes(form["doubts"])))
            return states
        return []

    def __enter__(self) -> VideoJournal:
        if self._path is not None:
            with contextlib.suppress(
                OSError
            ):  # a folder that cannot be written: there is no going on, and no need to stop
                self._file = self._path.open("w", encoding="utf-8")
                self._write(self._header)
                for state in self.states:
                    self._write(_form(state))
        return self

    def add(self, state: VideoState) -> None:
        """Remember a state."""
        self.states.append(state)
        self._write(_form(state))

    def _write(self, form: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(form, separators=(",", ":")) + "\n")
            self._file.flush()

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def forget(self) -> None:
        """The work is done: remove the file."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def _form(state: VideoState) -> dict[str, Any]:
    return {"frame": state[0], "cover": state[1], "doubts": state[2]}


def _boxes(form: Any) -> list[tuple[tuple[int, int, int, int], str]]:
    return [((int(b[0]), int(b[1]), int(b[2]), int(b[3])), str(rule)) for b, rule in form]
