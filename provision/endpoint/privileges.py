"""Work in a Hermes home with the rights of its owner.

Root may install for another user (`provision install --home /home/ada/.hermes`, from a deployment). Root walks from `/`, folder
by folder, each opened relative to the one before. A symbolic link is followed only if root owns it and only root can write
to its folder. At the first folder that belongs to another user, the process takes that user's rights, before it touches
anything in it: whatever that user swaps or links from there on leads nowhere the user could not go alone, and new files
belong to the user. A folder that several users can write to is refused. For other users this module does nothing.
"""

from __future__ import annotations

import builtins
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.endpoint.path_walk import LinkedHomeError, PathWalk, UnsafePathError
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_GROUPS = 16
"""As many as `setgroups` of macOS takes (NGROUPS_MAX); a user there is in more, by the directory service."""


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
    with PathWalk(Path(os.path.abspath(home))) as walk:  # noqa: PTH100  resolve() would follow the links
        owner = walk.to_owner()
        if owner is None:
            yield False
            return
        with _rights_of(owner):
            walk.refuse_links(owner.st_uid)
            yield True


@contextmanager
def in_held_folder(path: Path) -> Iterator[Path]:
    """Yield a path of a file that leads through the descriptor of its folder, even if the folder is exchanged meanwhile.

    Links are followed first; by root only its own, where only root can write. Raises LinkedHomeError and OSError. Without
    /proc (Windows, macOS) it is the path itself.
    """
    start = Path(os.path.abspath(path)) if is_root() else path.resolve()  # noqa: PTH100  as above
    if not Path("/proc/self/fd").is_dir():
        yield path.resolve()
        return
    with PathWalk(start) as walk:
        yield walk.to_folder()


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
        with _root_imports():
            yield
    finally:
        if os.geteuid() != 0:
            os.seteuid(0)
        if os.getegid() != 0:
            os.setegid(0)
        if os.getgroups() != before:
            _set_groups(before)


@contextmanager
def _root_imports() -> Iterator[None]:
    """Import modules with root's rights: the program may be where only root can read, such as in root's cache."""
    plain, user, group = builtins.__import__, os.geteuid(), os.getegid()

    def by_root(*words: Any, **named: Any) -> Any:
        if is_root():  # an import by one
            return plain(*words, **named)
        os.seteuid(0)
        os.setegid(0)
        try:
            return plain(*words, **named)
        finally:
            os.setegid(group)
            os.seteuid(user)

    builtins.__import__ = by_root
    try:
        yield
    finally:
        builtins.__import__ = plain


def _set_groups(groups: list[int]) -> None:
    platform: str = sys.platform  # or mypy checks the branch of this system only
    os.setgroups(groups[:_MOST_GROUPS] if platform == "darwin" else groups)


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
