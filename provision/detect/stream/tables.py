"""Carry the head of a table from one window of a scan into the next: a value may be any number of windows below its header."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.detect.match import Match
    from provision.detect.rules.columns import OpenTable

    WindowFind = Callable[[bytes, int | None], tuple[list[Match], OpenTable | None]]

LONGEST_HEAD = 8 << 10
"""Bytes of a head that is carried. It replaces the beginning of the next window, where matches belong to the window before."""


class TableWindows:
    """Scans windows in order with `find`, which also returns the table that has rows after an offset."""

    def __init__(self, find: WindowFind) -> None:
        self._find = find
        self._head = b""
        self._rows = 0
        """Where the rows below the head begin in the next window."""

    def __call__(self, data: bytes, following: int | None) -> list[Match]:
        """See `sliding`."""
        moved = self._rows - len(self._head)
        text = self._head + data[self._rows :] if self._head else data
        since = None if following is None else following - moved + LONGEST_HEAD
        matches, table = self._find(text, since)
        if table and following is not None and len(table.head) <= LONGEST_HEAD:
            self._head, self._rows = table.head, table.at + moved - following
        else:
            self._head, self._rows = b"", 0
        return [match.moved(moved) for match in matches] if moved else matches
