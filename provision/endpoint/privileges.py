"""Working in a Hermes home as the user it belongs to.

Root may install for somebody else (`provision install --home /home/ada/.hermes` from a deployment). Then everything in that
home is read and written with the owner's rights, not root's: a link that the owner planted leads nowhere the owner
could not go alone, and files belong to the owner without being changed afterwards. As root, no link in the path to the
home is followed either. For everybody else this module does nothing.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterator


class LinkedHomeError(ProvisionError):
    """As root, the way to a home or one of its files is a symbolic link that somebody else may have planted."""


def is_root() -> bool:
    """Whether this process has root's rights (never on Windows)."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


@contextmanager
def as_owner(home: Path) -> Iterator[bool]:
    """Act with the rights of whoever owns `home` (or, before it exists, the nearest folder above it).

    Yields whether that is somebody else than this process's user, which only root can do. Raises LinkedHomeError as the
    module says.
    """
    if not is_root():
        yield False
        return
    straight = Path(os.path.abspath(home))  # noqa: PTH100  resolve() would follow the very links that are looked for
    for step in (*reversed(straight.parents), straight):
        if step.is_symlink() and step.lstat().st_uid != 0:
            raise LinkedHomeError(
                f"{step} is a symbolic link that is not root's own, and root does not follow it",
                hint=f"if it is meant, name the real folder: --home {straight.resolve()}",
            )
    status = _nearest(straight.resolve()).lstat()
    if status.st_uid == 0:
        yield False
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(status.st_gid)
    os.seteuid(status.st_uid)
    try:
        yield True
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def _nearest(path: Path) -> Path:
    while not os.path.lexists(path):
        path = path.parent
    return path


def link_target(path: Path, user_home: Path | None) -> Path | None:
    """Where a file of the home really lies when it is a symbolic link; None when it is not one.

    A user's own link (into a dotfiles repository, say) is written through as long as its target stays below `user_home`;
    others are refused with LinkedHomeError, and all are when `user_home` is None (root at work in somebody's home).
    """
    if not path.is_symlink():
        return None
    if user_home is None:
        raise LinkedHomeError(
            f"{path} is a symbolic link, which root does not follow", hint="install as the user instead"
        )
    target = path.resolve()
    if not target.is_relative_to(user_home.resolve()):
        raise LinkedHomeError(
            f"{path} is a symbolic link that leads out of your home folder",
            hint="replace the link by a copy of the file",
        )
    if os.path.lexists(target) and not target.is_file():
        raise LinkedHomeError(f"{path} is a symbolic link to something that is no file", hint="replace it by a file")
    return target
