"""Unpack archives, archives nested in them, and compressed files into blobs, in bounded memory and with protection against bombs.

Nothing is unpacked to disk. Stream formats (gzip, bzip2, xz, tar) are read as they arrive; what needs random access (a zip or a
database inside an archive) is held in memory up to `ReadLimits.memory_bytes`. One budget covers an archive on disk with
everything in it.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from lzma import LZMAError
from typing import IO, TYPE_CHECKING

from provision.containers.blob import Blob, ContentKind, ReadLimits, Unreadable
from provision.containers.chunk_stream import CHUNK_BYTES, CheckedChunks, ChunkStream, DamagedError
from provision.containers.container_format import COMPRESSED_FORMATS, UNSUPPORTED_FORMATS, container_format
from provision.containers.decompress import decompress
from provision.containers.sqlite_reader import SqliteDatabase, open_in_memory
from provision.containers.tar_reader import read_tar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUFFIX = re.compile(r"\.(?:gz|bz2|xz|tgz|tbz2?|txz)$", re.IGNORECASE)
_GIT_OBJECT = re.compile(r"/objects/(?:pack/pack-[0-9a-f]{40,64}\.pack|[0-9a-f]{2}/[0-9a-f]{38,62})$")
_HEAD_BYTES = 512
_DIRECTORY_BYTES = 32 << 20
"""A zip's table of contents takes about ten times its size in memory."""
_BROKEN = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, OverflowError, MemoryError,
    zlib.error, LZMAError, KeyError, IndexError, UnicodeError,
)  # fmt: skip
"""What the standard library raises for damaged and for hostile zips."""


class _BudgetError(Exception):
    """The archive exceeds its budget; the message says which one."""


