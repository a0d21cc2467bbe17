"""Read gzip, bzip2, xz and tar as streams, in bounded memory, whatever they claim to be.

tarfile would read a header of any length into memory, and gzip has no way to stop at a size; so the few hundred bytes of
format that matter are read here. Formats: RFC 1952, POSIX.1-2017 pax, and the GNU tar manual, section D.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK_BYTES = 1 << 20
_XZ_MEMORY_BYTES = 256 << 20
_BLOCK = 512
_LONGEST_HEADER = 1 << 20
_MAGICS = (
    (b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"),
    (b"SQLite format 3\0", "sqlite"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
)  # fmt: skip
_BEGINNINGS = tuple(magic for magic, _ in _MAGICS)
COMPRESSED = frozenset({"gzip", "bzip2", "xz"})
CLOSED = frozenset({"zstd", "7z", "rar", "lz4"})
"""Archives that cannot be opened here; they are reported."""


class DamagedError(Exception):
    """The rest of an archive cannot be read; the message says why."""


def sniff(head: bytes) -> str | None:
    """Which container begins with these bytes (512 are enough): `zip`, `tar`, `gzip`, … `sqlite`; None for plain content."""
    if head[257:262] == b"ustar":
        return "tar"
    if not head.startswith(_BEGINNINGS):
        return None
    kind = next(kind for magic, kind in _MAGICS if head.startswith(magic))
    if kind == "bzip2" and (head[4:10] != b"1AY&SY" or not head[3:4].isdigit()):
        return None
    return kind


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the manners of the other two."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_MAKERS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES),
}


def inflated(kind: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What a compressed stream holds, in chunks of at most a megabyte; several streams one behind the other are one.

    Raises DamagedError where it breaks off; what came before has been yielded.
    """
    decompressor = _MAKERS[kind]()
    for chunk in chunks:
        rest = chunk
        while rest or not (decompressor.needs_input or decompressor.eof):
            if decompressor.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                decompressor = _MAKERS[kind]()
            try:
                out = decompressor.decompress(rest, CHUNK_BYTES)
            except (OSError, zlib.error, lzma.LZMAError, EOFError, MemoryError) as e:
                raise DamagedError(f"not {kind} to its end") from e
            rest = decompressor.unused_data if decompressor.eof else b""
            if out:
                yield out
    if not decompressor.eof:
        raise DamagedError("it ends too early")


class Quiet:
    """Chunks for somebody else to go through: they end where they fail, and `check` raises why, where it can be reported."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        except Exception as e:  # raised again by check()
            self._error = e

    def check(self) -> None:
        """Raise what stopped it, if anything did."""
        if self._error is not None:
            raise self._error


class Stream:
    """Bytes that arrive in chunks, to be taken in exact amounts.

    What comes before a failure can be taken; then the failure is raised, by whatever asks for more, or by `check`.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""
        self._at = 0  # how much of what is held was taken
        self._error: Exception | None = None
        self.given = 0
        """How many bytes were taken."""

    def peek(self, length: int) -> bytes:
        """The next bytes, fewer at the end, without taking them."""
        held = len(self._held) - self._at
        if held < length:
            parts = [self._held[self._at :]]
            while held < length and (chunk := self._next()):
                parts.append(chunk)
                held += len(chunk)
            self._held, self._at = b"".join(parts), 0
        if not held:
            self.check()
        return self._held[self._at : self._at + length]

    def _next(self) -> bytes:
        """The next chunk; nothing at the end and where it fails."""
        try:
            return b"" if self._error else next(self._chunks, b"")
        except Exception as e:  # whatever it is, it is raised where the bytes before it have been used
            self._error = e
            return b""

    def check(self) -> None:
        """Raise what stopped it, if anything did."""
        if self._error is not None:
            raise self._error

    def take(self, length: int) -> bytes:
        """The next bytes, fewer at the end."""
        taken = self.peek(length)
        self._at += len(taken)
        self.given += len(taken)
        return taken

    def parts(self, length: int | None = None) -> Iterator[bytes]:
        """The next `length` bytes (None: all that is left), in chunks as they arrive."""
        left = length
        while left is None or left > 0:
            if self._at == len(self._held):
                self._held, self._at = self._next(), 0
            chunk = self._held[self._at :] if left is None else self._held[self._at : self._at + left]
            if not chunk:
                self.check()
                return
            self._at += len(chunk)
            self.given += len(chunk)
            left = None if left is None else left - len(chunk)
            yield chunk


class Member(NamedTuple):
    """A file in a tar: its name and its content, to be gone through before the next one is asked for."""

    name: str
    content: Iterator[bytes]


def tar_members(stream: Stream) -> Iterator[Member]:
    """The files of a tar, in order, with what follows its end mark as a member of its own. Raises DamagedError."""
    said: dict[str, str] = {}
    while len(header := stream.take(_BLOCK)) == _BLOCK:
        if not any(header):
            continue
        if not _sum_is_right(header):
            yield Member("(behind the end)", chain([header], stream.parts()))
            return
        kind, length = header[156:157], _number(header[124:136])
        if kind in b"xgLK" and length <= _LONGEST_HEADER:
            said |= _extended(kind, stream.take(length))
            stream.take(-length % _BLOCK)
            continue
        if kind == b"S":
            _skip_sparse_maps(stream, header)
        if said.get("size", "").isdecimal():
            length = int(said["size"])
        if length and kind not in b"123456":  # links, devices and folders have no content, whatever they say
            end = stream.given + length
            content = stream.parts(length)
            yield Member(said.get("path") or _name(header), content)
            for _ in content:  # what the reader left
                pass
            if stream.given < end:
                raise DamagedError("it ends too early")
            stream.take(-length % _BLOCK)
        said = {}
    if header:
        raise DamagedError("it ends too early")


def _sum_is_right(header: bytes) -> bool:
    return _number(header[148:156]) == sum(header) - sum(header[148:156]) + 8 * 32


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else 0
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and set(digits) <= set(b"01234567") else 0


def _name(header: bytes) -> str:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    return _text(prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _extended(kind: bytes, data: bytes) -> dict[str, str]:
    """What a header says that goes before the header of a member."""
    if kind == b"L":
        return {"path": _text(data.rstrip(b"\0"))}
    return _pax(data) if kind == b"x" else {}


def _pax(data: bytes) -> dict[str, str]:
    found = {}
    while data:
        length = data.partition(b" ")[0]
        if not length.isdigit() or not 0 < int(length) <= len(data):
            break
        record = data[len(length) + 1 : int(length)]
        name, _, value = record.rstrip(b"\n").partition(b"=")
        found[_text(name)] = _text(value)
        data = data[int(length) :]
    return found


def _skip_sparse_maps(stream: Stream, header: bytes) -> None:
    more = header[482:483] == b"\1"
    while more:
        block = stream.take(_BLOCK)
        more = block[504:505] == b"\1"
