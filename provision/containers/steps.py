"""What one format says about its content, step by step: the one description that reading and rewriting share.

A format is a generator. It yields its names, comments and headers (`Label`), its members (`Member`) and what it cannot read
(`NotRead`). Reading iterates over it. Rewriting also sets the answer of each step (`masked`, `result`) before it asks for the
next one, and passes an output, to which the format writes itself with the answers. So both see the same parts.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from provision.containers.blob import PartKind

if TYPE_CHECKING:
    from provision.containers.chunk_stream import ChunkStream

_IN_MEMORY_BYTES = 16 << 20


@dataclass(slots=True)
class Label:
    """A short part: a name, a comment, a header. `masked` is the answer of the rewriter."""

    what: str
    data: bytes = field(repr=False)
    part: PartKind = PartKind.HEADER
    masked: bytes | None = field(default=None, repr=False)

    @property
    def now(self) -> bytes:
        """The bytes to write: masked, if the rewriter changed them."""
        return self.data if self.masked is None else self.masked

    @property
    def changed(self) -> bool:
        """Whether the rewriter changed it."""
        return self.now != self.data


@dataclass(slots=True)
class Member:
    """A long part: the content of a member. `name` None: the content of a compressed stream, which has no name of its own.

    `result` is the answer of the rewriter: the new content, `changed` whether it differs, `dropped` whether it has to go.
    """

    name: str | None
    chunks: Iterator[bytes] = field(repr=False)
    result: IO[bytes] = field(default_factory=io.BytesIO, repr=False)
    changed: bool = False
    dropped: bool = False
    text: bool = False
    """Whether it is only text that the format holds in another form, to be searched and not to be opened."""

    @property
    def size(self) -> int:
        """The size of the result in bytes."""
        size = self.result.seek(0, io.SEEK_END)
        self.result.seek(0)
        return size


@dataclass(frozen=True, slots=True)
class NotRead:
    """Something that the format cannot read; `name` is the member, if it has one."""

    reason: str
    name: str | None = None


@dataclass(slots=True)
class FormatInput:
    """The content of one container: as a stream, and as a seekable file where there is one. `size` is -1 when unknown."""

    stream: ChunkStream
    file: IO[bytes] | None
    memory_bytes: int

    def seekable(self) -> IO[bytes] | None:
        """Return the content as a seekable file; None when it is too large to hold in memory."""
        if self.file is None:
            data = self.held()
            if data is None:
                return None
            self.file = io.BytesIO(data)
        return self.file

    def held(self) -> bytes | None:
        """Return all of the content, or None when it exceeds the memory limit."""
        if self.file is not None:
            self.file.seek(0)
            data = self.file.read(self.memory_bytes + 1)
        else:
            data = self.stream.peek(self.memory_bytes + 1)
        return data if len(data) <= self.memory_bytes else None


Steps = Iterator[Label | Member | NotRead]
Format = Callable[[FormatInput, IO[bytes] | None], Steps]
"""Reads the input; with an output, writes itself there if a step was changed (else nothing needs to be written)."""


def spooled_file() -> BinaryIO:
    """Return a temporary file in memory, which moves to an unnamed file on disk when it grows. Closing it deletes it."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))


def copy_to(source: IO[bytes], target: IO[bytes], chunk_bytes: int = 1 << 20) -> None:
    """Copy all bytes."""
    while chunk := source.read(chunk_bytes):
        target.write(chunk)
