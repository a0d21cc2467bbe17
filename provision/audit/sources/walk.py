"""List every file below some folders, as a stream. Ignore lists (such as `.gitignore`) do not apply.

Symbolic links are not followed: a target inside the audited folders is found there anyway, a target outside is reported.
Folders are read in slices, so a folder with a million files takes no more memory than one with a thousand.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit.sources.hermes_home import is_hermes_home
from provision.containers.blob import Unreadable
from provision.containers.open_file import os_error_text, read_beginning, special_file_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SLICE = 4096
_DEEPEST = 1000
"""Deepest nesting of folders; a path is at most 4 KiB long on Linux, so only an attack goes deeper."""
_LOOSE = re.compile(r"[0-9a-f]{38}|[0-9a-f]{62}")
_FAN_OUT = re.compile(r"[0-9a-f]{2}")
_PACK = re.compile(r"pack-[0-9a-f]{40,64}\.(?:pack|idx|rev|bitmap|mtimes|keep|promisor)|multi-pack-index(?:-.*)?")
_PSEUDO = frozenset(
    {
        "proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "debugfs", "tracefs", "securityfs", "pstore", "bpf",
        "configfs", "fusectl", "mqueue", "hugetlbfs", "binfmt_misc", "efivarfs", "rpc_pipefs", "nsfs", "selinuxfs", "autofs",
    }
)  # fmt: skip
"""File systems without real files: the kernel generates their content on read, some of it without end."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file of `size` bytes when it was listed; `named` when the caller named it, so that a link is followed."""

    path: str
    size: int
    named: bool = False
    status: os.stat_result | None = field(default=None, compare=False, repr=False)
    """When it was listed; not sent to worker processes."""

    def __reduce__(self) -> tuple[object, ...]:
        return FoundFile, (self.path, self.size, self.named)


@dataclass(frozen=True, slots=True)
class FoundRepository:
    """A folder that git accepts as a repository (`.git`, or a bare one)."""

    path: str


@dataclass(frozen=True, slots=True)
class FoundHome:
    """A Hermes home; the Hermes profiles, snapshots and backups inside it are not separate homes."""

    path: str


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """Something that has a name and no content: a symbolic link, with its `target`, or an empty folder."""

    path: str
    target: str | None = None


WalkItem = FoundFile | FoundRepository | FoundHome | FoundEntry | Unreadable


class _Role(StrEnum):
    """What a folder is to git. Files with the names that git itself gives are read through git."""

    PLAIN = ""
    REPOSITORY = "repository"
    OBJECTS = "objects"
    LOOSE = "loose"
    PACKS = "pack"


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    identity: tuple[int, int]
    parent: _Folder | None = None
    depth: int = 0
    in_home: bool = False
    role: _Role = _Role.PLAIN


def walk(roots: Iterable[str | Path]) -> Iterator[WalkItem]:
    """List all files below `roots` (files and folders), and what prevents reading some of them.

    A root inside another is read once. Roots themselves may be links; links below them are not followed.
    """
    walker = _Walker(_outermost([os.fspath(root) for root in roots]))
    for root in walker.roots:
        yield from walker.root(root)


def _outermost(roots: list[str]) -> list[str]:
    real = {root: os.path.realpath(root) for root in roots}
    kept: dict[str, str] = {}
    for root in sorted(roots, key=lambda r: (len(real[r]), roots.index(r))):
        if not os.path.lexists(root) or not any(is_inside(real[root], other) for other in kept):
            kept[real[root]] = root
    return sorted(kept.values(), key=roots.index)


def is_inside(path: str, folder: str) -> bool:
    """Whether a real path is the folder or below it."""
    path, folder = os.path.normcase(path), os.path.normcase(folder)  # Windows: in one case, with backslashes
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


