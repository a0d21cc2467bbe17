"""Read one file on disk into its parts: plain content, a database, an archive, or an unsupported format."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Protocol

from provision.containers.batch import PartBatch
from provision.containers.blob import Blob, ContentKind, MatchPosition, PartKind, ReadLimits, Unreadable
from provision.containers.budget import Budget
from provision.containers.container_format import (
    HEAD_BYTES,
    UNSUPPORTED_FORMATS,
    container_elsewhere,
    container_format,
    elsewhere_in,
)
from provision.containers.embedded import EmbeddedStreams
from provision.containers.open_file import CannotReadError, FileChunks, open_regular_file, read_at
from provision.formats.key_paths import printable_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from provision.detect.match import Match

_RANDOM_ACCESS = frozenset({"zip", "7z"})
KERNEL_ATTRIBUTES = ("security.", "system.", "trusted.")


class ReadWatch(Protocol):
    """Is told what is read, and may know it already."""

    def opened(self, descriptor: int, status: os.stat_result) -> None:
        """Note an open file, before anything of it is read."""

    def is_known(self, data: bytes) -> bool:
        """Return whether nothing of this content, all that is read of the file, has to be yielded."""

    def forget(self) -> None:
        """Note that another file is read too."""


def read_file(
    path: str, limits: ReadLimits, *, follow: bool = False, watch: ReadWatch | None = None
) -> Iterator[Blob | Unreadable]:
    """Read the file at `path`. Read a blob's data before asking for the next blob."""
    try:
        with open_regular_file(path, follow=follow) as (descriptor, status):
            if watch:
                watch.opened(descriptor, status)
            cut: list[str] = []
            reading = FileChunks(descriptor, status, limits, cut.append)
            yield from read_attributes(path, descriptor)
            yield from _content(path, descriptor, reading, status.st_size, limits, watch)
            yield from (Unreadable(path, reason) for reason in cut[:1])
    except CannotReadError as e:
        yield Unreadable(path, e.reason, failed=e.failed)
    except OSError as e:
        yield Unreadable(path, (e.strerror or "cannot be read").lower())


def read_attributes(path: str, descriptor: int) -> Iterator[Blob | Unreadable]:
    """Yield the extended attributes of a file: browsers keep there where it was downloaded from, with tokens and all."""
    if not hasattr(os, "listxattr"):
        return
    try:
        names = os.listxattr(descriptor)
    except OSError:  # the file system has none
        return
    if not names:
        return
    batch = PartBatch()
    for name in names:
        if name.startswith(KERNEL_ATTRIBUTES):
            continue
        try:
            batch.add(f"extended attribute {printable_name(name)}", os.getxattr(descriptor, name), PartKind.EXTRA)
        except OSError as e:
            yield Unreadable(path, f"an extended attribute: {(e.strerror or 'cannot be read').lower()}")
        batch.add("the name of an extended attribute", os.fsencode(name), PartKind.NAME)
    if batch.size:
        yield Blob(path, batch.data(), None, ContentKind.BINARY, batch.locate, batch.part)


def _content(  # noqa: PLR0917  one step of the above
    path: str, descriptor: int, reading: FileChunks, size: int, limits: ReadLimits, watch: ReadWatch | None
) -> Iterator[Blob | Unreadable]:
    data = _at_once(descriptor, reading, size, limits)
    head = data or (read_at(descriptor, HEAD_BYTES, 0) if size else b"")
    kind = container_format(head[:HEAD_BYTES], path)
    if kind is None and data is not None:
        kind = elsewhere_in(data)
    elif kind is None:
        kind = container_elsewhere(lambda length, offset: read_at(descriptor, length, offset), size)
    if kind == "sqlite":
        if watch:
            watch.forget()  # its rows depend on its write-ahead log
        yield from _database(path, descriptor, reading, size, limits)
    elif watch and data is not None and watch.is_known(data):
        return
    elif kind is None:
        yield from _plain(path, data, reading, size, limits)
    elif kind in UNSUPPORTED_FORMATS:
        yield from _plain(path, data, reading, size, limits)
        yield Unreadable(path, f"not read: {kind}")
    else:
        yield from _walked(path, kind, descriptor, reading if data is None else data, size, limits)


