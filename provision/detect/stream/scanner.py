"""Find secrets in a stream and pass everything else on without delay.

What is masked in a line depends on that line and those before it, never on the chunks. Only lines that may be part of a dump,
of a table or of a text in several literals wait for the next ones (`blocks`). A line that ends in the beginning of a key is
masked there, and so is the rest of the key in the next lines (`batch`). Of an unfinished line only the bytes that can still
become part of a secret are held back: its last word, a list of bytes, and everything from a keyword on. A line of more than
`LONG_LINE_BYTES` is scanned in windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.stream.blocks import HeldLines, merged
from provision.detect.stream.lines import Lines
from provision.detect.stream.sliding import Sliding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.detect.detector import Detector
    from provision.detect.match import Match
    from provision.detect.stream.batch import MaskedRange

LONG_LINE_BYTES = 64 << 10
_WINDOW_BYTES = 64 << 10
_OVERLAP_BYTES = 16 << 10
HOLD_BYTES = LONG_LINE_BYTES + _WINDOW_BYTES
"""Most bytes that are ever held back."""
_BATCH_BYTES = 256 << 10
_SPACE = b" \t\r\"'`<>"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes as they arrived; with `match`, they hold a secret or a part of one and must be masked.

    The parts of a secret that spans lines share one `Match`, which describes the first part.
    """

    data: bytes
    match: Match | None = None


