"""A terminal emulator that knows, for every cell, which character of the output was drawn there.

A key that is typed letter by letter, corrected with backspaces, or painted by a full-screen program is nowhere in one
piece in the output, but it is on the screen. The cells' origins lead from there back to the output. The emulator knows
what common programs send (ECMA-48 and xterm's usual additions) and ignores the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.redact.terminal.canvas import MOST, Canvas

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(
    r"(?P<run>[\x20-\x7e]+)"
    r"|(?:\x1b\[|[\x9b\udc9b])(?P<private>[<=>?]?)(?P<parameters>[0-9:;]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|(?=\x1b[^\\]))"
    r"|[\x90\x98\x9d-\x9f\udc9d][^\x07\x1b\x9c\udc9c\n]{0,4096}(?:\x07|\x1b\\|[\x9c\udc9c])"
    r"|\x1b(?P<escape>[ -/]*[0-OQ-WYZ`-~])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f\x84\x85\x8d])"
    r"|(?P<other>[^\x00-\x9f])"
    r"|(?P<stray>[\s\S])",
)
"""Sequences also begin with one character (C1). What a terminal shows that knows those is searched, and the text as it is."""
_UNFINISHED = re.compile(
    r"(?:\x1b(?:\[[0-9:;<=>?]*[ -/]*|[\]PX^_][^\x07\x1b\x9c]{0,65536}\x1b?|[ -/]*)?"
    r"|[\x9b\udc9b][0-9:;<=>?]*[ -/]*|[\x9d\udc9d][0-9]{0,4}(?:;[^\x07\x1b\x9c\udc9c\n]{0,256}\x1b?)?)\Z"
)
_TAB = 8
_TYPED = 3
"""So many characters in one run may be typed by hand."""
_MOST_ENDS = 16
_GRAPHICS = str.maketrans("jklmnqtuvwx", "┘┐┌└┼─├┤┴┬│")
"""DEC's line drawing."""


def unfinished_escape(text: str) -> int:
    """Return where an escape sequence begins that the end of a text cuts; the text's length if there is none."""
    found = _UNFINISHED.search(text, max(0, len(text) - MOST))
    return found.start() if found else len(text)


