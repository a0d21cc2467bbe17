"""Bytes in, redacted bytes out, as they come: constant memory, nothing held back that could not still grow into a secret.

The result does not depend on how the input is cut, and every byte outside the masks is the input's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.stream.scanner import StreamScanner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.detect.match import Match
    from provision.detect.stream.scanner import Piece
    from provision.redact.session import Session

CHUNK_BYTES = 1 << 20


class StreamRedactor:
    """Feeds a StreamScanner and puts masks where it found something.

    `where` names a line for the notes when it is None (`line 3`), else it is the note's place for the whole stream.
    """

    def __init__(self, session: Session, file: str, where: str | None = None) -> None:
        self._session = session
        self._scanner = StreamScanner(session.detector)
        self._file = file
        self._where = where
        self._line = 1
        self._last: Match | None = None

    def feed(self, data: bytes) -> bytes:
        """What can be passed on now that `data` has come."""
        return self._redacted(self._scanner.feed(data))

    def finish(self) -> bytes:
        """What was held back to the end."""
        return self._redacted(self._scanner.finish())

    def _redacted(self, pieces: Iterable[Piece]) -> bytes:
        out = []
        for piece in pieces:
            data, match = piece.data, piece.match
            if match is not None:
                first = match is not self._last  # a broken secret comes in several pieces with one match
                self._last = match
                masked = self._session.masker.mask(match, data, first=first)
                if first and masked != data:
                    self._session.note(self._file, self._where or f"line {self._line}", match)
                out.append(masked)
            else:
                out.append(data)
            if self._where is None:
                self._line += data.count(b"\n")
        return b"".join(out)


def redact_stream(chunks: Iterable[bytes], session: Session, file: str, where: str | None = None) -> Iterator[bytes]:
    """Redacted bytes for chunks of any size, each passed on as soon as it can be."""
    redactor = StreamRedactor(session, file, where)
    for chunk in chunks:
        if ready := redactor.feed(chunk):
            yield ready
    if rest := redactor.finish():
        yield rest


def redact_bytes(data: bytes, session: Session, file: str, where: str | None = None) -> bytes:
    """Redacted bytes of something that is in memory anyway."""
    return b"".join(redact_stream((data,), session, file, where))
