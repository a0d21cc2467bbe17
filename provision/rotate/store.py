"""`rotations/` in the workspace: a journal per rotation, meant for git like the vault; and the lock of whoever is at work.

The system frees the lock of a process that died, so on one machine a lock is never stale. What cannot be seen is a process on
another machine that shares the folder: its note stays, says who, where and since when, and is only set aside by a person.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
from typing import TYPE_CHECKING

from provision.errors import NothingMatchedError, ProvisionError, UsageError
from provision.files import STAGED_SUFFIX, FileProblemError, locked, read_optional, write_atomic
from provision.rotate.journal import StoppedError, drop_torn_line, last_entry, read_entries
from provision.rotate.model import moment, stamp
from provision.rotate.rotation import Rotation, replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

FOLDER = "rotations"
_SUFFIX = ".jsonl"
_OWN = ".provision"


class HeldError(ProvisionError):
    """Somebody on another machine is, or was, at work on the rotations of this workspace."""


class RotationStore:
    """The rotations of a workspace at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER

    def path(self, name: str) -> Path:
        """The journal of a rotation."""
        return self.folder / f"{name}{_SUFFIX}"

    def names(self) -> list[str]:
        """Ids of all rotations, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name.removesuffix(_SUFFIX) for path in self.folder.glob(f"[0-9]*{_SUFFIX}"))

    def new_name(self, now: datetime) -> str:
        """An id that no rotation has: the day, and a number."""
        day, taken = now.strftime("%Y-%m-%d"), set(self.names())
        return next(name for number in range(1, 100_000) if (name := f"{day}-{number:02}") not in taken)

    def read(self, name: str) -> Rotation | None:
        """One rotation; None when a crash left not even a first line. Raises JournalError, NothingMatchedError."""
        path = self.path(name)
        if not path.exists():
            hint = (
                f"there are: {', '.join(self.names()[-10:])}" if self.names() else "provision rotate start begins one"
            )
            raise NothingMatchedError(f"there is no rotation {name}", hint=hint)
        return replay(read_entries(path), path)

    def unfinished(self) -> Iterator[Rotation]:
        """Every rotation that has begun and not ended, oldest first."""
        for name in self.names():
            if "end" in (last_entry(self.path(name)) or {}):
                continue
            rotation = self.read(name)
            if rotation is not None and rotation.begun and rotation.ended is None:
                yield rotation

    def the_one(self, name: str | None) -> Rotation:
        """The rotation of that id, or the one that has not ended. Raises NothingMatchedError, UsageError for several."""
        if name is not None:
            rotation = self.read(name)
            if rotation is None or not rotation.begun:
                raise NothingMatchedError(f"rotation {name} never began", hint="provision rotate start begins one")
            return rotation
        found = list(self.unfinished())
        if not found:
            raise NothingMatchedError("no rotation is under way", hint="provision rotate start begins one")
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} rotations are under way: say which", hint=", ".join(rotation.id for rotation in found)
            )
        return found[0]

    def sweep(self) -> None:
        """Mend what a crash left: lines cut short, and plans that were not written to their end. Call it under the lock."""
        for name in self.names():
            path = self.path(name)
            if "end" in (last_entry(path) or {}):
                continue
            drop_torn_line(path)
            rotation = self.read(name)
            if rotation is None or not rotation.begun:
                path.unlink()  # nothing was done before a plan is whole

    @contextlib.contextmanager
    def locked(self, doing: str, now: datetime, *, take_over: bool = False) -> Iterator[str]:
        """Be the only one at work. Yields a remark about whoever was killed at it, or nothing.

        Raises LockedError when a process of this machine is at work, HeldError when one of another machine may be.
        """
        own = self.root / _OWN
        try:
            own.mkdir(mode=0o700, exist_ok=True)
            if not (own / ".gitignore").exists():
                write_atomic(own / ".gitignore", b"*\n", mode=0o644, durable=False)
            self.folder.mkdir(exist_ok=True)
        except OSError as e:
            raise StoppedError(f"cannot write to {self.root}: {e.strerror or e}", hint="mend that first") from e
        note = own / "rotate.owner"
        with locked(own / "rotate.lock", doing, wait_s=0.2):
            remark = _left_behind(note, now, take_over=take_over)
            for stray in own.glob(f".{note.name}.*{STAGED_SUFFIX}"):  # of somebody who was killed while writing it
                stray.unlink(missing_ok=True)
            mine = {"who": _me(), "host": socket.gethostname(), "pid": os.getpid(), "doing": doing, "since": stamp(now)}
            try:
                write_atomic(note, json.dumps(mine).encode(), mode=0o644, durable=False)
            except FileProblemError as e:
                raise StoppedError(e.message, hint="make room or mend its permissions, then try again") from e
            try:
                yield remark
            finally:
                note.unlink(missing_ok=True)


def _left_behind(note: Path, now: datetime, *, take_over: bool) -> str:
    data = read_optional(note, 4096)
    if data is None:
        return ""
    try:
        said = json.loads(data)
        whom = f"{said['who']}@{said['host']} (pid {said['pid']}, {said['doing']}, begun {_ago(said['since'], now)})"
        host = str(said["host"])
    except (ValueError, KeyError, TypeError):
        return "a damaged note of whoever was at work here last was removed"
    if host == socket.gethostname():
        return f"{whom} ended without finishing; going on from its journal"
    if take_over:
        return f"taken over from {whom}, as you said"
    raise HeldError(
        f"rotations of this workspace are held by {whom}: another machine, so whether that is still at work cannot be told",
        hint=f"ask there; if it is at work no more, say --take-over (the note is {note})",
    )


def _ago(since: str, now: datetime) -> str:
    seconds = int((now - moment(since)).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{max(0, seconds)} s ago"


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "an unknown user"


def busy_with(rotations: Sequence[Rotation]) -> dict[str, str]:
    """Users who are under way, and the id of the rotation they are in."""
    return {
        person.user: rotation.id for rotation in rotations for person in rotation.people.values() if not person.over
    }


def keys_ahead_of_vault(root: Path) -> dict[str, str]:
    """For `render`: users whose bundle must hold a key that the vault does not call current yet, by fingerprint."""
    found: dict[str, str] = {}
    for rotation in RotationStore(root).unfinished():
        found |= rotation.ahead()
    return found
