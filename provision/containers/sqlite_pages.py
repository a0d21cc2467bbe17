"""The pages of an SQLite file: which bytes are live, and which are deleted but not overwritten.

Deleting a row frees its bytes without clearing them; deleting many rows frees whole pages. Both stay in the file until a VACUUM
or until they are reused. Format: https://sqlite.org/fileformat2.html. The file may be hostile: each number is checked, each
chain is bounded.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FREED = "a freed page: deleted, not overwritten"
_WAL_MAGICS = frozenset({0x377F0682, 0x377F0683})
_WAL_HEADER = 32
_FRAME_HEADER = 24
_LEAVES = {0x0D: 8, 0x0A: 8, 0x05: 12, 0x02: 12}
"""Types of b-tree pages, and the lengths of their headers."""
_STITCH_BYTES = 8192


class SqlitePages:
    """The pages of one database file. `read_at(offset, length)` returns bytes of the file, fewer at its end."""

    def __init__(self, read_at: Callable[[int, int], bytes], size: int) -> None:
        header = read_at(0, 100)
        self._read_at = read_at
        self.page_bytes = int.from_bytes(header[16:18], "big") if len(header) == 100 else 0
        self.page_bytes = 65536 if self.page_bytes == 1 else self.page_bytes
        if self.page_bytes < 512 or self.page_bytes & (self.page_bytes - 1):
            raise ValueError("not a page size of SQLite")
        self.count = size // self.page_bytes
        self.wal = header[18] == 2
        self._trunks, self._free = self._freelist(int.from_bytes(header[32:36], "big"))
        self._last: tuple[int, list[tuple[int, int]]] = (0, [])

    def _freelist(self, trunk: int) -> tuple[set[int], set[int]]:
        trunks: set[int] = set()
        free: set[int] = set()
        while 1 < trunk <= self.count and trunk not in trunks:
            trunks.add(trunk)
            page = self._page(trunk)
            following, leaves = struct.unpack_from(">II", page.ljust(8, b"\0"))
            leaves = min(leaves, (len(page) - 8) // 4)
            free.update(struct.unpack_from(f">{leaves}I", page, 8))
            trunk = following
        return trunks, free

    def _page(self, number: int) -> bytes:
        return self._read_at((number - 1) * self.page_bytes, self.page_bytes)

    def state(self, offset: int) -> tuple[int, str | None]:
        """Return the page of a byte (from 1), and what the byte is if it is in no row: words for a report, or None."""
        number = offset // self.page_bytes + 1
        if number in self._free or number in self._trunks:
            return number, FREED
        if self._last[0] != number:
            self._last = (number, _unused(self._page(number), 100 if number == 1 else 0))
        inside = offset % self.page_bytes
        if any(start <= inside < end for start, end in self._last[1]):
            return number, "a deleted row, not overwritten"
        return number, None

    def joints(self) -> Iterator[tuple[int, bytes, int]]:
        """Join the ends of freed pages with their next pages: a long value continues in another page.

        Yields the page, the bytes around the joint, and the offset of the joint in them, so that a secret across it is found.
        """
        for number in sorted(self._free):
            if not 1 < number <= self.count:
                continue
            page = self._page(number)
            following = int.from_bytes(page[:4], "big")
            if 1 < following <= self.count and following in self._free:
                end = page[-_STITCH_BYTES:]
                yield number, end + self._page(following)[4 : 4 + _STITCH_BYTES], len(end)


def _unused(page: bytes, base: int) -> list[tuple[int, int]]:
    """Return the ranges in a b-tree page that belong to no cell; none for other pages (the rest of a long value)."""
    header = _LEAVES.get(page[base]) if len(page) > base + 12 else None
    if header is None:
        return []
    first_free, cells, content = struct.unpack_from(">HHH", page, base + 1)
    ranges = [(base + header + 2 * cells, content or 65536)]
    seen = 0
    while first_free and first_free + 4 <= len(page) and seen < len(page) // 4:
        following, size = struct.unpack_from(">HH", page, first_free)
        ranges.append((first_free, first_free + size))
        if following <= first_free:
            break
        first_free, seen = following, seen + 1
    return ranges


def apply_wal(image: bytearray, wal: bytes, most_bytes: int) -> bytearray:
    """Apply the committed frames of the write-ahead log to a database of at most `most_bytes`.

    The result is marked as a database without such a log, so that it can be opened alone.
    """
    pages, size = _committed(wal)
    page_bytes = int.from_bytes(wal[8:12], "big")
    if size * page_bytes <= most_bytes:
        for number, offset in pages.items():
            end = number * page_bytes
            if end > len(image):
                image.extend(bytes(end - len(image)))
            image[end - page_bytes : end] = wal[offset : offset + page_bytes]
        if size:
            del image[size * page_bytes :]
    image[18:20] = b"\1\1"
    return image


def _committed(wal: bytes) -> tuple[dict[int, int], int]:
    """Return the newest committed frame of each page, as an offset in the log, and the number of pages after the last commit.

    Frames from before the log was last restarted have other salts. Checksums are not verified: a torn frame costs a row here, no
    data.
    """
    if len(wal) < _WAL_HEADER or int.from_bytes(wal[:4], "big") not in _WAL_MAGICS:
        return {}, 0
    page_bytes = int.from_bytes(wal[8:12], "big")
    if not 512 <= page_bytes <= 65536:
        return {}, 0
    done: dict[int, int] = {}
    pending: dict[int, int] = {}
    size = 0
    for at in range(_WAL_HEADER, len(wal) - _FRAME_HEADER - page_bytes + 1, _FRAME_HEADER + page_bytes):
        number, commit = struct.unpack_from(">II", wal, at)
        if wal[at + 8 : at + 16] != wal[16:24] or not number:
            break
        pending[number] = at + _FRAME_HEADER
        if commit:
            done.update(pending)
            pending, size = {}, commit
    return {number: at for number, at in done.items() if number <= size}, size
