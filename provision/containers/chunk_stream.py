"""Bytes that arrive in chunks: read exact amounts, and report a failure only after the bytes before it were used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK_BYTES = 1 << 20


class DamagedError(Exception):
    """The rest of a container cannot be read; the message says why."""


class CheckedChunks:
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


class ChunkStream:
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
