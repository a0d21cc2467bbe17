"""Temporary folders, and what a killed run may leave in the system's temporary folder.

Nothing can tidy up after SIGKILL or a power cut. So each command tidies up for the one before: whoever makes a folder of some
kind first removes the folders of that kind that no process holds any more. A process holds its folder with a lock that the system
releases when the process dies. On Windows, which has no such locks here, folders older than a day are removed.

Files are the other half: see `files.staged_path`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLD_S = 24 * 3600.0


class Scratch(StrEnum):
    """The kinds of temporary folders, and what is in them. Folders are private (0700). Only two kinds may hold a key in clear: a
    key that was in the user's own file before."""

    DATABASE = "database"
    """A copy of the database that is being masked, for as long as that takes."""
    VIDEO = "video"
    """Pieces of the video that is being covered."""
    DRY_RUN = "dry-run"
    """A copy of the workspace or of a feed, as sealed as the original."""
    LOG = "log"
    """A copy of the event log, which holds no keys, while an act of operators is prepared."""
    ACCESS = "access"
    """The access control list of one file, as Windows' icacls writes it."""
    DEMO = "demo"
    """The workspace of `demo`, with made-up keys."""
    GIT = "git"
    """Settings for reading a repository without its own."""
    HERMES = "hermes"
    """An empty home, in which Hermes is asked for its version."""
    DEPLOY = "deploy"
    """Settings for Ansible, without keys."""
    RPM = "rpm"
    """The files of a package: the sealed bundle."""
    ZIPAPP = "zipapp"
    """provision itself and its dependencies."""


@contextlib.contextmanager
def scratch_folder(kind: Scratch) -> Iterator[Path]:
    """A private temporary folder, removed at the end; and what killed runs left of this kind is removed now."""
    with contextlib.suppress(OSError):
        _sweep(kind)
    folder, lock = _made(kind)
    try:
        yield folder
    finally:
        _removed(folder)
        if lock is not None:
            os.close(lock)


def _removed(folder: Path) -> None:
    """Remove a folder. One interrupted or failing call must not leave it until the next run, so it is tried twice."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def _made(kind: Scratch) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"provision-{kind}-"))
        lock = _locked(folder)
        if os.name == "nt" or (
            lock is not None and folder.exists()
        ):  # another process may have swept it before the lock
            return folder, lock


def _sweep(kind: Scratch) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"provision-{kind}-*"):
        found = folder.lstat()
        if not folder.is_dir() or folder.is_symlink() or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
            continue
        if os.name == "nt":
            if found.st_mtime < time.time() - _OLD_S:
                _removed(folder)
        elif (lock := _locked(folder)) is not None:
            _removed(folder)
            os.close(lock)


def left_folders() -> list[Path]:
    """The folders of killed runs that are still there, of all kinds; none on Windows. Nothing is removed."""
    found = []
    for kind in Scratch if os.name != "nt" else ():
        for folder in Path(tempfile.gettempdir()).glob(f"provision-{kind}-*"):
            own = not folder.is_symlink() and folder.is_dir() and folder.lstat().st_uid == os.geteuid()
            if own and (lock := _locked(folder)) is not None:
                found.append(folder)
                os.close(lock)
    return found


def _locked(folder: Path) -> int | None:
    """Lock a folder; None if another process holds it, or on Windows. The lock ends with the descriptor."""
    if os.name == "nt":
        return None
    import fcntl  # noqa: PLC0415  not on Windows

    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
