"""Redact a stream of bytes as it arrives, in constant memory.

Only bytes that could still become part of a secret are held back. The result does not depend on chunk borders, and
every byte outside masks is unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.stream.scanner import StreamScanner
from provision.redact.stand_in_stream import StandInStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.detect.match import Match
    from provision.detect.stream.scanner import Piece
    from provision.redact.session import Session
    from provision.redact.stand_ins import Found

CHUNK_BYTES = 1 << 20


class StreamRedactor:
    """Masks what a StreamScanner finds.

    `where` is the place used in notes for the whole stream; if None, each note names its line (`line 3`).
    """

    def __init__(self, session: Session, file: str, where: str | None = None) -> None:
        self._session = session
        self._scanner = StreamScanner(session.detector)
        self._file = file
        self._where = where
        self._line = 1
        self._last: Match | None = None
        self._also = StandInStream(session.also, self._note_stand_in) if session.also else None

    def feed(self, data: bytes) -> bytes:
        """Take `data` and return the redacted bytes that are ready."""
        return self._redacted(self._scanner.feed(data))

    def finish(self) -> bytes:
        """Return the rest, after the last data."""
        rest = self._redacted(self._scanner.finish())
        return rest + self._also.finish() if self._also else rest

    def _note_stand_in(self, found: Found, line: int) -> None:
        self._session.note_stand_in(self._file, self._where or f"line {line + 1}", found)

    def _redacted(self, pieces: Iterable[Piece]) -> bytes:
        out = []
        for piece in pieces:
            data, match = piece.data, piece.match
            if match is not None:
                first = match is not self._last  # a divided secret comes in several pieces with one match
                self._last = match
                masked = self._session.masker.mask(match, data, first=first)
                if first and masked != data:
                    self._session.note(self._file, self._where or f"line {self._line}", match)
                if self._also:
                    out.append(self._also.finish())
                    self._also.skip(data)
                out.append(masked)
            else:
                out.append(self._also.feed(data) if self._also else data)
            if self._where is None:
                self._line += data.count(b"\n")
        return b"".join(out)


def redact_stream(chunks: Iterable[bytes], session: Session, file: str, where: str | None = None) -> Iterator[bytes]:
    """Yield redacted bytes for chunks of any size, each as soon as it is ready."""
    redactor = StreamRedactor(session, file, where)
    for chunk in chunks:
        if ready := redactor.feed(chunk):
            yield ready
    if rest := redactor.finish():
        yield rest


def redact_bytes(data: bytes, session: Session, file: str, where: str | None = None) -> bytes:
    """Redact bytes in memory."""
    return b"".join(redact_stream((data,), session, file, where))
