"""The cells of a terminal's screen. Each cell keeps the origin of its character: its position in the output."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NOWHERE = -1
"""Origin of a blank cell."""
_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})
MOST = 4096
"""Largest number of rows, columns and repeat counts; no real terminal has more."""


@dataclass(slots=True)
class _Row:
    characters: list[str]
    origins: list[int]
    wrapped: bool = False  # its last character is followed by the first of the next row
    dirty: bool = False


@dataclass(slots=True)
class _Buffer:
    rows: list[_Row]
    x: int = 0
    y: int = 0
    saved: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class ScreenText:
    """Lines of the screen, wrapped ones joined, with the origin of every character."""

    text: str
    origins: list[int]


@dataclass(slots=True)
class _Collected:
    parts: list[str] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)

    def row(self, row: _Row, *, joined: bool) -> None:
        self.parts += row.characters
        self.origins += row.origins
        if not joined:
            self.parts.append("\n")
            self.origins.append(NOWHERE)


class Canvas:
    """Rows of cells and a cursor: drawing, erasing and scrolling."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = max(1, min(columns, MOST))
        self.rows = max(1, min(rows, MOST))
        self._main = _Buffer([self._blank() for _ in range(self.rows)])
        self._other = _Buffer([self._blank() for _ in range(self.rows)])
        self._now = self._main
        self._top, self._bottom = 0, self.rows - 1
        self._gone = _Collected()
        self._last = (" ", NOWHERE)
        self._autowrap = True
        self.inserting = False

    def _blank(self) -> _Row:
        return _Row([" "] * self.columns, [NOWHERE] * self.columns)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size. Lines are cut or padded; lines that no longer fit are kept for the next `changed_lines`."""
        self.columns, self.rows = max(1, min(columns, MOST)), max(1, min(rows, MOST))
        for buffer in (self._main, self._other):
            while len(buffer.rows) > self.rows:
                self._leave(buffer.rows.pop(0))
                buffer.y -= 1
            for row in buffer.rows:
                del row.characters[self.columns :], row.origins[self.columns :]
                missing = self.columns - len(row.characters)
                row.characters += [" "] * missing
                row.origins += [NOWHERE] * missing
            buffer.rows += [self._blank() for _ in range(self.rows - len(buffer.rows))]
            buffer.x, buffer.y = min(buffer.x, self.columns - 1), max(0, min(buffer.y, self.rows - 1))
        self._top, self._bottom = 0, self.rows - 1

    def changed_lines(self) -> ScreenText:
        """Return all lines that changed since the last call, with the lines that they continue."""
        seen, self._gone = self._gone, _Collected()
        rows = self._now.rows
        at = 0
        while at < len(rows):
            end = at
            while end + 1 < len(rows) and self._continues(end):
                end += 1
            if any(row.dirty for row in rows[at : end + 1]):
                for index in range(at, end + 1):
                    seen.row(rows[index], joined=index < end)
                    rows[index].dirty = False
            at = end + 1
        return ScreenText("".join(seen.parts), seen.origins)

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row of the cursor; the column is the number of columns after a character in the last one."""
        return self._now.x, self._now.y

    @property
    def on_alternate(self) -> bool:
        """Whether a full-screen program has the screen."""
        return self._now is self._other

    def place(self, x: int, y: int) -> None:
        """Say where the cursor really is. Rows move along; those that leave are kept for the next `changed_lines`."""
        now = self._now
        y = max(0, min(y, self.rows - 1))
        for _ in range(y - now.y):
            self._leave(now.rows.pop())
            now.rows.insert(0, self._blank())
        for _ in range(now.y - y):
            self._leave(now.rows.pop(0))
            now.rows.append(self._blank())
        now.x, now.y = max(0, min(x, self.columns - 1)), y

    def grid(self) -> list[tuple[str, list[int]]]:
        """Return the characters and origins of every row."""
        return [("".join(row.characters), row.origins) for row in self._now.rows]

    def origins_kept(self) -> set[int]:
        """Return the origins of all cells, of the hidden one of the two screens too."""
        return {origin for buffer in (self._main, self._other) for row in buffer.rows for origin in row.origins}

    def before(self, x: int, y: int) -> ScreenText:
        """Return the line up to a cell, such as the one that is being written up to the cursor."""
        now = self._now
        first = y
        while first > 0 and self._continues(first - 1):
            first -= 1
        seen = _Collected()
        for row in now.rows[first:y]:
            seen.row(row, joined=True)
        row = now.rows[y]
        seen.parts += row.characters[:x]
        seen.origins += row.origins[:x]
        return ScreenText("".join(seen.parts), seen.origins)

    def _continues(self, index: int) -> bool:
        """Whether a row continues in the next: wrapped by the terminal, or filled to the edge by a program that wraps itself."""
        row, following = self._now.rows[index], self._now.rows[index + 1]
        return row.wrapped or (row.characters[-1] != " " and following.characters[0] != " ")

    def _leave(self, row: _Row) -> None:
        """A row leaves the screen: keep it for the next `changed_lines` if it has changed."""
        if row.dirty or row.wrapped:
            self._gone.row(row, joined=row.wrapped)

    def _run(self, run: str, origins: Sequence[int]) -> None:
        now, at = self._now, 0
        while at < len(run):
            if now.x >= self.columns:
                self._wrap()
            count = min(len(run) - at, self.columns - now.x)
            self._put(run[at : at + count], origins[at : at + count])
            at += count
            if at < len(run) and not self._autowrap:  # the terminal draws the rest on the last column
                at = len(run) - 1
                now.x = self.columns - 1
        self._last = (run[-1], origins[-1])

    def _put(self, piece: str, origins: Sequence[int]) -> None:
        now = self._now
        row = now.rows[now.y]
        if self.inserting:
            self.insert_cells(len(piece))
        row.characters[now.x : now.x + len(piece)] = piece
        row.origins[now.x : now.x + len(piece)] = origins
        row.dirty = True
        now.x += len(piece)

    def _wide(self, character: str, origin: int) -> None:
        if unicodedata.category(character) in _NO_WIDTH and character != "\xad":
            return
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self._now.x + width > self.columns:
            self._wrap()
        self._run(character, (origin,))
        if width == 2:
            self._run("\0", (NOWHERE,))  # its right half

    def _wrap(self) -> None:
        now = self._now
        if not self._autowrap:
            now.x = self.columns - 1
            return
        now.rows[now.y].wrapped = True
        now.x = 0
        self._down()

    def _down(self) -> None:
        now = self._now
        if now.y == self._bottom:
            self._leave(now.rows[self._top])
            del now.rows[self._top]
            now.rows.insert(self._bottom, self._blank())
        elif now.y < self.rows - 1:
            now.y += 1

    def _up(self) -> None:
        now = self._now
        if now.y == self._top:
            self._leave(now.rows[self._bottom])
            del now.rows[self._bottom]
            now.rows.insert(self._top, self._blank())
        elif now.y > 0:
            now.y -= 1

    def erase_display(self, how: int) -> None:
        """Erase from the cursor on (0), up to the cursor (1), or everything (2 and 3)."""
        x, y = min(self._now.x, self.columns - 1), self._now.y
        if how == 0:
            self._erase(x, y, self.rows - 1, self.columns)
        elif how == 1:
            self._erase(0, 0, y, x + 1)
        else:
            self._erase(0, 0, self.rows - 1, self.columns)

    def erase_line(self, how: int) -> None:
        """Erase from the cursor on (0), up to the cursor (1), or the whole row (2)."""
        x, y = min(self._now.x, self.columns - 1), self._now.y
        self._erase(0 if how else x, y, y, x + 1 if how == 1 else self.columns)

    def _erase(self, x: int, y: int, last: int, end: int) -> None:
        """Erase from (x, y) to before `end` in row `last`. Changed text is kept for the next `changed_lines`."""
        for index in range(y, last + 1):
            row = self._now.rows[index]
            left, right = x if index == y else 0, end if index == last else self.columns
            if row.dirty and max(row.origins[left:right], default=NOWHERE) > NOWHERE:
                self._gone.row(row, joined=False)
            row.characters[left:right] = [" "] * (right - left)
            row.origins[left:right] = [NOWHERE] * (right - left)
            if right == self.columns:
                row.wrapped = False

    def insert_cells(self, count: int) -> None:
        """Insert (positive) or delete cells at the cursor."""
        now = self._now
        row, x = now.rows[now.y], min(now.x, self.columns - 1)
        count = max(x - self.columns, min(count, self.columns - x))
        fresh = abs(count)
        if count > 0:
            row.characters[x:x] = [" "] * fresh
            row.origins[x:x] = [NOWHERE] * fresh
            del row.characters[self.columns :], row.origins[self.columns :]
        else:
            del row.characters[x : x + fresh], row.origins[x : x + fresh]
            row.characters += [" "] * fresh
            row.origins += [NOWHERE] * fresh
        row.dirty = True

    def erase_cells(self, count: int) -> None:
        """Erase `count` cells from the cursor on."""
        x, y = min(self._now.x, self.columns - 1), self._now.y
        self._erase(x, y, y, min(self.columns, x + max(1, count)))

    def insert_lines(self, count: int) -> None:
        """Insert (positive) or delete rows at the cursor."""
        now = self._now
        if self._top <= now.y <= self._bottom:
            self._scroll(now.y, count)

    def scroll(self, count: int) -> None:
        """Move the rows within the margins down (positive) or up."""
        self._scroll(self._top, count)

    def _scroll(self, top: int, count: int) -> None:
        rows = self._now.rows
        for _ in range(min(abs(count), self._bottom - top + 1)):
            leaving = self._bottom if count > 0 else top
            self._leave(rows[leaving])
            del rows[leaving]
            rows.insert(top if count > 0 else self._bottom, self._blank())

    def repeat(self, count: int) -> None:
        """Draw the last character again: the terminal repeats what it shows, so the copies share its origin."""
        count = min(count, self.columns)
        self._run(self._last[0] * count, (self._last[1],) * count)
