"""Bytes that arrive in chunks: read exact amounts, and report a failure only after the bytes before it were used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK_BYTES = 1 << 20


class DamagedError(Exception):
    """The rest of a container cannot be read; the message says why."""


class CheckedChunks:
    """Chunks passed to another reader: iteration ends at a failure, and `check` raises it later, where it can be reported."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        except Exception as e:  # raised again by check()
            self._error = e

    def check(self) -> None:
        """Raise the failure that ended the chunks, if there was one."""
        if self._error is not None:
            raise self._error


class ChunkStream:
    """Bytes that arrive in chunks, taken in exact amounts.

    The bytes before a failure can be taken; then the failure is raised by the next call that needs more, or by `check`.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""
        self._at = 0  # how many of the held bytes were taken
        self._error: Exception | None = None
        self.taken_bytes = 0
        """The number of bytes taken so far."""

    def peek(self, length: int) -> bytes:
        """Return the next bytes, fewer at the end, without taking them."""
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
        """Return the next chunk; empty at the end and at a failure."""
        try:
            return b"" if self._error else next(self._chunks, b"")
        except Exception as e:  # raised later, once the bytes before it were used
            self._error = e
            return b""

    def check(self) -> None:
        """Raise the failure that ended the chunks, if there was one."""
        if self._error is not None:
            raise self._error

    def take(self, length: int) -> bytes:
        """Take the next bytes, fewer at the end."""
        data = self.peek(length)
        self._at += len(data)
        self.taken_bytes += len(data)
        return data

    def take_some(self, most: int) -> bytes:
        """Take what is there, at least one byte and at most `most`; empty at the end."""
        return next(self.parts(most), b"")

    def untake(self, data: bytes) -> None:
        """Return bytes to the front that were taken last."""
        if data:
            self._held, self._at = data + self._held[self._at :], 0
            self.taken_bytes -= len(data)

    def parts(self, length: int | None = None) -> Iterator[bytes]:
        """Take the next `length` bytes (None: all the rest), in chunks as they arrive."""
        left = length
        while left is None or left > 0:
            if self._at == len(self._held):
                self._held, self._at = self._next(), 0
            chunk = self._held[self._at :] if left is None else self._held[self._at : self._at + left]
            if not chunk:
                self.check()
                return
            self._at += len(chunk)
            self.taken_bytes += len(chunk)
            left = None if left is None else left - len(chunk)
            yield chunk
