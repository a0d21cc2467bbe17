"""Walk through a file with everything nested in it, and yield its parts: names, comments, headers, cells, contents.

Nothing is unpacked to disk. Stream formats are read as they arrive; what needs random access (a zip or a database inside an
archive) is held in memory up to `ReadLimits.memory_bytes`. One budget covers a file with everything in it. What is not read is
yielded as `Unreadable`. `rewrite` goes through the same steps of the same formats.
"""

from __future__ import annotations

import re
from functools import partial
from typing import IO, TYPE_CHECKING

from provision.containers.batch import BATCH_BYTES, PartBatch
from provision.containers.blob import Blob, ContentKind, MatchPosition, ReadLimits, Unreadable
from provision.containers.budget import Budget, BudgetError
from provision.containers.chunk_stream import CheckedChunks, ChunkStream, DamagedError
from provision.containers.container_format import (
    COMPRESSED_FORMATS,
    HEAD_BYTES,
    UNSUPPORTED_FORMATS,
    container_format,
    elsewhere_in,
)
from provision.containers.embedded import EmbeddedStreams
from provision.containers.formats.registry import FORMATS, RAW_TOO, WITH_RAW_LINES
from provision.containers.sqlite_reader import SqliteDatabase, open_in_memory
from provision.containers.steps import FormatInput, Member, NotRead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.detect.match import Match
    from provision.detect.secret import Secret

_LAST = re.compile(r"[!/\\]")
_SUFFIX = re.compile(r"\.(?:gz|bz2|xz|lzma|zst|zz|br|brotli|tgz|tbz2?|txz)$", re.IGNORECASE)


def walk(
    blob: Blob, limits: ReadLimits, *, size: int, kind: str | None, file: IO[bytes] | None = None
) -> Iterator[Blob | Unreadable]:
    """Yield the parts of `blob`, whose format is `kind` and which takes `size` bytes on disk.

    `blob.data` are all its bytes; `file` is the same as a seekable file, if there is one (a zip needs it). Read a part's data
    before asking for the next one.
    """
    walker = PartWalker(blob.path, limits, Budget.of(limits, size), blob.kind)
    chunks = (blob.data,) if isinstance(blob.data, bytes) else blob.data
    yield from walker.guarded(walker.container(blob.where or "", kind, ChunkStream(chunks), 0, file))


