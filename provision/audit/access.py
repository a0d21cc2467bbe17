"""Which users can read a file: by its mode and the modes of all folders above it, on Windows by its access control list."""

from __future__ import annotations

import os
import stat
from enum import IntEnum
from typing import TYPE_CHECKING

from provision.windows_acl import on_windows, other_accounts

if TYPE_CHECKING:
    from pathlib import Path


class Readers(IntEnum):
    """Which users besides the owner and root can read a file. A group with one member still counts as a group."""

    OWNER = 0
    GROUP = 1
    EVERYONE = 2
    UNKNOWN = 3
    """The access control list cannot be read: never taken for OWNER."""


def readers(path: Path) -> Readers:
    """Return which users can read the file; OWNER when it does not exist."""
    if on_windows():
        return _by_list(path) if os.path.lexists(path) else Readers.OWNER
    try:
        mode = path.stat().st_mode
    except OSError:
        return Readers.OWNER
    if mode & stat.S_IROTH and _searchable(path.parent, stat.S_IXOTH):
        return Readers.EVERYONE
    if mode & stat.S_IRGRP and _searchable(path.parent, stat.S_IXGRP):
        return Readers.GROUP
    return Readers.OWNER


def _by_list(path: Path) -> Readers:
    """By the list of the file alone: on Windows the lists of the folders above it keep no user out."""
    others = other_accounts(path)
    if others is None:
        return Readers.UNKNOWN
    if not others.readers:
        return Readers.OWNER
    return Readers.EVERYONE if others.everyone_reads else Readers.GROUP


def _searchable(folder: Path, bit: int) -> bool:
    """Whether that class of users has search permission on a folder and on all folders above it.

    A folder's group may differ from the file's group: EVERYONE is exact, GROUP may be reported too often.
    """
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    searchable = mode & (bit | stat.S_IXOTH)
    return bool(searchable) and (folder.parent == folder or _searchable(folder.parent, bit))


def mode_for_others(path: Path) -> int | None:
    """Return the mode of a file or folder that grants access to other users; None when it grants none or does not exist, and on
    Windows, which has no modes."""
    if on_windows():
        return None
    try:
        status = path.lstat()
    except OSError:
        return None
    mode = stat.S_IMODE(status.st_mode)
    return mode if not stat.S_ISLNK(status.st_mode) and mode & 0o077 else None
