"""The `dist/` folder: one folder per user, each replaced atomically; nothing else in it is touched.

A new bundle is made in `dist/.provision/new-RUN/USER` and exchanged with the old one in a single system call (renameat2
with RENAME_EXCHANGE on Linux). Elsewhere the old one is first renamed aside, and the next run puts it back if it was not
replaced. Nothing here is flushed to disk: after a power cut, render again.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import secrets
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from provision.bundle.file_names import BUNDLE_FILES, MANIFEST, PAGE, extra_names
from provision.errors import ProvisionError
from provision.files import STAGED_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

OWN = ".provision"
_NEW, _OLD = "new-", "old-"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_MAX_FILE_BYTES = 1 << 20
_USUAL_BYTES = 16 << 10


class ForeignFolderError(ProvisionError):
    """A folder in dist/ holds other files than a bundle's. It was not changed."""


class Dist:
    """`dist/`, under the lock of one run. `exchange` swaps two paths atomically; None where the system cannot."""

    def __init__(self, root: Path, exchange: Callable[[str, str], None] | None) -> None:
        self.root = root
        self._text = str(root)
        self._exchange = exchange
        self._own = root / OWN
        self._stage = self._own / f"{_NEW}{secrets.token_hex(6)}"

    @property
    def lock_path(self) -> Path:
        return self._own / "lock"

    @property
    def seen_path(self) -> Path:
        """The file of `cache.RenderCache`."""
        return self._own / "seen"

    def prepare(self) -> None:
        """Make provision's own folder, with a .gitignore in it."""
        self._own.mkdir(parents=True, exist_ok=True)
        ignore = self._own / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")

    def begin(self) -> None:
        """Remove leftovers of an interrupted run and make this run's staging folder. Call it under the lock."""
        for entry in self._own.iterdir():
            if entry.name.startswith(_OLD) and not (target := self.root / entry.name.removeprefix(_OLD)).exists():
                entry.rename(target)  # that run died after moving the old bundle aside
            elif entry.name.startswith((_NEW, _OLD)):
                shutil.rmtree(entry, ignore_errors=True)
            elif is_leftover(entry.name):
                entry.unlink()
        self._stage.mkdir()

    def end(self) -> None:
        """Remove the staging folder, with the replaced bundles in it."""
        shutil.rmtree(self._stage, ignore_errors=True)

    def staging(self, user: str) -> str:
        """The path for a user's new bundle."""
        return f"{self._stage}/{user}"

    def place(self, user: str) -> None:
        """Move a finished bundle into place. Raises ForeignFolderError and OSError; the old bundle then stays."""
        staged, target = self.staging(user), f"{self._text}/{user}"
        try:
            os.rename(staged, target)  # noqa: PTH104  path objects cost a tenth of the run here
        except OSError as e:
            if e.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.EACCES} or not os.path.isdir(target):  # noqa: PTH112
                raise
            require_ours(Path(target))
            self._replace(user, staged, target)

    def _replace(self, user: str, staged: str, target: str) -> None:
        if self._exchange is not None:
            self._exchange(staged, target)
            return
        aside = self._own / f"{_OLD}{user}"
        shutil.rmtree(aside, ignore_errors=True)
        Path(target).rename(aside)
        Path(staged).rename(target)
        shutil.rmtree(aside, ignore_errors=True)

    def read(self, user: str) -> dict[str, bytes]:
        """The files of a user's bundle that are there, with those that its manifest lists besides the fixed ones; links and
        special files count as absent."""
        found: dict[str, bytes] = {}
        folder = f"{self._text}/{user}"
        for name in BUNDLE_FILES:
            data = read_plain(f"{folder}/{name}")
            if data is not None:
                found[name] = data
            elif not found and not os.path.lexists(folder):
                return found  # as for each user of a first run: two system calls instead of five
        for name in extra_names(found.get(MANIFEST, b"")):
            data = read_plain(f"{folder}/{name}")
            if data is not None:
                found[name] = data
        return found

    def others(self, users: set[str]) -> Iterator[str]:
        """Names of bundle folders of other users than `users`."""
        with os.scandir(self._text) as entries:
            folders = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
        for name in folders:
            if name not in users and name != OWN and (self.root / name / MANIFEST).is_file():
                yield name

    def prune(self, user: str) -> None:
        """Remove a bundle folder. Raises ForeignFolderError when it holds other files."""
        folder = self.root / user
        require_ours(folder)
        os.rename(folder, self._stage / f"pruned-{user}")  # noqa: PTH104


def is_leftover(name: str) -> bool:
    """Whether an entry of provision's own folder is what an interrupted run left."""
    return name.startswith((_NEW, _OLD)) or name.endswith(STAGED_SUFFIX)


def content_digest(files: Mapping[str, bytes]) -> bytes:
    """One digest over a bundle's files in a fixed order: BLAKE2b, half the cost of SHA-256 on many processors.

    The names of further files are in the manifest, which is one of the parts.
    """
    parts = [files[name] for name in (*BUNDLE_FILES, *sorted(files.keys() - set(BUNDLE_FILES)))]
    framed = b"".join([*[len(part).to_bytes(8, "big") for part in parts], *parts])
    return hashlib.blake2b(framed, digest_size=32).digest()


_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_plain(path: str) -> bytes | None:
    """A plain file's content, bounded; None for anything else. A small first read matters: a large buffer costs more time
    than the reading."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = os.read(descriptor, _USUAL_BYTES)
        if len(data) < _USUAL_BYTES:
            return data
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return data + file.read(_MAX_FILE_BYTES)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def require_ours(folder: Path) -> None:
    """Refuse a folder that holds anything but a bundle's files: it may hold a user's work."""
    listed = extra_names(read_plain(f"{folder}/{MANIFEST}") or b"")
    foreign = sorted({entry.name for entry in os.scandir(folder)}.difference(BUNDLE_FILES, (PAGE,), listed))
    if folder.is_symlink() or foreign:
        what = f"it holds {foreign[0]!r}" if foreign else "it is a symbolic link"
        raise ForeignFolderError(
            f"{folder} is not only a bundle: {what}", hint="move it away, or use another dist folder"
        )


@functools.cache
def system_exchange() -> Callable[[str, str], None] | None:
    """This system's RENAME_EXCHANGE; None when it has none (not Linux, or a C library without renameat2)."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]

    def exchange(one: str, other: str) -> None:
        if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), other)

    return exchange


def exchange_for(root: Path) -> Callable[[str, str], None] | None:
    """The exchange, if it works in the file system of `root` (tried on two empty folders); else None."""
    exchange = system_exchange()
    if exchange is None:
        return None
    one, other = root / OWN / f"{_NEW}probe-a", root / OWN / f"{_NEW}probe-b"
    try:
        for probe in (one, other):
            probe.mkdir(exist_ok=True)
        exchange(str(one), str(other))
    except OSError:
        return None
    finally:
        for probe in (one, other):
            with suppress(OSError):
                probe.rmdir()
    return exchange
