"""`rotations/` in the workspace: one journal per rotation, for git like the vault; and the lock of the running process.

The system releases the lock of a dead process, so a lock is never stale on one machine. A process on another machine that shares
the folder is not visible: its note stays, says who, where and since when, and only an operator removes it.
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
from provision.rotate.states import Course

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.rotate.model import RotationUser

FOLDER = "rotations"
_SUFFIX = ".jsonl"
_OWN = ".provision"


class HeldError(ProvisionError):
    """A process on another machine holds, or held, the rotations of this workspace."""


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
        """A new id: the day and a number."""
        day, taken = now.strftime("%Y-%m-%d"), set(self.names())
        return next(name for number in range(1, 100_000) if (name := f"{day}-{number:02}") not in taken)

    def read(self, name: str) -> Rotation | None:
        """Read one rotation. None if a crash left no complete first line. Raises JournalError, NothingMatchedError."""
        path = self.path(name)
        if not path.exists():
            hint = (
                f"rotations: {', '.join(self.names()[-10:])}"
                if self.names()
                else "start one: provision rotate start --from FILE"
            )
            raise NothingMatchedError(f"no rotation '{name}'", hint=hint)
        return replay(read_entries(path), path)

    def unfinished(self) -> Iterator[Rotation]:
        """All rotations that have started and not ended, oldest first."""
        for name in self.names():
            if "end" in (last_entry(self.path(name)) or {}):
                continue
            rotation = self.read(name)
            if rotation is not None and rotation.begun and rotation.ended is None:
                yield rotation

    def select(self, name: str | None) -> Rotation:
        """The rotation with this id, or the only unfinished one. Raises NothingMatchedError, UsageError if there are several."""
        if name is not None:
            rotation = self.read(name)
            if rotation is None or not rotation.begun:
                raise NothingMatchedError(
                    f"rotation {name} never started", hint="start one: provision rotate start --from FILE"
                )
            return rotation
        found = list(self.unfinished())
        if not found:
            raise NothingMatchedError(
                "no rotation is in progress", hint="start one: provision rotate start --from FILE"
            )
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} rotations are in progress: name one", hint=", ".join(rotation.id for rotation in found)
            )
        return found[0]

    def clean_up(self) -> None:
        """Clean up after a crash: remove torn lines and incomplete plans. The caller holds the lock."""
        for name in self.names():
            path = self.path(name)
            if "end" in (last_entry(path) or {}):
                continue
            drop_torn_line(path)
            rotation = self.read(name)
            if rotation is None or not rotation.begun:
                path.unlink()  # nothing happens before a plan is complete

    @contextlib.contextmanager
    def locked(self, doing: str, now: datetime, *, take_over: bool = False) -> Iterator[str]:
        """Hold the lock of the rotations. Yields a remark about a killed process, or an empty string.

        Raises LockedError if a process of this machine holds it, HeldError if one of another machine may hold it.
        """
        own = self.root / _OWN
        try:
            own.mkdir(mode=0o700, exist_ok=True)
            if not (own / ".gitignore").exists():
                write_atomic(own / ".gitignore", b"*\n", mode=0o644, durable=False)
            self.folder.mkdir(exist_ok=True)
        except OSError as e:
            raise StoppedError(
                f"cannot write to {self.root}: {e.strerror or e}",
                hint="free disk space or fix the permissions, then try again",
            ) from e
        note = own / "rotate.owner"
        with locked(own / "rotate.lock", doing, wait_s=0.2):
            remark = _left_behind(note, now, take_over=take_over)
            for stray in own.glob(
                f".{note.name}.*{STAGED_SUFFIX}"
            ):  # left by a process that was killed while writing it
                stray.unlink(missing_ok=True)
            mine = {"who": _me(), "host": socket.gethostname(), "pid": os.getpid(), "doing": doing, "since": stamp(now)}
            try:
                write_atomic(note, json.dumps(mine).encode(), mode=0o644, durable=False)
            except FileProblemError as e:
                raise StoppedError(e.message, hint="free disk space or fix the permissions, then try again") from e
            try:
                yield remark
            finally:
                note.unlink(missing_ok=True)


def _left_behind(note: Path, now: datetime, *, take_over: bool) -> str:
    data = read_optional(note, 4096)
    if data is None:
        return ""
    try:
        left = json.loads(data)
        holder = (
            f"{left['who']}@{left['host']} (pid {left['pid']}, {left['doing']}, started {_ago(left['since'], now)})"
        )
        host = str(left["host"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "removed a damaged lock note"
    if host == socket.gethostname():
        return f"{holder} was interrupted; continuing from its journal"
    if take_over:
        return f"took over the lock of {holder}"
    raise HeldError(
        f"the rotations of this workspace are locked by {holder} on another machine, which may still be running",
        hint=f"check there; if it is a stale lock, break it with --take-over (the note is {note})",
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


def busy_entries(rotations: Sequence[Rotation]) -> dict[str, tuple[RotationUser, Rotation]]:
    """Users in progress, with their entry and rotation. A leaked key that is not in use (spare) keeps no user busy."""
    return {
        person.user: (person, rotation)
        for rotation in rotations
        for person in rotation.people.values()
        if not person.over and person.course is not Course.SPARE
    }


def busy_with(rotations: Sequence[Rotation]) -> dict[str, str]:
    """Users in progress, with the id of their rotation."""
    return {user: rotation.id for user, (_, rotation) in busy_entries(rotations).items()}


def keys_ahead_of_vault(root: Path) -> dict[str, str]:
    """For `render`: users whose bundle must have a key that is not current in the vault yet, by fingerprint."""
    found: dict[str, str] = {}
    for rotation in RotationStore(root).unfinished():
        found |= rotation.ahead()
    return found
