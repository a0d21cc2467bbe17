"""Work in a Hermes home with the rights of its owner.

Root may install for another user (`provision install --home /home/ada/.hermes`, from a deployment). Everything in that home
is then read and written with the owner's rights: a symbolic link that the owner planted leads nowhere the owner could not
go alone, and new files belong to the owner. Root follows no symbolic link on the path to the home, except its own. For
other users this module does nothing.
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
    """The path to a home or one of its files is a symbolic link that must not be followed."""


def is_root() -> bool:
    """Whether this process has root's rights (never on Windows)."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


@contextmanager
def as_owner(home: Path) -> Iterator[bool]:
    """Act with the rights of the owner of `home` (or, before it exists, of the nearest folder above it).

    Yields whether root acts for another user. Raises LinkedHomeError for a symbolic link of another user on the path.
    """
    if not is_root():
        yield False
        return
    straight = Path(os.path.abspath(home))  # noqa: PTH100  resolve() would follow the links that this checks
    for step in (*reversed(straight.parents), straight):
        if step.is_symlink() and step.lstat().st_uid != 0:
            raise LinkedHomeError(
                f"{step} is a symbolic link of another user, and root does not follow it",
                hint=f"if it is correct, use the real folder: --home {straight.resolve()}",
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
    """The target of a file of the home that is a symbolic link; None for other files.

    A user's own link (into a dotfiles repository, say) is followed if its target is below `user_home`. Raises LinkedHomeError
    for other links, and for all links when `user_home` is None (root in another user's home).
    """
    if not path.is_symlink():
        return None
    if user_home is None:
        raise LinkedHomeError(f"{path} is a symbolic link, and root does not follow it", hint="install as the user")
    target = path.resolve()
    if not target.is_relative_to(user_home.resolve()):
        raise LinkedHomeError(
            f"{path} is a symbolic link that leads out of your home folder",
            hint="replace the link with a copy of the file",
        )
    if os.path.lexists(target) and not target.is_file():
        raise LinkedHomeError(
            f"{path} is a symbolic link to something other than a file", hint="replace it with a file"
        )
    return target
