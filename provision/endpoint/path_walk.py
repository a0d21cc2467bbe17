"""Walk a path folder by folder, each opened relative to the one before: a folder that was passed cannot be exchanged."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from provision.errors import ProvisionError
from provision.shell import shell_path

_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN_FOLDER |= getattr(os, "O_PATH", 0)  # needs no right to read the folder
_MAX_LINKS = 40
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class LinkedHomeError(ProvisionError):
    """The path to a home or one of its files is a symbolic link that must not be followed."""


class UnsafePathError(ProvisionError):
    """Others than the owner could replace a folder on the path to a home."""


class PathWalk:
    """A path walked folder by folder. Holds the descriptor of the folder that was reached, and the names that remain."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = os.open("/", _OPEN_FOLDER)
        self._names = list(reversed(path.parts[1:]))
        self._links = 0

    def __enter__(self) -> PathWalk:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._folder)

    def to_owner(self) -> os.stat_result | None:
        """Walk as root to the first folder (or last file) of another user; None if there is none. Follows root's own links."""
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
                self._follow(name, found, only_root_writes=not shared)
            elif stat.S_ISDIR(found.st_mode):
                self._enter(name)
            else:
                return found if found.st_uid != 0 else None

    def to_folder(self) -> Path:
        """Walk to the folder of the last name; return a path of that name which leads through the descriptor of the folder.

        Follows links that root owns in folders that only root can write to. Raises LinkedHomeError for others, and OSError.
        """
        while self._names:
            name = self._names[-1]
            folder, found = os.fstat(self._folder), os.stat(name, dir_fd=self._folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                self._follow(name, found, only_root_writes=not (folder.st_uid or folder.st_mode & _OTHERS_WRITE))
            elif len(self._names) > 1 and stat.S_ISDIR(found.st_mode):
                self._enter(name)
            else:
                break
        return Path(f"/proc/self/fd/{self._folder}", *reversed(self._names))

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

    def _follow(self, name: str, link: os.stat_result, *, only_root_writes: bool) -> None:
        self._links += 1
        if link.st_uid != 0 or not only_root_writes or self._links > _MAX_LINKS:
            raise self._link_error(name)
        target = Path(os.readlink(name, dir_fd=self._folder))
        self._names.pop()
        if target.is_absolute():
            os.close(self._folder)
            self._folder = os.open("/", _OPEN_FOLDER)
        self._names += reversed(target.parts[1:] if target.is_absolute() else target.parts)

    def _link_error(self, name: str) -> LinkedHomeError:
        return LinkedHomeError(
            f"{name!r} on the way to {self._path} is a symbolic link that another user owns or can replace: it is not followed",
            hint=f"run the command as that user, or name the real path: {shell_path(os.path.realpath(self._path))}",
        )
