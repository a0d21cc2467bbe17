"""Look at bytes of any length through windows that overlap, always the same ones, however the bytes arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterator

    from provision.detect.match import Match


def slide(
    data: bytes | mmap.mmap | memoryview, find: Callable[[bytes], list[Match]], window: int, overlap: int
) -> Iterator[Match]:
    """What `Sliding` gives for all of `data` at once, without a copy where one window holds it."""
    settled = 0
    while settled < len(data) or not settled:
        more = len(data) >= settled + window + overlap
        end = settled + window if more else len(data) + 1
        base = max(settled - overlap, 0)
        for match in find(bytes(data[base : end + overlap])):
            if settled <= match.start + base < end:
                yield match.moved(base) if base else match
        settled = end


class Sliding:
    """`find` sees `window` bytes at a time with `overlap` more on either side; a window answers for what begins in it.

    So a match is found whole if it and what is needed to recognise it reach no further than `overlap`.
    """

    def __init__(self, find: Callable[[bytes], list[Match]], window: int, overlap: int) -> None:
        self._find = find
        self._window = window
        self._overlap = overlap
        self._held = bytearray()
        self._base = 0
        self.settled = 0
        """The offset up to which every match that begins has been given."""

    def feed(self, data: bytes) -> Iterator[Match]:
        """The matches that are settled now, with offsets into everything fed so far."""
        self._held += data
        while self._base + len(self._held) >= self.settled + self._window + self._overlap:
            end = self.settled + self._window
            yield from self._look(end, end + self._overlap)
            self.settled = end
            cut = max(end - self._overlap - self._base, 0)
            self._base += cut
            del self._held[:cut]

    def finish(self) -> Iterator[Match]:
        """The rest."""
        end = self._base + len(self._held)
        yield from self._look(end + 1, end)
        self.settled = end

    def _look(self, end: int, last: int) -> Iterator[Match]:
        for match in self._find(bytes(self._held[: last - self._base])):
            if self.settled <= match.start + self._base < end:
                yield match.moved(self._base) if self._base else match
