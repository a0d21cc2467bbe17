"""Open an untrusted file and read it to its end, without blocking, without following links and without trusting its size.

It may be a pipe without a writer, a device, a link, a file that grows for ever, or one of 8 EB that is a single hole.
"""

from __future__ import annotations

import errno
import os
import stat
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.containers.blob import ReadLimits

CHUNK_BYTES = 1 << 20
_SIZELESS_BYTES = 16 << 20
"""How much is read of a file that has size 0 but has content (`/proc`), or that has a size but no block."""
_SMALL_BYTES = 16 << 20
_HOLE = bytes(4096)
"""What is read for a hole of any length: no match can cross it."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FLAGS_HERE = _FLAGS | getattr(os, "O_NOFOLLOW", 0)


class CannotReadError(Exception):
    """Why something is not read. `failed` is False for what has no content (a socket, a device)."""

    def __init__(self, reason: str, *, failed: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failed = failed


def os_error_text(error: OSError) -> str:
    """Return the text of a system error, in lower case."""
    return (error.strerror or str(error)).lower()


def special_file_kind(mode: int) -> str | None:
    """Return what a special file is; None for a regular file and a folder."""
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFLNK: "a symbolic link",
    }
    return kinds.get(stat.S_IFMT(mode))


class open_regular_file:  # noqa: N801  used like a function; a generator is slower, and most files are small
    """A descriptor of the regular file at `path`, and its status. Raises CannotReadError; never blocks."""

    __slots__ = ("_descriptor", "_follow", "_path")

    def __init__(self, path: str, *, follow: bool = False) -> None:
        self._path = path
        self._follow = follow

    def __enter__(self) -> tuple[int, os.stat_result]:
        self._descriptor = _open(self._path, _FLAGS if self._follow else _FLAGS_HERE)
        try:
            status = os.fstat(self._descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CannotReadError(special_file_kind(status.st_mode) or "a folder", failed=False)
        except BaseException:
            os.close(self._descriptor)
            raise
        return self._descriptor, status

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags)
    except OSError as e:
        if e.errno == errno.ELOOP:
            raise CannotReadError("it has become a symbolic link", failed=False) from e
        if e.errno == errno.ENXIO:
            raise CannotReadError("a socket, or a pipe without a writer", failed=False) from e
        raise CannotReadError(os_error_text(e)) from e


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Return bytes at an offset in an open file, without moving its position."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, offset)
    here = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, offset, os.SEEK_SET)
    try:
        return os.read(descriptor, length)
    finally:
        os.lseek(descriptor, here, os.SEEK_SET)


def _has_hole(descriptor: int, size: int) -> bool:
    """Whether a file that takes less room than it has bytes has a hole, and is not just compressed by its file system."""
    try:
        hole = os.lseek(descriptor, 0, os.SEEK_HOLE)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except (OSError, AttributeError):
        return False
    return hole < size


def read_beginning(path: str) -> bytes:
    """Return the first megabytes of a file; empty when it cannot be read."""
    try:
        with open_regular_file(path) as (descriptor, _):
            return os.read(descriptor, _SMALL_BYTES)
    except (CannotReadError, OSError):
        return b""


class FileChunks:
    """The content of an open regular file as chunks, in order; a hole is yielded as a few zeros.

    `cut` is called with the reason when the end was not reached. `file_offset` turns an offset in what was yielded into an offset
    in the file.
    """

    def __init__(self, descriptor: int, status: os.stat_result, limits: ReadLimits, cut: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._size = status.st_size
        self.sparse = getattr(status, "st_blocks", 1 << 62) * 512 < status.st_size and _has_hole(
            descriptor, status.st_size
        )
        unsized = status.st_size == 0 or (getattr(status, "st_blocks", 1) == 0 and status.st_size > _SIZELESS_BYTES)
        self._most = _SIZELESS_BYTES if unsized else status.st_size + limits.growth_bytes
        self._cut = cut
        self._ends_early = unsized
        self._moved = [(0, 0)]

    def file_offset(self, offset: int) -> int:
        """Return the offset in the file of the byte at `offset` in what was yielded."""
        yielded, in_file = self._moved[bisect_right(self._moved, (offset, 1 << 63)) - 1]
        return in_file + offset - yielded

    def __iter__(self) -> Iterator[bytes]:
        given = read = 0
        while True:
            if self.sparse and (skipped := self._skip(given)):
                yield _HOLE
                given += len(_HOLE)
                self._moved.append((given, skipped))
            try:
                chunk = os.read(self._descriptor, CHUNK_BYTES)
            except OSError as e:
                self._cut("it has nothing to read now" if e.errno == errno.EAGAIN else os_error_text(e))
                return
            if not chunk:
                return
            yield chunk
            given += len(chunk)
            read += len(chunk)
            if read > self._most:
                grew = "it does not end" if self._ends_early else "it grows faster than it is read"
                self._cut(f"{grew}: only the first {read >> 20} MiB were read")
                return

    def _skip(self, given: int) -> int:
        """Move to the next data after a hole and return its offset, or 0 when the data continues here."""
        here = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        try:
            there = os.lseek(self._descriptor, here, os.SEEK_DATA)
        except OSError as e:
            if e.errno != errno.ENXIO:
                self.sparse = False
                os.lseek(self._descriptor, here, os.SEEK_SET)
                return 0
            there = os.lseek(self._descriptor, 0, os.SEEK_END)
        return there if there > here else 0
