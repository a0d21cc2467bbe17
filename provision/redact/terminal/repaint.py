"""Paint over what is already on the terminal: cells of the screen, without a change that the running program could notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from provision.redact.terminal.screen import Screen


def paint_over(screen: Screen, late: Set[int], covers: Mapping[int, str], *, placed: bool) -> tuple[str, set[int]]:
    """Return the output that covers the cells with the origins `late`, and those of them that are on the screen.

    `covers` are all covers so far. `placed`: the screen's rows are the terminal's. If that is not known, the cursor moves by
    the distance, which is right as long as lines only followed each other. Cursor, margins and modes are afterwards what they
    were. Colours are those that the program has set last.
    """
    placed = placed or screen.origin_mode
    painted: set[int] = set()
    out: list[str] = []
    at, following = screen.cursor[1], -1
    for y, (characters, origins) in enumerate(screen.grid()):
        if late.isdisjoint(origins):
            continue
        for x, origin in enumerate(origins):
            if origin not in late:
                continue
            if not (at == y and x == following):
                out.append(_moved(x, y - at, y, placed=placed))
            wide = characters[x + 1 : x + 2] == "\0"
            out.append("**" if wide else "*" if screen.graphics else covers[origin])
            at, following = y, x + len(out[-1])
            painted.add(origin)
    if not painted:
        return "", painted
    back = _back(screen, at, covers, placed=placed)
    return "".join((*_modes(screen, on=False), *out, *_modes(screen, on=True), *back)), painted


def _moved(x: int, down: int, y: int, *, placed: bool) -> str:
    if placed:
        return f"\x1b[{y + 1};{x + 1}H"
    vertical = f"\x1b[{abs(down)}{'B' if down > 0 else 'A'}" if down else ""
    return f"{vertical}\x1b[{x + 1}G"


def _modes(screen: Screen, *, on: bool) -> list[str]:
    """Switch off what would move the cover: counting from the margin, and pushing characters to the right."""
    modes = [("?6", screen.origin_mode), ("4", screen.inserting)]
    return [f"\x1b[{mode}{'h' if on else 'l'}" for mode, is_on in modes if is_on]


def _back(screen: Screen, at: int, covers: Mapping[int, str], *, placed: bool) -> tuple[str, ...]:
    """Move the cursor back. Behind the last column it gets only by a character that is written there."""
    x, y = screen.cursor
    last = min(x, screen.columns - 1)
    back = _moved(last, y - at, y - screen.top_margin if screen.origin_mode else y, placed=placed)
    if x < screen.columns:
        return (back,)
    characters, origins = screen.grid()[y]
    return back, covers.get(origins[last], characters[last])
