"""What is on the terminal already is painted over: an independent terminal (pyte) shows no part of a key that became complete."""

from __future__ import annotations

from collections.abc import Callable

import pyte
import pytest
from redactcraft import aisa_key, opaque, pieces_left, session

from provision.redact.session import Session
from provision.redact.terminal.live import _Covering
from provision.redact.terminal.output_scanner import OutputScanner

KEY = aisa_key("repaint")
OPAQUE = opaque("repaint", 36)


class _Shown:
    """The screens that a terminal showed after each output."""

    def __init__(self, used: Session, *, first_row: int = 0, told: bool = True) -> None:
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self._stream.feed(b"earlier\r\n" * first_row)
        self._covering = _Covering(OutputScanner(used, 80, 24), used, "demo", on_terminal=True)
        if told:
            self._covering.place(self.screen.cursor.x, self.screen.cursor.y)
        self.screens: list[str] = []

    def feed(self, output: str) -> None:
        self._stream.feed(self._covering.feed(output.encode()) + self._covering.flush())
        self.screens.append("\n".join(self.screen.display))


PAINTINGS: dict[str, Callable[[], list[str]]] = {
    "from right to left": lambda: [f"\x1b[5;{10 + at}H{KEY[at]}" for at in reversed(range(len(KEY)))],
    "a status line between letters": lambda: [
        f"\x1b[5;{10 + at}H{letter}\x1b[9;1Hletter {at}" for at, letter in enumerate(KEY)
    ],
    "the second half first": lambda: [f"\x1b[5;40H{KEY[30:]}", f"\x1b[5;10H{KEY[:30]}"],
    "inside of margins": lambda: [
        f"\x1b[3;8r\x1b[?6h\x1b[2;40H{KEY[30:]}", f"\x1b[2;10H{KEY[:30]}", "\x1b[?6l\x1b[r"
    ],
    "at the edge, with the cursor behind it": lambda: [f"\x1b[5;{81 - 21}H{KEY[30:]}", f"\x1b[5;{81 - 51}H{KEY[:30]}"],
    "pushed apart and together": lambda: [f"\x1b[5;1H{KEY[:20]} {KEY[20:]}", "\x1b[5;21H\x1b[P"],
    "pushed in": lambda: [f"\x1b[5;1H{KEY[40:]}", f"\x1b[5;1H\x1b[4h{KEY[:40]}", "\x1b[4l"],
    "on the other screen meanwhile": lambda: [f"\x1b[5;40H{KEY[30:]}", f"\x1b[5;10H{KEY[:30]}\x1b[?1049h", "\x1b[?1049l"],
}  # fmt: skip


@pytest.mark.parametrize("way", PAINTINGS)
def test_a_key_that_becomes_complete_is_painted_over(way: str) -> None:
    shown = _Shown(session())
    for move in ("\x1b[2J\x1b[H", *PAINTINGS[way](), "\x1b[12;1HREADY"):
        shown.feed(move)
        assert KEY not in shown.screens[-1].replace("\n", "")
    assert not pieces_left(KEY, shown.screens[-1], 5), shown.screens[-1]
    assert "READY" in shown.screen.display[11]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("row", [0, 10, 23])
def test_a_typed_key_without_prefix_goes_with_its_last_letter(row: int, *, told: bool) -> None:
    shown = _Shown(session(OPAQUE), first_row=row, told=told)
    for letter in f"$ ab {OPAQUE}":
        shown.feed(letter)
    assert shown.screen.display[row].startswith("$ ab [REDACTED:known-key#")
    assert not pieces_left(OPAQUE, shown.screens[-1], 4)
    assert (shown.screen.cursor.x, shown.screen.cursor.y) == (5 + len(OPAQUE), row)
    shown.feed(" z")
    assert shown.screen.display[row][4 + len(OPAQUE) :].rstrip() == "* z"


def test_what_follows_a_key_in_the_last_column_begins_the_next_line() -> None:
    shown = _Shown(session(OPAQUE))
    for letter in f"\x1b[5;{81 - len(OPAQUE)}H{OPAQUE}":
        shown.feed(letter)
    shown.feed("next")
    assert not pieces_left(OPAQUE, shown.screens[-1], 4)
    assert shown.screen.display[4].rstrip().endswith("*")
    assert shown.screen.display[5].rstrip() == "next"
