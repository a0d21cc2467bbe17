"""Find secrets in what arrives piece by piece, and let everything else pass at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.detect.detector import Detector
    from provision.detect.match import Match

HOLD_BYTES = 64 << 10
"""No more than this is ever held back."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes as they came; with `match`, they hold (a part of) a secret and must be masked."""

    data: bytes
    match: Match | None = None


class StreamScanner:
    """Feed it bytes; the pieces it gives back, joined, are what was fed. How the bytes were cut makes no difference."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._held = b""

    def feed(self, data: bytes) -> list[Piece]:
        """What is settled now: every finished line, and of the last one what cannot become a secret any more."""
        self._held += data
        cut = self._held.rfind(b"\n") + 1
        if not cut and len(self._held) >= HOLD_BYTES:
            cut = len(self._held)
        return self._cut(cut)

    def finish(self) -> list[Piece]:
        """The rest, when nothing more will come."""
        return self._cut(len(self._held))

    def _cut(self, cut: int) -> list[Piece]:
        ready, self._held = self._held[:cut], self._held[cut:]
        pieces: list[Piece] = []
        at = 0
        for match in self._detector.scan(ready):
            for start, end in match.spans:
                if start > at:
                    pieces.append(Piece(ready[at:start]))
                pieces.append(Piece(ready[start:end], match))
                at = end
        if at < len(ready):
            pieces.append(Piece(ready[at:]))
        return pieces