class StreamScanner:
    """Takes bytes and returns pieces; the joined pieces are the same bytes."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._lines = Lines(detector)
        self._held = HeldLines(detector)
        self._line = bytearray()  # the unfinished line
        self._given = 0  # how much of it, or of the first line that is held, was passed on
        self._stuck = False  # whether the rest of it waits for its end
        self._long: _LongLine | None = None

    def feed(self, data: bytes) -> list[Piece]:
        """Return what is settled now: every finished line, and the part of the last line that cannot become a secret."""
        pieces: list[Piece] = []
        cut = data.rfind(b"\n") + 1
        if cut:
            self._finish_lines(data[:cut], pieces)
        if rest := data[cut:]:
            self._extend_line(rest, pieces)
        return pieces

    def finish(self) -> list[Piece]:
        """Return the rest at the end of the stream."""
        pieces: list[Piece] = []
        self._end_line(b"", pieces)
        self._settle(b"", pieces, last=True)
        return pieces

    def flush(self) -> list[Piece]:
        """Return everything that is held back, for a user who waits for it.

        Text that was shown cannot be masked later: a secret that arrives in two parts with a flush between them is masked from
        the second part on.
        """
        if self._long:
            return []
        pieces: list[Piece] = []
        if self._held:
            self._settle(b"", pieces, last=True)
        if len(self._line) > self._given:
            masks = self._lines.preview(bytes(self._line))
            self._give(bytes(self._line), masks, pieces)
            self._given = len(self._line)
        return pieces

    def _finish_lines(self, data: bytes, pieces: list[Piece]) -> None:
        """Take data that continues the unfinished line and ends in a line end."""
        if self._line or self._long:
            cut = data.index(b"\n") + 1
            self._end_line(data[:cut], pieces)
            data = data[cut:]
        at = 0
        while at < len(data):
            end = at + _BATCH_BYTES if len(data) - at > _BATCH_BYTES else len(data)
            cut = data.rfind(b"\n", at, end) + 1
            if cut <= at:
                cut = data.index(b"\n", end) + 1
            self._whole_lines(data[at:cut], pieces)
            at = cut

    def _whole_lines(self, data: bytes, pieces: list[Piece]) -> None:
        """Take complete lines. Long ones are always handled by `_LongLine`, so that the result does not depend on the chunks."""
        if len(data) > LONG_LINE_BYTES:
            start = 0
            for long_start, long_end in _long_lines(data):
                if start < long_start:
                    self._settle(data[start:long_start], pieces)
                self._end_line(data[long_start:long_end], pieces)
                start = long_end
            data = data[start:]
        if data:
            self._settle(data, pieces)

    def _settle(self, lines: bytes, pieces: list[Piece], *, last: bool = False) -> None:
        self._stuck = False
        settled, masks, hits = self._held.take(lines, self._lines.context, last=last)
        if settled:
            self._give(settled, merged(self._lines.masks(settled, hits), masks), pieces)
            self._given = 0

    def _end_line(self, end: bytes, pieces: list[Piece]) -> None:
        if end:
            self._grow(end, pieces)
        if self._long:
            self._long.finish(pieces)
            self._long = None
            self._lines.forget()
        elif self._line:
            line = bytes(self._line)
            self._line.clear()
            self._settle(line, pieces)

    def _extend_line(self, data: bytes, pieces: list[Piece]) -> None:
        self._grow(data, pieces)
        if self._long or self._stuck or self._held:
            return
        line = bytes(self._line)
        settled, self._stuck = self._lines.settled(line, self._given)
        if settled > self._given:
            pieces.append(Piece(line[self._given : settled]))
            self._given = settled

    def _grow(self, data: bytes, pieces: list[Piece]) -> None:
        if not self._long:
            self._line += data
            if len(self._line) <= LONG_LINE_BYTES:
                return
            data = bytes(self._line)
            if self._held:
                self._settle(b"", pieces, last=True)
            self._long = _LongLine(self._detector, self._given)
            self._line.clear()
            self._given = 0
        for at in range(0, len(data), _WINDOW_BYTES):
            self._long.feed(data[at : at + _WINDOW_BYTES], pieces)

    def _give(self, data: bytes, masks: Iterable[MaskedRange], pieces: list[Piece]) -> None:
        at = self._given
        for start, end, match in masks:
            if end <= at:
                continue
            if start > at:
                pieces.append(Piece(data[at:start]))
            pieces.append(Piece(data[max(start, at) : end], match))
            at = end
        if at < len(data):
            pieces.append(Piece(data[at:]))


def _long_lines(data: bytes) -> Iterable[tuple[int, int]]:
    start = 0
    while start < len(data):
        reach = data.rfind(b"\n", start, start + LONG_LINE_BYTES + 1) + 1
        if reach > start:
            start = reach
            continue
        end = data.index(b"\n", start) + 1
        yield start, end
        start = end


class _LongLine:
    """A line that is too long to be held: windows over it, and how much of it was passed on."""

    def __init__(self, detector: Detector, given: int) -> None:
        self._sliding = Sliding(lambda data, _: detector.scan_window(data).matches, _WINDOW_BYTES, _OVERLAP_BYTES)
        self._held = bytearray()
        self._base = 0
        self._given = given
        self._matches: list[Match] = []

    def feed(self, data: bytes, pieces: list[Piece]) -> None:
        self._held += data
        self._matches += self._sliding.feed(data)
        self._give(self._sliding.settled, pieces)

    def finish(self, pieces: list[Piece]) -> None:
        self._matches += self._sliding.finish()
        self._give(self._base + len(self._held), pieces)

    def _give(self, settled: int, pieces: list[Piece]) -> None:
        waiting: list[Match] = []
        for match in self._matches:
            if match.end > self._base + len(self._held):
                waiting.append(match)  # begins in this window and ends after the bytes so far
                settled = min(settled, match.start)
                continue
            for start, end in match.spans:
                self._piece(start, None, pieces)
                self._piece(end, match, pieces)
        self._matches = waiting
        self._piece(settled, None, pieces)
        cut = max(self._given - self._base, 0)
        del self._held[:cut]
        self._base += cut

    def _piece(self, end: int, match: Match | None, pieces: list[Piece]) -> None:
        if end > self._given:
            pieces.append(Piece(bytes(self._held[self._given - self._base : end - self._base]), match))
            self._given = end
