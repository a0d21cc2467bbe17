"""Read and rewrite compressed streams: gzip with its header (RFC 1952), bzip2, xz, lzma, zlib
(RFC 1950), raw deflate (RFC 1951), zstd and brotli.

Everything is unpacked in bounded memory and compressed again by the same method.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from functools import partial
from importlib import import_module
from typing import IO, TYPE_CHECKING, Protocol, cast

from provision.containers.blob import PartKind
from provision.containers.chunk_stream import CHUNK_BYTES, ChunkStream, DamagedError
from provision.containers.formats.decompress import can_decompress, decompress, zstd_module
from provision.containers.steps import FormatInput, Label, Member, NotRead
from provision.shell import install_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.containers.steps import Steps

_LONGEST_TEXT = 1 << 16
_FEXTRA, _FNAME, _FCOMMENT, _FHCRC = 4, 8, 16, 2


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _BrotliCompressor:
    """brotli's compressor with the interface of the others."""

    def __init__(self) -> None:
        self._inner = import_module("brotli").Compressor(quality=5)

    def compress(self, data: bytes, /) -> bytes:
        return bytes(self._inner.process(data))

    def flush(self) -> bytes:
        return bytes(self._inner.finish())


_COMPRESSORS: dict[str, Callable[[], _Compressor]] = {
    "bzip2": bz2.BZ2Compressor,
    "xz": lzma.LZMACompressor,
    "lzma": partial(lzma.LZMACompressor, lzma.FORMAT_ALONE),
    "zlib": zlib.compressobj,
    "deflate": partial(zlib.compressobj, wbits=-zlib.MAX_WBITS),
    "brotli": _BrotliCompressor,
    "zstd": lambda: cast("_Compressor", zstd_module().ZstdCompressor()),
}


def stream_steps(kind: str, source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield the content of a compressed stream."""
    if not can_decompress(kind):
        yield NotRead(f"{kind} is not read: {install_command('archives')}")
        return
    member = Member(None, decompress(kind, source.stream.parts()))
    yield member
    if out is not None and member.changed:
        _compress(_COMPRESSORS[kind](), member.result, out)


def gzip_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield the content of a gzip file, then the names, comments and extra fields of its headers."""
    labels: list[Label] = []
    member = Member(None, _gunzip(source.stream, labels))
    yield member
    yield from labels
    if out is None or not (member.changed or any(label.changed for label in labels)):
        return
    texts = {label.what: label.now for label in reversed(labels)}  # of several headers, the first one stays
    name, comment = texts.get(_NAME), texts.get(_COMMENT)
    flags = (_FNAME if name else 0) | (_FCOMMENT if comment else 0)
    out.write(b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\xff")
    out.write(b"".join(text + b"\0" for text in (name, comment) if text))
    sums = [zlib.crc32(b""), 0]

    def counted(chunk: bytes) -> bytes:
        sums[:] = [zlib.crc32(chunk, sums[0]), sums[1] + len(chunk)]
        return chunk

    _compress(zlib.compressobj(wbits=-15), member.result, out, counted)
    out.write(sums[0].to_bytes(4, "little") + (sums[1] & 0xFFFFFFFF).to_bytes(4, "little"))


_NAME, _COMMENT, _EXTRA = "the name in a gzip header", "the comment in a gzip header", "an extra field of a gzip header"


def _compress(
    compressor: _Compressor, source: IO[bytes], out: IO[bytes], seen: Callable[[bytes], bytes] = bytes
) -> None:
    source.seek(0)
    while chunk := source.read(CHUNK_BYTES):
        out.write(compressor.compress(seen(chunk)))
    out.write(compressor.flush())


def _gunzip(stream: ChunkStream, labels: list[Label]) -> Iterator[bytes]:
    """Yield what gzip members hold, one behind the other; their headers are added to `labels`."""
    first = True
    while first or _next_member(stream):
        _header(stream, labels)
        inner = zlib.decompressobj(wbits=-15)
        while not inner.eof:
            data = inner.unconsumed_tail or stream.take_some(CHUNK_BYTES)
            if not data and not inner.unconsumed_tail:
                raise DamagedError("it ends too early")
            try:
                chunk = inner.decompress(data, CHUNK_BYTES)
            except zlib.error as e:
                raise DamagedError("not valid gzip to its end") from e
            if chunk:
                yield chunk
        stream.untake(inner.unused_data)
        if len(stream.take(8)) < 8:
            raise DamagedError("it ends too early")
        first = False


def _next_member(stream: ChunkStream) -> bool:
    while head := stream.peek(CHUNK_BYTES):
        if head[0]:
            return True
        stream.take(len(head) - len(head.lstrip(b"\0")))
    return False


def _header(stream: ChunkStream, labels: list[Label]) -> None:
    head = stream.take(10)
    if len(head) < 10 or not head.startswith(b"\x1f\x8b\x08"):
        raise DamagedError("not valid gzip to its end")
    flags = head[3]
    if flags & _FEXTRA:
        extra = stream.take(int.from_bytes(stream.take(2), "little"))
        labels.append(Label(_EXTRA, extra, PartKind.EXTRA))
    for flag, what, part in ((_FNAME, _NAME, PartKind.NAME), (_FCOMMENT, _COMMENT, PartKind.COMMENT)):
        if flags & flag:
            text, end, _ = stream.peek(_LONGEST_TEXT).partition(b"\0")
            if not end:
                raise DamagedError("a header that does not end")
            stream.take(len(text) + 1)
            labels.append(Label(what, text, part))
    if flags & _FHCRC:
        stream.take(2)