@dataclass(slots=True)
class _Budget:
    left_bytes: int
    left_members: int

    def spend(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.left_bytes -= len(chunk)
            if self.left_bytes < 0:
                raise _BudgetError(
                    "it unpacks to far more than its own size: a bomb, or almost empty; the rest was not read"
                )
            yield chunk

    def member(self) -> None:
        self.left_members -= 1
        if self.left_members < 0:
            raise _BudgetError("it has too many members; the rest was not read")


def unpack_archive(
    path: str,
    name: str,
    head: bytes,
    chunks: Iterable[bytes],
    limits: ReadLimits,
    *,
    size: int,
    file: IO[bytes] | None = None,
) -> Iterator[Blob | Unreadable]:
    """Unpack the archive `path` of `size` bytes, called `name` in reports; `head` is its beginning.

    `chunks` are all its bytes; `file` is the same as a seekable file, if there is one (a zip needs it). Read a blob's data before
    asking for the next blob.
    """
    most = max(limits.expanded_bytes, limits.expanded_ratio * size)
    reader = ArchiveReader(path, limits, _Budget(most, limits.members))
    try:
        yield from reader.container(name, container_format(head), ChunkStream(chunks), 0, file)
    except _BudgetError as e:
        yield Unreadable(path, str(e), reader.at)
    except RecursionError:
        yield Unreadable(path, "nested too deeply; the rest was not read", reader.at)


class ArchiveReader:
    """Reads one archive on disk with everything nested in it."""

    def __init__(self, path: str, limits: ReadLimits, budget: _Budget) -> None:
        self._path = path
        self._limits = limits
        self._budget = budget
        self._has_history = False
        self.at = ""
        """The member that is being read, for error messages."""

    def container(
        self, where: str, kind: str | None, stream: ChunkStream, depth: int, file: IO[bytes] | None = None
    ) -> Iterator[Blob | Unreadable]:
        """Yield the content of `stream`: of an archive of some format, or plain content. A new format is called from here."""
        self.at = where
        if not self._has_history and _GIT_OBJECT.search(where):
            self._has_history = True
            yield Unreadable(
                self._path, "it holds a git repository, whose history was not read: unpack it first", where
            )
        if kind is None:
            yield from self._plain(where, stream)
        elif depth >= self._limits.nesting:
            yield Unreadable(self._path, f"archives nested more than {self._limits.nesting} deep: not opened", where)
        elif kind in UNSUPPORTED_FORMATS:
            yield Unreadable(self._path, f"{kind} archives are not supported", where)
        elif kind == "zip":
            yield from self._zip(where, stream, depth, file)
        elif kind == "sqlite":
            yield from self._database(where, stream)
        else:
            yield from self._stream(where, kind, stream, depth)

    def _stream(self, where: str, kind: str, stream: ChunkStream, depth: int) -> Iterator[Blob | Unreadable]:
        try:
            if kind in COMPRESSED_FORMATS:
                inside = ChunkStream(self._budget.spend(decompress(kind, stream.parts())))
                inner = container_format(inside.peek(_HEAD_BYTES))
                name = where if inner == "tar" else f"{where}!{_SUFFIX.sub('', where.rpartition('!')[2])}"
                yield from self.container(name, inner, inside, depth + 1)
            else:
                for member in read_tar(stream):
                    self._budget.member()
                    content = ChunkStream(member.content)
                    yield from self.container(
                        f"{where}!{member.name}", container_format(content.peek(_HEAD_BYTES)), content, depth + 1
                    )
        except DamagedError as e:
            yield Unreadable(self._path, f"damaged: {e}; the rest was not read", where)

    def _plain(self, where: str, stream: ChunkStream) -> Iterator[Blob]:
        whole = stream.peek(self._limits.whole_bytes + 1)
        if len(whole) <= self._limits.whole_bytes:
            if whole:
                yield Blob(self._path, whole, where, ContentKind.ARCHIVE)
            stream.check()
        else:
            yield from self._streamed(where, stream)

    def _streamed(self, where: str, stream: ChunkStream) -> Iterator[Blob]:
        parts = CheckedChunks(stream.parts())
        yield Blob(self._path, parts, where, ContentKind.ARCHIVE)
        parts.check()

    def _held(self, stream: ChunkStream) -> bytes | None:
        """Return all of a stream, or None when that exceeds the memory limit."""
        data = stream.peek(self._limits.memory_bytes + 1)
        return data if len(data) <= self._limits.memory_bytes else None

    def _database(self, where: str, stream: ChunkStream) -> Iterator[Blob | Unreadable]:
        data = self._held(stream)
        if data is None:
            yield Unreadable(
                self._path, "a database too large to open inside an archive: read as raw bytes, without rows", where
            )
            yield from self._streamed(where, stream)
            return
        yield from SqliteDatabase(self._path, where, self._limits).blobs(
            lambda: open_in_memory(data, b"", self._limits.memory_bytes),
            lambda: [data],
            lambda offset, length: data[offset : offset + length],
            len(data),
        )
        stream.check()

    def _zip(self, where: str, stream: ChunkStream, depth: int, file: IO[bytes] | None) -> Iterator[Blob | Unreadable]:
        if file is None:
            data = self._held(stream)
            if data is None:
                yield Unreadable(self._path, "a zip too large to open inside an archive: not read", where)
                return
            file = io.BytesIO(data)
        try:
            _check_directory(file)
            archive = zipfile.ZipFile(file)
        except _BROKEN as e:
            yield Unreadable(self._path, f"damaged zip: {_reason(e)}; read as raw bytes", where)
            file.seek(0)
            yield from self._streamed(where, ChunkStream(iter(lambda: file.read(CHUNK_BYTES), b"")))
            return
        with archive:
            for info in archive.infolist():
                self._budget.member()
                if info.file_size or info.compress_size:
                    yield from self._zip_member(archive, info, f"{where}!{info.filename}", depth)

    def _zip_member(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, depth: int
    ) -> Iterator[Blob | Unreadable]:
        self.at = where
        problems: list[str] = []
        try:
            with archive.open(info) as member:
                content = ChunkStream(self._budget.spend(_until_broken(member, problems)))
                yield from self.container(where, container_format(content.peek(_HEAD_BYTES)), content, depth + 1)
                for _ in content.parts():  # what the reader did not take, so that damage is noticed
                    pass
        except _BROKEN as e:
            problems.append(_reason(e))
        yield from (Unreadable(self._path, f"{problem}; not read to its end", where) for problem in problems[:1])


def _until_broken(member: IO[bytes], problems: list[str]) -> Iterator[bytes]:
    try:
        while chunk := member.read(CHUNK_BYTES):
            yield chunk
    except _BROKEN as e:
        problems.append(_reason(e))


def _check_directory(file: IO[bytes]) -> None:
    """Raise ValueError when a zip's table of contents would take too much memory."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at >= 0:
        length = int.from_bytes(tail[at + 12 : at + 16], "little")
        zip64 = tail.rfind(b"PK\6\6", 0, at)
        if length == 0xFFFFFFFF and zip64 >= 0:
            length = int.from_bytes(tail[zip64 + 40 : zip64 + 48], "little")
        if length > _DIRECTORY_BYTES:
            raise ValueError("its table of contents is too large")
    file.seek(0)


def _reason(error: BaseException) -> str:
    """Describe an error of a zip in fixed words: the library's messages may repeat names from the archive."""
    if isinstance(error, RuntimeError) and "password" in str(error):
        return "encrypted"
    if isinstance(error, NotImplementedError):
        return "compressed by a method that is not supported"
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError) and "table of contents" in str(error):
        return str(error)
    return "it is cut off" if isinstance(error, EOFError) else "its content does not match its header"
