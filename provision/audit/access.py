"""Who can read a file: by its mode, and by the modes of all folders above it. On Windows nothing is claimed."""

from __future__ import annotations

import os
import stat
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Readers(IntEnum):
    """Who, beside the owner and root, can open a file. A group of one's own counts as the group all the same."""

    OWNER = 0
    GROUP = 1
    EVERYONE = 2


def readers(path: Path) -> Readers:
    """Who can read the file, as far as modes say; OWNER when it is not there."""
    if os.name == "nt":
        return Readers.OWNER
    try:
        mode = path.stat().st_mode
    except OSError:
        return Readers.OWNER
    if mode & stat.S_IROTH and _passable(path.parent, stat.S_IXOTH):
        return Readers.EVERYONE
    if mode & stat.S_IRGRP and _passable(path.parent, stat.S_IXGRP):
        return Readers.GROUP
    return Readers.OWNER


def private(path: Path) -> bool:
    """Whether nobody but the owner (and root) can read the file."""
    return readers(path) is Readers.OWNER


def _passable(folder: Path, bit: int) -> bool:
    """Whether that class of users can walk through a folder and all above it. A folder's group may be another one than the
    file's; `everyone` is exact, `group` errs on the side of saying so."""
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    mode_for_others = mode & (bit | stat.S_IXOTH)
    return bool(mode_for_others) and (folder.parent == folder or _passable(folder.parent, bit))


def mode_for_others(path: Path) -> int | None:
    """The mode of a file or folder that grants something to others, None when it grants nothing or is not there."""
    if os.name == "nt":
        return None
    try:
        status = path.lstat()
    except OSError:
        return None
    mode = stat.S_IMODE(status.st_mode)
    return mode if not stat.S_ISLNK(status.st_mode) and mode & 0o077 else None