class Screen(Canvas):
    """A screen that is fed with output."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self._rest, self._rest_base = "", 0
        self.graphics = False  # letters are shown as lines of boxes
        self._second_is_graphics = False
        self.origin_mode = False
        self.typed_ends: list[tuple[int, int]] = []

    @property
    def top_margin(self) -> int:
        """The first row that scrolls."""
        return self._top

    def feed(self, text: str, base: int) -> None:
        """Draw output whose first character has the origin `base`. An escape sequence may be cut anywhere.

        `typed_ends` are then the places where a run of few characters ended: what a program echoes before it goes elsewhere.
        """
        self.typed_ends = []
        if self._rest:
            text, base, self._rest = self._rest + text, self._rest_base, ""
        end = unfinished_escape(text)
        if end < len(text):
            self._rest, self._rest_base = text[end:], base + end
            text = text[:end]
        for token in _TOKEN.finditer(text):
            kind, origin = token.lastgroup, base + token.start()
            if kind == "run":
                run = token.group()
                self._run(run.translate(_GRAPHICS) if self.graphics else run, range(origin, origin + len(run)))
                if len(run) <= _TYPED and len(self.typed_ends) < _MOST_ENDS:
                    self.typed_ends.append(self.cursor)
            elif kind == "other":
                self._wide(token.group(), origin)
            elif kind == "control":
                self._control(token.group())
            elif kind == "final":
                self._sequence(token["private"], token["parameters"], token["final"])
            elif kind == "escape":
                self._escape(token["escape"])

    def _control(self, control: str) -> None:
        now = self._now
        if control == "\r":
            now.x = 0
        elif control in "\n\x0b\x0c":
            now.rows[now.y].wrapped = False
            self._down()
        elif control in "\x84\x85":
            now.x = 0 if control == "\x85" else now.x
            self._down()
        elif control == "\x8d":
            self._up()
        elif control == "\b":
            now.x = max(0, min(now.x, self.columns) - 1)
        elif control in "\x0e\x0f":
            self.graphics = self._second_is_graphics and control == "\x0e"
        elif control == "\t":
            now.x = min(self.columns - 1, (now.x // _TAB + 1) * _TAB)

    def _escape(self, escape: str) -> None:
        now = self._now
        match escape:
            case "7":
                self.save()
            case "8":
                self.restore()
            case "D":
                self._down()
            case "E":
                now.x = 0
                self._down()
            case "M":
                self._up()
            case "c":
                self._erase(0, 0, self.rows - 1, self.columns)
                now.x = now.y = 0
                self.graphics = self.origin_mode = self.inserting = False
            case "(0" | "(B":
                self.graphics = escape == "(0"
            case ")0" | ")B":
                self._second_is_graphics = escape == ")0"

    def _sequence(self, private: str, parameters: str, final: str) -> None:
        numbers = [min(int(n), MOST) if n else 0 for n in parameters.replace(":", ";").split(";")]
        if private:
            if private == "?" and final in "hl":
                self._mode(numbers, on=final == "h")
            return
        act = _SEQUENCES.get(final)
        if act:
            act(self, numbers)

    def _mode(self, numbers: list[int], *, on: bool) -> None:
        for number in numbers:
            if number in {47, 1047, 1049}:
                for row in self._now.rows:
                    self._leave(row)
                    row.dirty = False
                self._now = self._other if on else self._main
                if on:
                    self._other.rows[:] = [self._blank() for _ in range(self.rows)]
                self._top, self._bottom = 0, self.rows - 1
            elif number == 7:
                self._autowrap = on
            elif number == 6:
                self.origin_mode = on
                self.move_to(0, 0)

    def save(self) -> None:
        """Remember the place of the cursor."""
        self._now.saved = (self._now.x, self._now.y)

    def restore(self) -> None:
        """Move the cursor to the remembered place."""
        self._now.x, self._now.y = self._now.saved

    def set_inserting(self, numbers: list[int], *, on: bool) -> None:
        """Set whether characters push those behind them to the right."""
        if 4 in numbers:
            self.inserting = on

    def move_to(self, x: int, y: int) -> None:
        """Move the cursor as a program counts: from the margin in origin mode."""
        self.move(x, min(y + self._top, self._bottom) if self.origin_mode else y)

    def tab(self, count: int) -> None:
        """Move the cursor over tab stops, to the left if negative."""
        x = self._now.x // _TAB if count > 0 else -(-self._now.x // _TAB)
        self.move_to_column((x + count) * _TAB)

    def move(self, x: int, y: int) -> None:
        """Move the cursor, within the screen."""
        self._now.x, self._now.y = max(0, min(x, self.columns - 1)), max(0, min(y, self.rows - 1))

    def move_by(self, right: int, down: int) -> None:
        """Move the cursor relative to its position."""
        self.move(min(self._now.x, self.columns - 1) + right, self._now.y + down)

    def next_line(self, down: int) -> None:
        """Move the cursor to the beginning of another row."""
        self.move(0, self._now.y + down)

    def move_to_column(self, x: int) -> None:
        """Move the cursor within its row."""
        self.move(x, self._now.y)

    def move_to_line(self, y: int) -> None:
        """Move the cursor to another row."""
        self.move_to(min(self._now.x, self.columns - 1), y)

    def set_margins(self, numbers: list[int]) -> None:
        """Set the rows that scroll."""
        top = max(1, numbers[0]) - 1
        bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
        if top < bottom < self.rows:
            self._top, self._bottom = top, bottom
        self.move_to(0, 0)


def _first(numbers: list[int]) -> int:
    return max(1, numbers[0])


_SEQUENCES: dict[str, Callable[[Screen, list[int]], None]] = {
    "A": lambda screen, n: screen.move_by(0, -_first(n)),
    "B": lambda screen, n: screen.move_by(0, _first(n)),
    "C": lambda screen, n: screen.move_by(_first(n), 0),
    "D": lambda screen, n: screen.move_by(-_first(n), 0),
    "E": lambda screen, n: screen.next_line(_first(n)),
    "F": lambda screen, n: screen.next_line(-_first(n)),
    "G": lambda screen, n: screen.move_to_column(_first(n) - 1),
    "`": lambda screen, n: screen.move_to_column(_first(n) - 1),
    "H": lambda screen, n: screen.move_to(max(1, n[1]) - 1 if len(n) > 1 else 0, _first(n) - 1),
    "f": lambda screen, n: screen.move_to(max(1, n[1]) - 1 if len(n) > 1 else 0, _first(n) - 1),
    "d": lambda screen, n: screen.move_to_line(_first(n) - 1),
    "J": lambda screen, n: screen.erase_display(n[0]),
    "K": lambda screen, n: screen.erase_line(n[0]),
    "X": lambda screen, n: screen.erase_cells(n[0]),
    "@": lambda screen, n: screen.insert_cells(_first(n)),
    "P": lambda screen, n: screen.insert_cells(-_first(n)),
    "L": lambda screen, n: screen.insert_lines(_first(n)),
    "M": lambda screen, n: screen.insert_lines(-_first(n)),
    "S": lambda screen, n: screen.scroll(-_first(n)),
    "T": lambda screen, n: screen.scroll(_first(n)),
    "b": lambda screen, n: screen.repeat(_first(n)),
    "r": lambda screen, n: screen.set_margins(n),
    "a": lambda screen, n: screen.move_by(_first(n), 0),
    "e": lambda screen, n: screen.move_by(0, _first(n)),
    "I": lambda screen, n: screen.tab(_first(n)),
    "Z": lambda screen, n: screen.tab(-_first(n)),
    "s": lambda screen, _: screen.save(),
    "u": lambda screen, _: screen.restore(),
    "h": lambda screen, n: screen.set_inserting(n, on=True),
    "l": lambda screen, n: screen.set_inserting(n, on=False),
}
"""What a control sequence does, by its last letter (ECMA-48)."""