class _Walker:
    def __init__(self, roots: list[str]) -> None:
        self.roots = roots
        self._real = [os.path.realpath(root) for root in roots]
        self._file_systems = _mounted()

    def root(self, root: str) -> Iterator[WalkItem]:
        try:
            status = os.stat(root)  # noqa: PTH116  names may not be valid text
        except OSError as e:
            broken = isinstance(e, FileNotFoundError) and os.path.islink(root)  # noqa: PTH114
            yield Unreadable(root, "a broken symbolic link" if broken else os_error_text(e))
            return
        if stat.S_ISREG(status.st_mode):
            yield FoundFile(root, status.st_size, named=True, status=status)
        elif stat.S_ISDIR(status.st_mode):
            yield from self._tree(_Folder(root, (status.st_dev, status.st_ino), None, 0, in_home=False))
        else:
            yield Unreadable(root, f"{special_file_kind(status.st_mode)}: not read; pipe its content into `-` instead")

    def _tree(self, top: _Folder) -> Iterator[WalkItem]:
        pending: list[Iterator[WalkItem | _Folder]] = [self._folder(top)]
        while pending:
            item = next(pending[-1], None)
            if item is None:
                pending.pop()
            elif isinstance(item, _Folder):
                pending.append(self._folder(item))
            else:
                yield item

    def _folder(self, folder: _Folder) -> Iterator[WalkItem | _Folder]:
        slices = _slices(folder.path)
        try:
            first = next(slices, [])
            if not first:
                yield FoundEntry(folder.path)
            yield from self._recognised(folder, {entry.name for entry in first})
            folder = self._with_role(folder, {entry.name for entry in first})
            for entries in chain([first], slices):
                for entry in entries:
                    yield from self._entry(entry, folder)
        except OSError as e:
            yield Unreadable(folder.path, os_error_text(e))

    def _recognised(self, folder: _Folder, names: set[str]) -> Iterator[WalkItem]:
        if not folder.in_home and is_hermes_home(folder.path, names):
            yield FoundHome(folder.path)
        if is_git_repository(names):
            yield FoundRepository(folder.path)

    def _with_role(self, folder: _Folder, names: set[str]) -> _Folder:
        in_home = folder.in_home or is_hermes_home(folder.path, names)
        role = _Role.REPOSITORY if is_git_repository(names) else folder.role
        return replace(folder, in_home=in_home, role=role)

    def _entry(self, entry: os.DirEntry[str], folder: _Folder) -> Iterator[WalkItem | _Folder]:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as e:
            yield Unreadable(entry.path, os_error_text(e))
            return
        if (elsewhere := content_elsewhere(status)) is not None:
            yield Unreadable(entry.path, elsewhere)
        elif is_junction(status):
            yield from self._link(entry.path, "a junction")
        elif stat.S_ISDIR(status.st_mode):
            yield self._below(entry, status, folder)
        elif stat.S_ISREG(status.st_mode):
            if not _left_to_git(entry, folder.role):
                yield FoundFile(entry.path, status.st_size, status=status)
            if entry.name == ".git":
                yield from self._repository_outside(entry.path)
        elif stat.S_ISLNK(status.st_mode):
            yield from self._link(entry.path)
        else:
            yield _special(entry, status.st_mode)

    def _below(self, entry: os.DirEntry[str], status: os.stat_result, folder: _Folder) -> _Folder | Unreadable:
        identity = (status.st_dev, status.st_ino)
        above: _Folder | None = folder
        while above is not None:
            if status.st_ino and above.identity == identity:  # Windows gives none here
                return Unreadable(entry.path, "a loop: the folder contains itself", failed=False)
            above = above.parent
        if folder.depth >= _DEEPEST:
            return Unreadable(entry.path, f"more than {_DEEPEST} folders deep")
        if status.st_dev != folder.identity[0] and self._file_systems.get(status.st_dev) in _PSEUDO:
            return Unreadable(entry.path, "generated by the kernel on read: no content", failed=False)
        role = _role_below(folder.role, entry.name)
        return _Folder(entry.path, identity, folder, folder.depth + 1, folder.in_home, role)

    def _repository_outside(self, path: str) -> Iterator[Unreadable]:
        """Report the repository of a work tree or submodule, whose `.git` file says where it is, when that is not audited."""
        target_text = read_beginning(path).partition(b"gitdir:")[2].strip()
        target = os.path.realpath(os.path.join(os.path.dirname(path), os.fsdecode(target_text)))  # noqa: PTH118, PTH120
        if target_text and not any(is_inside(target, root) for root in self._real):
            yield Unreadable(path, "its history is outside the audited paths: audit that repository too")

    def _link(self, path: str, kind: str = "a symbolic link") -> Iterator[Unreadable | FoundEntry]:
        with contextlib.suppress(OSError):
            yield FoundEntry(path, os.readlink(path))  # noqa: PTH115  as below
        target = os.path.realpath(path)
        if not os.path.exists(path):  # noqa: PTH110  names may not be valid text
            yield Unreadable(path, "a broken symbolic link", failed=False)
        elif not any(is_inside(target, root) for root in self._real):
            yield Unreadable(path, f"{kind} to {target}, outside the audited paths: not followed", failed=False)


