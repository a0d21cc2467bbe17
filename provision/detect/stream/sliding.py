"""Scan bytes of any length in overlapping windows, which are the same however the bytes arrive.

A window is scanned by `find(data, following)`: the bytes from offset `following` on are in the next window too (None: no more).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator

    from provision.detect.match import Match

    Find = Callable[[bytes, int | None], list[Match]]


def slide(data: bytes | mmap.mmap | memoryview, find: Find, window: int, overlap: int) -> Iterator[Match]:
    """Yield what `Sliding` yields for all of `data`."""
    settled = 0
    while settled < len(data) or not settled:
        more = len(data) >= settled + window + overlap
        end = settled + window if more else len(data) + 1
        base = max(settled - overlap, 0)
        following = max(end - overlap - base, 0) if more else None
        for match in find(bytes(data[base : end + overlap]), following):
            if settled <= match.start + base < end:
                yield match.moved(base) if base else match
        settled = end


class Sliding:
    """Calls `find` with `window` bytes at a time and `overlap` more on either side; a window yields the matches beginning in it.

    So a match is found completely if it and its context extend no further than `overlap`.
    """

    def __init__(self, find: Find, window: int, overlap: int) -> None:
        self._find = find
        self._window = window
        self._overlap = overlap
        self._held = bytearray()
        self._base = 0
        self.settled = 0
        """All matches that begin before this offset have been yielded."""

    def feed(self, data: bytes) -> Iterator[Match]:
        """Yield the matches that are settled now, with offsets into all bytes so far."""
        self._held += data
        while self._base + len(self._held) >= self.settled + self._window + self._overlap:
            end = self.settled + self._window
            yield from self._look(end, end + self._overlap, max(end - self._overlap - self._base, 0))
            self.settled = end
            cut = max(end - self._overlap - self._base, 0)
            self._base += cut
            del self._held[:cut]

    def finish(self) -> Iterator[Match]:
        """Yield the rest."""
        end = self._base + len(self._held)
        yield from self._look(end + 1, end)
        self.settled = end

    def _look(self, end: int, last: int, following: int | None = None) -> Iterator[Match]:
        for match in self._find(bytes(self._held[: last - self._base]), following):
            if self.settled <= match.start + self._base < end:
                yield match.moved(self._base) if self._base else match
