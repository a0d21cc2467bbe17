"""A rotation's journal: lines of JSON, appended and flushed to disk, never rewritten. Users and fingerprints, no keys.

An intent is written before an action, the outcome after it. A line that a crash cut short is dropped. Nothing is
lost with it, because every action first checks whether it was already done.
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
    """A journal is damaged or has another version. The message names the line."""


class StoppedError(ProvisionError):
    """A rotation cannot go on for now. Nothing is lost: `rotate resume` continues once the cause is fixed."""

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
        """Write entries, one per line, and flush them to disk together. Raises StoppedError, with nothing written."""
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
    """Yield the entries of a journal. Raises RotationJournalError, or FileProblemError if it cannot be read.

    A last line without newline is skipped; `drop_torn_line` removes it before the next append.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):
                    entry = None
                if not isinstance(entry, dict):
                    raise journal_damaged(path, number, "not a journal entry")
                yield entry
    except OSError as e:
        raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e


def drop_torn_line(path: Path) -> None:
    """Remove a last line that a crash cut short. The caller holds the workspace's lock. Raises StoppedError."""
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
    """The last complete entry of a journal, read from the end. None if it is invalid."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().split(b"\n")
        entry = json.loads(lines[-2])
    except (OSError, ValueError, IndexError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def journal_damaged(path: Path, number: int, why: str) -> RotationJournalError:
    """The error for an invalid line."""
    return RotationJournalError(
        f"{path}: line {number}: {why}",
        hint="another program changed the journal: restore the last good one from git",
    )


def _stopped(path: Path, reason: str | None) -> StoppedError:
    return StoppedError(
        f"cannot write {path}: {reason or 'unknown error'}",
        hint="free disk space or fix the permissions, then run `provision rotate resume`",
    )
