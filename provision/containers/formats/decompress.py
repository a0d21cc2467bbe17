"""Decompress gzip, bzip2, xz, lzma, zlib (RFC 1950), raw deflate (RFC 1951), zstd and brotli streams in bounded memory.

The texts in the headers of gzip are read in `compressed_formats`.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

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


class _Zlib:
    """zlib's decompressor with the interface of the bz2 and lzma ones."""

    def __init__(self, wbits: int = zlib.MAX_WBITS) -> None:
        self._inner = zlib.decompressobj(wbits)

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


class _Brotli:
    """brotli's decompressor with the interface of the others. Nothing can follow its end."""

    def __init__(self) -> None:
        self._inner = import_module("brotli").Decompressor()
        self._has_more = False
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return bool(self._inner.is_finished())

    @property
    def needs_input(self) -> bool:
        return not self._has_more and bool(self._inner.can_accept_more_data())

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = bytes(self._inner.process(data, output_buffer_limit=max_length))
        self._has_more = len(out) >= max_length
        return out


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "zlib": _Zlib,
    "gzip": partial(_Zlib, 16 + zlib.MAX_WBITS),
    "deflate": partial(_Zlib, -zlib.MAX_WBITS),
    "brotli": _Brotli,
    "bzip2": bz2.BZ2Decompressor,
    "xz": partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _XZ_MEMORY_BYTES),
    "zstd": lambda: zstd_module().ZstdDecompressor(options={zstd_module().DecompressionParameter.window_log_max: 27}),
    "lzma": partial(lzma.LZMADecompressor, lzma.FORMAT_ALONE, _XZ_MEMORY_BYTES),
}


def zstd_module() -> Any:
    """Return the zstd module of Python 3.14, or its backport. Raises ImportError."""
    try:
        return import_module("compression.zstd")
    except ImportError:
        return import_module("backports.zstd")


def can_decompress(kind: str) -> bool:
    """Whether the library for a kind of stream is installed."""
    try:
        if kind == "zstd":
            zstd_module()
        elif kind == "brotli":
            return hasattr(import_module("brotli").Decompressor, "can_accept_more_data")
    except ImportError:
        return False
    return True


def decompressed_beginning(kind: str, head: bytes) -> bytes:
    """Return the beginning of what a stream that begins with `head` unpacks to; empty if it is none."""
    try:
        return _DECOMPRESSORS[kind]().decompress(head, len(head))
    except Exception:
        return b""


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
            except Exception as e:  # each library has errors of its own
                raise DamagedError(f"not valid {kind} to its end") from e
            rest = decompressor.unused_data if decompressor.eof else b""
            if out:
                yield out
    if not decompressor.eof:
        raise DamagedError("it ends too early")
