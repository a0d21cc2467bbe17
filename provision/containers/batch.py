"""Many short parts (names, cells) as one text, so that they are scanned by one call, and the mapping back to each of them."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from provision.containers.blob import MatchPosition, PartKind

if TYPE_CHECKING:
    from provision.detect.match import Match

BATCH_BYTES = 1 << 20
BETWEEN = b"\n\0\n\0\n"
"""Separates parts: no match can cross it."""


class PartBatch:
    """Collects short parts. `labels` name them in a report."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._starts: list[int] = []
        self._labels: list[str] = []
        self.size = 0
        self.part = PartKind.HEADER
        """The kind of the parts; of several kinds, the last one."""

    def add(self, label: str, data: bytes, part: PartKind) -> None:
        """Add one part."""
        self.part = part
        self._starts.append(self.size)
        self._labels.append(label)
        self._parts.append(data)
        self.size += len(data) + len(BETWEEN)

    def data(self) -> bytes:
        """Return the text of all parts."""
        return BETWEEN.join(self._parts)

    def locate(self, match: Match) -> MatchPosition:
        """Return the part that a match is in."""
        return MatchPosition(self._labels[bisect_right(self._starts, match.start) - 1])
