"""Control sequences by their last letter (ECMA-48), as acts on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.redact.terminal.screen import Screen


def _first(numbers: list[int]) -> int:
    return max(1, numbers[0])


SEQUENCES: dict[str, Callable[[Screen, list[int]], None]] = {
    "A": lambda screen, n: screen.by(0, -_first(n)),
    "B": lambda screen, n: screen.by(0, _first(n)),
    "C": lambda screen, n: screen.by(_first(n), 0),
    "D": lambda screen, n: screen.by(-_first(n), 0),
    "E": lambda screen, n: screen.next_line(_first(n)),
    "F": lambda screen, n: screen.next_line(-_first(n)),
    "G": lambda screen, n: screen.column(_first(n) - 1),
    "`": lambda screen, n: screen.column(_first(n) - 1),
    "H": lambda screen, n: screen.move(max(1, n[1]) - 1 if len(n) > 1 else 0, _first(n) - 1),
    "f": lambda screen, n: screen.move(max(1, n[1]) - 1 if len(n) > 1 else 0, _first(n) - 1),
    "d": lambda screen, n: screen.line(_first(n) - 1),
    "J": lambda screen, n: screen.erase_display(n[0]),
    "K": lambda screen, n: screen.erase_line(n[0]),
    "X": lambda screen, n: screen.blank_cells(n[0]),
    "@": lambda screen, n: screen.shift(_first(n)),
    "P": lambda screen, n: screen.shift(-_first(n)),
    "L": lambda screen, n: screen.lines(_first(n)),
    "M": lambda screen, n: screen.lines(-_first(n)),
    "S": lambda screen, n: screen.scroll(-_first(n)),
    "T": lambda screen, n: screen.scroll(_first(n)),
    "b": lambda screen, n: screen.repeat(_first(n)),
    "r": lambda screen, n: screen.margins(n),
}
