"""Keep the progress of a video's examination, so that an interrupted run continues where it stopped.

A file of JSON lines beside the video: a header that identifies the video, the rules and the known keys, then what was
found from which frame on. It holds places and rule names, nothing that was read. If the header does not match, the
examination starts again.
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
"""A frame, the boxes to cover from it on with their rules, and the doubtful boxes with the reason for doubt."""


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
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            lines = self._path.read_text(encoding="utf-8").splitlines()
            if json.loads(lines[0]) != self._header:
                return []
            states = []
            for line in lines[1:]:
                with contextlib.suppress(ValueError):  # the last line of a killed run may be incomplete
                    form = json.loads(line)
                    states.append((int(form["frame"]), _boxes(form["cover"]), _boxes(form["doubts"])))
            return states
        return []

    def __enter__(self) -> VideoJournal:
        if self._path is not None:
            with contextlib.suppress(
                OSError
            ):  # a read-only folder: the run cannot be continued later, but need not stop
                self._file = self._path.open("w", encoding="utf-8")
                self._write(self._header)
                for state in self.states:
                    self._write(_form(state))
        return self

    def add(self, state: VideoState) -> None:
        """Add a state and save it."""
        self.states.append(state)
        self._write(_form(state))

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
    return {"frame": state[0], "cover": state[1], "doubts": state[2]}


def _boxes(form: Any) -> list[tuple[tuple[int, int, int, int], str]]:
    return [((int(b[0]), int(b[1]), int(b[2]), int(b[3])), str(rule)) for b, rule in form]