class PartWalker:
    """Walks through one file with everything nested in it. `kind` is the kind of content that its blobs have."""

    def __init__(self, path: str, limits: ReadLimits, budget: Budget, kind: ContentKind = ContentKind.ARCHIVE) -> None:
        self._path = path
        self._limits = limits
        self._budget = budget
        self._kind = ContentKind.ARCHIVE if kind in (ContentKind.TEXT, ContentKind.BINARY) else kind
        self.at = ""
        """The member that is being read, for error messages."""

    def guarded(self, found: Iterator[Blob | Unreadable]) -> Iterator[Blob | Unreadable]:
        """Pass parts on; report where the budget or the depth ends the walk."""
        try:
            yield from found
        except BudgetError as e:
            yield Unreadable(self._path, str(e), self.at)
        except RecursionError:
            yield Unreadable(self._path, "nested too deeply; the rest was not read", self.at)

    def container(
        self, where: str, kind: str | None, stream: ChunkStream, depth: int, file: IO[bytes] | None = None
    ) -> Iterator[Blob | Unreadable]:
        """Yield the parts of `stream`: of a container, or plain content."""
        self.at = where
        if kind is None and (kind := kind_elsewhere(stream, self._limits)) is None:
            yield from self._plain(where, stream, depth)
        elif depth >= self._limits.nesting:
            yield Unreadable(self._path, f"archives nested more than {self._limits.nesting} deep: not opened", where)
        elif kind in UNSUPPORTED_FORMATS:
            yield Unreadable(self._path, f"not read: {kind}", where)
            yield from self._raw(where, stream)
        elif kind == "sqlite":
            yield from self._database(where, stream, depth)
        else:
            yield from self._format(where, kind, stream, depth, file)

    def _format(
        self, where: str, kind: str, stream: ChunkStream, depth: int, file: IO[bytes] | None
    ) -> Iterator[Blob | Unreadable]:
        source = FormatInput(stream, file, self._limits.memory_bytes)
        seen: set[Secret] = set()
        locate: Callable[[Match], MatchPosition | None] | None = partial(_beside, seen)
        if kind in RAW_TOO:
            data = source.held()
            if data is None:
                yield Unreadable(self._path, f"a {kind} file too large to open: read as raw bytes", where)
                yield from self._raw(where, stream)
                return
            source = FormatInput(ChunkStream((data,)), None, self._limits.memory_bytes)
            yield from self._steps(where, kind, source, depth, seen)
            yield Blob(self._path, data, where, self._kind_in(kind), None if kind in WITH_RAW_LINES else locate)
        else:
            yield from self._steps(where, kind, source, depth, seen)
        stream.check()  # a format that holds its content does not notice that it is cut off

    def _steps(
        self, where: str, kind: str, source: FormatInput, depth: int, seen: set[Secret]
    ) -> Iterator[Blob | Unreadable]:
        batch = PartBatch()
        try:
            for step in FORMATS[kind](source, None):
                if isinstance(step, Member):
                    yield from self._member(where, kind, step, depth)
                elif isinstance(step, NotRead):
                    yield Unreadable(self._path, step.reason, f"{where}!{step.name}" if step.name else where)
                elif step.data:
                    batch.add(step.what, step.data, step.part)
                    if batch.size >= BATCH_BYTES:
                        yield self._labels(where, kind, batch, seen)
                        batch = PartBatch()
        except DamagedError as e:
            yield Unreadable(self._path, f"damaged: {e}; the rest was not read", where)
        if batch.size:
            yield self._labels(where, kind, batch, seen)

    def _labels(self, where: str, kind: str, batch: PartBatch, seen: set[Secret]) -> Blob:
        def locate(match: Match) -> MatchPosition:
            seen.add(match.secret)
            return batch.locate(match)

        return Blob(self._path, batch.data(), where, self._kind_in(kind), locate, batch.part)

    def _kind_in(self, kind: str) -> ContentKind:
        """Return the kind of what a container of this format holds beside members."""
        leveldb = self._kind is ContentKind.ARCHIVE and kind.startswith("leveldb")
        return ContentKind.LEVELDB if leveldb else self._kind

    def _member(self, where: str, kind: str, member: Member, depth: int) -> Iterator[Blob | Unreadable]:
        if kind not in COMPRESSED_FORMATS:
            self._budget.member()
        content = ChunkStream(self._budget.spend(member.chunks))
        inner = None if member.text else container_format(content.peek(HEAD_BYTES), member.name or "")
        self.at = name = inner_name(where, member, inner)
        if member.text:
            yield from self._plain(name, content, depth + 1)
        else:
            yield from self.container(name, inner, content, depth + 1)

    def _plain(self, where: str, stream: ChunkStream, depth: int) -> Iterator[Blob | Unreadable]:
        whole = stream.peek(self._limits.whole_bytes + 1)
        if len(whole) > self._limits.whole_bytes:
            yield from self._raw(where, stream, depth)
        else:
            if whole:
                yield Blob(self._path, whole, where, self._kind)
                yield from self.embedded(where, EmbeddedStreams.of(whole), depth)
            stream.check()

    def embedded(self, where: str | None, found: EmbeddedStreams, depth: int) -> Iterator[Blob | Unreadable]:
        """Yield the parts of compressed streams that a text holds in base64."""
        for stream in found.streams():
            inside = ChunkStream((stream.data,))
            name = f"{where}!{stream.label}" if where else stream.label
            if depth >= self._limits.nesting:
                yield Unreadable(self._path, f"archives nested more than {self._limits.nesting} deep: not opened", name)
            else:
                yield from self.container(name, stream.kind, inside, depth + 1)
        yield from (Unreadable(self._path, reason, where) for reason in found.problems)

    def _raw(self, where: str, stream: ChunkStream, depth: int | None = None) -> Iterator[Blob | Unreadable]:
        found = EmbeddedStreams()
        parts = CheckedChunks(found.watching(stream.parts()) if depth is not None else stream.parts())
        yield Blob(self._path, parts, where, self._kind)
        parts.check()
        yield from self.embedded(where, found, depth or 0)

    def _database(self, where: str, stream: ChunkStream, depth: int) -> Iterator[Blob | Unreadable]:
        data = stream.peek(self._limits.memory_bytes + 1)
        if len(data) > self._limits.memory_bytes:
            yield Unreadable(
                self._path, "a database too large to open inside an archive: read as raw bytes, without rows", where
            )
            yield from self._raw(where, stream)
            return
        yield from self.database(where, depth).blobs(
            lambda: open_in_memory(data, b"", self._limits.memory_bytes),
            lambda: [data],
            lambda offset, length: data[offset : offset + length],
            len(data),
        )
        stream.check()

    def database(self, where: str | None, depth: int) -> SqliteDatabase:
        """Return the reader of a database, which opens containers in its cells through this walker."""
        return SqliteDatabase(self._path, where, self._limits, self._kind, partial(self.cell, depth + 1))

    def cell(self, depth: int, where: str, kind: str, data: bytes) -> Iterator[Blob | Unreadable]:
        """Yield the parts of a container that a cell, an object or another piece of data is."""
        if depth >= self._limits.nesting:
            yield Unreadable(self._path, f"archives nested more than {self._limits.nesting} deep: not opened", where)
            return
        self._budget.member()
        yield from self.container(where, kind, ChunkStream((data,)), depth)


def kind_elsewhere(stream: ChunkStream, limits: ReadLimits) -> str | None:
    """Return the format of content whose signature is not at its beginning; of a long stream, only an image of a disk."""
    data = stream.peek(limits.whole_bytes + 1)
    kind = elsewhere_in(data)
    return kind if len(data) <= limits.whole_bytes or kind in UNSUPPORTED_FORMATS else None


def inner_name(where: str, member: Member, kind: str | None) -> str:
    """Return the name of a member whose content is `kind`: a compressed stream's is its file's, without the suffix."""
    if member.name is not None:
        return f"{where}!{member.name}" if member.name else where
    return where if kind == "tar" else f"{where}!{_SUFFIX.sub('', _LAST.split(where)[-1])}"


def _beside(seen: set[Secret], match: Match) -> MatchPosition | None:
    """Return where in the raw bytes a match is, unless a part that was read has the same secret."""
    value = match.secret.reveal()
    if any(value in other.reveal() or other.reveal() in value for other in seen):
        return None
    return MatchPosition(f"byte {match.start}")
