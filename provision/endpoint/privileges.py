"""Work in a Hermes home with the rights of its owner.

Root may install for another user (`provision install --home /home/ada/.hermes`, from a deployment). Root walks from `/`, folder
by folder, each opened relative to the one before. A symbolic link is followed only if root owns it and only root can write
to its folder. At the first folder that belongs to another user, the process takes that user's rights, before it touches
anything in it: whatever that user swaps or links from there on leads nowhere the user could not go alone, and new files
belong to the user. A folder that several users can write to is refused. For other users this module does nothing.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN_FOLDER |= getattr(os, "O_PATH", 0)  # needs no right to read the folder
_MAX_LINKS = 40
_MOST_GROUPS = 16
"""As many as `setgroups` of macOS takes (NGROUPS_MAX); a user there is in more, by the directory service."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class LinkedHomeError(ProvisionError):
    """The path to a home or one of its files is a symbolic link that must not be followed."""


class UnsafePathError(ProvisionError):
    """Others than the owner could replace a folder on the path to a home."""


def is_root() -> bool:
    """Whether this process has root's rights (never on Windows)."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


@contextmanager
def as_owner(home: Path) -> Iterator[bool]:
    """Act with the rights of the owner of `home`: the first user other than root who owns a folder on the path to it.

    Yields whether root acts for another user. Raises LinkedHomeError for a symbolic link of another user on the path, and
    UnsafePathError where root could not know what it would write to.
    """
    if not is_root():
        yield False
        return
    with _PathWalk(Path(os.path.abspath(home))) as walk:  # noqa: PTH100  resolve() would follow the links
        owner = walk.to_owner()
        if owner is None:
            yield False
            return
        with _rights_of(owner):
            walk.refuse_links(owner.st_uid)
            yield True


@contextmanager
def _rights_of(owner: os.stat_result) -> Iterator[None]:
    """Take the groups, group and user of a folder's owner, in this order, and take root's back at the end."""
    group, groups = owner.st_gid, list[int]()
    try:
        import pwd  # noqa: PLC0415  not for every system

        known = pwd.getpwuid(owner.st_uid)
        group, groups = known.pw_gid, os.getgrouplist(known.pw_name, known.pw_gid)
    except (ImportError, KeyError):
        pass
    before = os.getgroups()
    try:
        try:
            _set_groups(groups)
            os.setegid(group)
            os.seteuid(owner.st_uid)
        except PermissionError as e:
            raise UnsafePathError(
                f"this process is root, but may not take the rights of user {owner.st_uid}, who owns the home",
                hint="run the command as that user, or with the capabilities SETUID and SETGID",
            ) from e
        yield
    finally:
        if os.geteuid() != 0:
            os.seteuid(0)
        if os.getegid() != 0:
            os.setegid(0)
        if os.getgroups() != before:
            _set_groups(before)


def _set_groups(groups: list[int]) -> None:
    platform: str = sys.platform  # or mypy checks the branch of this system only
    os.setgroups(groups[:_MOST_GROUPS] if platform == "darwin" else groups)


class _PathWalk:
    """A path walked folder by folder. Holds the descriptor of the folder that was reached, and the names that remain."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = os.open("/", _OPEN_FOLDER)
        self._names = list(reversed(path.parts[1:]))

    def __enter__(self) -> _PathWalk:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._folder)

    def to_owner(self) -> os.stat_result | None:
        """Walk as root to the first folder (or last file) of another user; None if there is none. Follows root's own links."""
        links = 0
        while True:
            folder = os.fstat(self._folder)
            if folder.st_uid != 0:
                return folder
            if not self._names:
                return None
            name = self._names[-1]
            shared = self._refuse_shared(folder, name)
            found = self._look(name)
            if found is None:
                return None
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if found.st_uid != 0 or shared or links > _MAX_LINKS:
                    raise self._link_error(name)
                self._follow(name)
            elif stat.S_ISDIR(found.st_mode):
                self._enter(name)
            else:
                return found if found.st_uid != 0 else None

    def refuse_links(self, owner: int) -> None:
        """Walk on with the owner's rights, over no link. What is missing is not an error. Raises UnsafePathError if it belongs
        to a third user."""
        while self._names:
            name = self._names[-1]
            found = self._look(name)
            if found is None:
                return
            if stat.S_ISLNK(found.st_mode):
                raise self._link_error(name)
            if not stat.S_ISDIR(found.st_mode):
                return
            self._enter(name)
            if (other := os.fstat(self._folder).st_uid) != owner:
                raise UnsafePathError(
                    f"{self._path} leads through a folder of user {other} inside a folder of user {owner}",
                    hint=f"give the folder back to its user: chown -R {owner} {shell_path(self._path)}",
                )

    def _refuse_shared(self, folder: os.stat_result, name: str) -> bool:
        """Whether others can add entries to a folder of root. Raises UnsafePathError if they could also replace this entry."""
        if (
            not folder.st_mode & _OTHERS_WRITE
        ):  # group 0 has other members in containers; access lists show as the group's bits
            return False
        if folder.st_mode & stat.S_ISVTX and self._look(name) is not None:
            return True  # such as /tmp: only the owner of an entry, and root, can replace it
        raise UnsafePathError(
            f"users other than root can replace {name!r} on the way to {self._path}, so root does not work there",
            hint="create the home as its user first, in a folder that only root or that user can write to",
        )

    def _look(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:  # the owner may not go further either: what follows will say so
            return None

    def _enter(self, name: str) -> None:
        try:
            inner = os.open(name, _OPEN_FOLDER, dir_fd=self._folder)
        except OSError as e:  # replaced since it was looked at
            raise self._link_error(name) from e
        os.close(self._folder)
        self._folder = inner
        self._names.pop()

    def _follow(self, name: str) -> None:
        target = Path(os.readlink(name, dir_fd=self._folder))
        self._names.pop()
        if target.is_absolute():
            os.close(self._folder)
            self._folder = os.open("/", _OPEN_FOLDER)
        self._names += reversed(target.parts[1:] if target.is_absolute() else target.parts)

    def _link_error(self, name: str) -> LinkedHomeError:
        return LinkedHomeError(
            f"{name!r} on the way to {self._path} is a symbolic link of another user, and root does not follow it",
            hint=f"run the command as that user, or name the real folder: --home {shell_path(os.path.realpath(self._path))}",
        )


def refuse_linked_folder(folder: Path) -> None:
    """Raise LinkedHomeError if a folder of provision in a home is a symbolic link."""
    if folder.is_symlink():
        raise LinkedHomeError(
            f"{folder} is a symbolic link, and provision keeps its files in the home itself",
            hint=f"remove the link: rm {shell_path(folder)}",
        )


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
