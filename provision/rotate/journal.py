"""A rotation's journal: lines of JSON, appended and flushed to disk, never rewritten. Users, fingerprints and words; no key.

An intent stands in it before an act, the outcome after. A line that a crash cut short is no line: what it would have said is
found again, because every act looks first whether it was done already.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from provision.errors import Exit, ProvisionError
from provision.files import FileProblemError, sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode

JournalEntry = dict[str, Any]


class RotationJournalError(ProvisionError):
    """A journal is damaged, or of another version; the message names the line."""


class StoppedError(ProvisionError):
    """A rotation cannot go on for now. Nothing is lost: `rotate resume` goes on from here once the cause is mended."""

    exit_code = Exit.PARTIAL


class Journal:
    """One rotation's journal, open for appending. A context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            fresh = not path.exists()
            self._descriptor = os.open(path, flags, 0o644)
            if fresh:
                sync_directory(path.parent)
        except OSError as e:
            raise _stopped(path, e.strerror) from e

    def append(self, entries: Iterable[JournalEntry]) -> None:
        """Write entries, a line each, and flush them to disk together. Raises StoppedError, having written nothing."""
        data = b"".join(_dumps(entry).encode() + b"\n" for entry in entries)
        if not data:
            return
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, data) != len(data):
                raise OSError(28, "no space left on device")
            os.fsync(self._descriptor)
        except OSError as e:
            os.ftruncate(self._descriptor, size)
            raise _stopped(self.path, e.strerror) from e

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_entries(path: Path) -> Iterator[JournalEntry]:
    """The entries of a journal, in order. Raises JournalError, and FileProblemError when it cannot be read.

    A last line without its newline is left out; `drop_torn_line` takes it away before anything is appended.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    entry = json.loads(line)
                except ValueError:
                    entry = None
                if not isinstance(entry, dict):
                    raise journal_damaged(path, number, "it is no line of a journal")
                yield entry
    except OSError as e:
        raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e


def drop_torn_line(path: Path) -> None:
    """Take away a last line that a crash cut short. Call it under the workspace's lock. Raises StoppedError."""
    try:
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            at = size
            while at > 0:
                start = max(0, at - 65536)
                file.seek(start)
                found = file.read(at - start).rfind(b"\n")
                if found >= 0:
                    at = start + found + 1
                    break
                at = start
            if at != size:
                file.truncate(at)
                file.flush()
                os.fsync(file.fileno())
    except OSError as e:
        raise _stopped(path, e.strerror) from e


def last_entry(path: Path) -> JournalEntry | None:
    """The last whole line of a journal, read from its end; None when that is none of ours."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().split(b"\n")
        entry = json.loads(lines[-2])
    except (OSError, ValueError, IndexError):
        return None
    return entry if isinstance(entry, dict) else None


def journal_damaged(path: Path, number: int, why: str) -> RotationJournalError:
    """The error for a line that makes no sense."""
    return RotationJournalError(
        f"{path}: line {number}: {why}",
        hint="the journal was changed by something other than provision: take the last good one from git",
    )


def _stopped(path: Path, reason: str | None) -> StoppedError:
    return StoppedError(
        f"cannot write {path}: {reason or 'it failed'}",
        hint="make room or mend its permissions, then: provision rotate resume",
    )