def _walked(  # noqa: PLR0917  one step of the above
    path: str, kind: str, descriptor: int, reading: FileChunks | bytes, size: int, limits: ReadLimits
) -> Iterator[Blob | Unreadable]:
    from provision.containers.walk import walk  # noqa: PLC0415  all formats: not imported where all is text

    if isinstance(reading, bytes):  # not read again: it may have changed since
        seekable = io.BytesIO(reading) if kind in _RANDOM_ACCESS else None
        yield from walk(Blob(path, reading, _name(path)), limits, size=size, kind=kind, file=seekable)
        return
    with os.fdopen(os.dup(descriptor), "rb") as file:
        random_access = file if kind in _RANDOM_ACCESS else None
        yield from walk(Blob(path, reading, _name(path)), limits, size=size, kind=kind, file=random_access)


def _at_once(descriptor: int, reading: FileChunks, size: int, limits: ReadLimits) -> bytes | None:
    """Return all of a file of moderate size, read by one call; None when the file is large, sparse or has another size."""
    if not 0 < size <= limits.whole_bytes or reading.sparse:
        return None
    data = read_at(descriptor, size + 1, 0)
    return data if len(data) == size else None


def _plain(
    path: str, data: bytes | None, reading: FileChunks, size: int, limits: ReadLimits
) -> Iterator[Blob | Unreadable]:
    embedded = EmbeddedStreams()
    if data is None and (reading.sparse or size > limits.whole_bytes):
        chunks = embedded.watching(reading)
        if reading.sparse:
            yield Blob(path, chunks, None, ContentKind.BINARY, lambda match: _in_sparse(reading, match))
        else:
            yield Blob(path, chunks, None, ContentKind.STREAM)
    else:
        data = b"".join(reading) if data is None else data
        embedded.search(data, final=True)
        yield _of_bytes(path, data)
    if embedded.streams() or embedded.problems:
        from provision.containers.walk import PartWalker  # noqa: PLC0415  as above

        walker = PartWalker(path, limits, Budget.of(limits, size))
        yield from walker.guarded(walker.embedded(None, embedded, 0))


def _of_bytes(path: str, data: bytes) -> Blob:
    return Blob(path, data, None, ContentKind.BINARY if b"\0" in data[:8192] else ContentKind.TEXT)


def _in_sparse(reading: FileChunks, match: Match) -> MatchPosition:
    return MatchPosition(f"byte {reading.file_offset(match.start)}")


def _database(
    path: str, descriptor: int, reading: FileChunks, size: int, limits: ReadLimits
) -> Iterator[Blob | Unreadable]:
    from provision.containers.sqlite_reader import open_immutable, open_in_memory  # noqa: PLC0415  as above
    from provision.containers.walk import PartWalker  # noqa: PLC0415

    def connect() -> sqlite3.Connection:
        if size > limits.memory_bytes:
            return open_immutable(path)
        wal = _small_file(path + "-wal", limits)
        return open_in_memory(read_at(descriptor, size, 0), wal, limits.memory_bytes)

    def chunks() -> Iterable[bytes]:
        return reading

    walker = PartWalker(path, limits, Budget.of(limits, size))
    database = walker.database(None, 0)
    yield from walker.guarded(
        database.blobs(connect, chunks, lambda offset, length: read_at(descriptor, length, offset), size)
    )


def _small_file(path: str, limits: ReadLimits) -> bytes:
    """Return a file's bytes; empty when it is missing, too large or cannot be read (the scan of that file reports it)."""
    try:
        with open_regular_file(path) as (descriptor, status):
            return read_at(descriptor, status.st_size, 0) if status.st_size <= limits.memory_bytes else b""
    except (CannotReadError, OSError):
        return b""


def _name(path: str) -> str:
    return os.path.basename(path)  # noqa: PTH119  names may not be valid text