_CLOUD_ATTRIBUTES = 0x1000 | 0x40000 | 0x400000
"""Windows: FILE_ATTRIBUTE_OFFLINE, RECALL_ON_OPEN and RECALL_ON_DATA_ACCESS."""
_DATALESS = 0x40000000
"""macOS: SF_DATALESS."""
_MOUNT_POINT = 0xA0000003
"""IO_REPARSE_TAG_MOUNT_POINT; lstat calls it a folder."""


def content_elsewhere(status: os.stat_result) -> str | None:
    """Why a file or folder is not opened although it is listed: its content would be downloaded first."""
    if getattr(status, "st_file_attributes", 0) & _CLOUD_ATTRIBUTES:
        return "its content is in the cloud only (OneDrive or another): not downloaded"
    if getattr(status, "st_flags", 0) & _DATALESS:
        return "its content is in iCloud only: not downloaded"
    return None


def is_junction(status: os.stat_result) -> bool:
    """Whether a folder of Windows leads to another place."""
    return getattr(status, "st_reparse_tag", 0) == _MOUNT_POINT


def is_git_repository(names: set[str]) -> bool:
    """Whether git accepts a folder with these entries as a repository."""
    return {"HEAD", "objects"} <= names and bool({"refs", "packed-refs", "reftable"} & names)


def _special(entry: os.DirEntry[str], mode: int) -> Unreadable:
    """A socket, device or pipe. A pipe in the place of a `.env` is one that a password manager fills on each read."""
    if stat.S_ISFIFO(mode) and (entry.name.startswith(".env") or entry.name.endswith(".env")):
        return Unreadable(entry.path, f"{special_file_kind(mode)} that another program fills: not read")
    return Unreadable(entry.path, f"{special_file_kind(mode)}: no content", failed=False)


def _slices(path: str) -> Iterator[list[os.DirEntry[str]]]:
    """Yield the entries of a folder, some thousands at a time, each slice sorted."""
    with os.scandir(path) as listing:
        while entries := list(islice(listing, _SLICE)):
            if len(entries) < _SLICE:
                listing.close()  # keep a descriptor open only for a folder that is not read to its end
                yield sorted(entries, key=lambda e: e.name)
                return
            yield sorted(entries, key=lambda e: e.name)


def _role_below(role: _Role, name: str) -> _Role:
    if role is _Role.REPOSITORY and name == "objects":
        return _Role.OBJECTS
    if role is _Role.OBJECTS and name == "pack":
        return _Role.PACKS
    if role is _Role.OBJECTS and _FAN_OUT.fullmatch(name):
        return _Role.LOOSE
    return _Role.PLAIN


def _left_to_git(entry: os.DirEntry[str], role: _Role) -> bool:
    if role is _Role.LOOSE:
        return bool(_LOOSE.fullmatch(entry.name))
    if role is _Role.PACKS and _PACK.fullmatch(entry.name):
        return not entry.name.endswith(".pack") or os.path.exists(entry.path[: -len("pack")] + "idx")  # noqa: PTH110
    return False


def _mounted() -> dict[int, str]:
    """Return the type of file system of each device number; empty where that is unknown."""
    found = {}
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
            before, _, after = line.partition(" - ")
            major, _, minor = before.split()[2].partition(":")
            found[os.makedev(int(major), int(minor))] = after.split()[0]
    return found
