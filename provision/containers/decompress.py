"""Decompress gzip (RFC 1952), bzip2 and xz streams in bounded memory.

`gzip.GzipFile` cannot stop at a size, so zlib is used directly.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

from provision.containers.chunk_stream import CHUNK_BYTES, DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_XZ_MEMORY_BYTES = 256 << 20


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the interface of the bz2 and lzma ones."""

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


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES),
}


def decompress(kind: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress a stream in chunks of at most a megabyte; concatenated streams count as one.

    Raises DamagedError where the data is damaged or cut off, after everything before it was yielded.
    """
    decompressor = _DECOMPRESSORS[kind]()
    for chunk in chunks:
        rest = chunk
        while rest or not (decompressor.needs_input or decompressor.eof):
            if decompressor.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                decompressor = _DECOMPRESSORS[kind]()
            try:
                out = decompressor.decompress(rest, CHUNK_BYTES)
            except (OSError, zlib.error, lzma.LZMAError, EOFError, MemoryError) as e:
                raise DamagedError(f"not valid {kind} to its end") from e
            rest = decompressor.unused_data if decompressor.eof else b""
            if out:
                yield out
    if not decompressor.eof:
        raise DamagedError("it ends too early")
