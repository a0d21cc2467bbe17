"""The screen: what ordinary programs send ends up where a terminal would show it, with its origin."""

from __future__ import annotations

import pytest

from provision.redact.terminal.canvas import NOWHERE
from provision.redact.terminal.screen import Screen


def _shown(output: str, columns: int = 20, rows: int = 4) -> list[str]:
    screen = Screen(columns, rows)
    screen.feed(output, 0)
    return _rows(screen)


def _rows(screen: Screen) -> list[str]:
    return ["".join(row.characters).rstrip() for row in screen._now.rows]


CASES = {
    "plain lines": ("one\r\ntwo", ["one", "two", "", ""]),
    "scrolling": ("1\r\n2\r\n3\r\n4\r\n5", ["2", "3", "4", "5"]),
    "wrapping": ("a" * 25, ["a" * 20, "a" * 5, "", ""]),
    "a full line and its end": ("a" * 20 + "\r\nb", ["a" * 20, "b", "", ""]),
    "backspace": ("abX\b \bc", ["abc", "", "", ""]),
    "colours": ("\x1b[1;31mred\x1b[0m \x1b[38;5;12mblue\x1b[m", ["red blue", "", "", ""]),
    "moving": ("\x1b[2;5Hx\x1b[Ay\x1b[3Bz", ["     y", "    x", "", "      z"]),
    "erasing the rest": ("abcdef\x1b[3D\x1b[K", ["abc", "", "", ""]),
    "erasing all": ("abc\x1b[2J\x1b[Hx", ["x", "", "", ""]),
    "inserting cells": ("abc\x1b[2G\x1b[2@", ["a  bc", "", "", ""]),
    "deleting cells": ("abcdef\x1b[2G\x1b[2P", ["adef", "", "", ""]),
    "inserting lines": ("1\r\n2\r\n3\x1b[2;1H\x1b[L", ["1", "", "2", "3"]),
    "deleting lines": ("1\r\n2\r\n3\x1b[2;1H\x1b[M", ["1", "3", "", ""]),
    "a region that scrolls": ("1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\nx", ["1", "3", "x", "4"]),
    "up at the top": ("1\r\n2\x1b[H\x1bM0", ["0", "1", "2", ""]),
    "a title is not shown": ("\x1b]0;a title\x07x\x1b]2;another\x1b\\y", ["xy", "", "", ""]),
    "saving the cursor": ("ab\x1b7\x1b[3;1Hc\x1b8d", ["abd", "", "c", ""]),
    "the other screen and back": ("shell\x1b[?1049h\x1b[Hvim\x1b[?1049l", ["shell", "", "", ""]),
    "on the other screen": ("shell\x1b[?1049h\x1b[Hvim", ["vim", "", "", ""]),
    "tabs": ("a\tb", ["a       b", "", "", ""]),
    "wide letters": ("漢字x", ["漢\0字\0x", "", "", ""]),
    "no wrapping": ("\x1b[?7l" + "a" * 19 + "cccb", ["a" * 19 + "b", "", "", ""]),
    "repeating": ("ab\x1b[3b", ["abbbb", "", "", ""]),
    "sequences of one character (C1)": (
        "\x9b31mred\udc9b0m\x9b3;5Hx\x8dy\x84z\x85end",
        ["red", "     y", "    x z", "end"],
    ),
    "a title in C1": ("a\x9d0;title\x9cb\udc9d2;other\udc9cc", ["abc", "", "", ""]),
    "C1 letters of a text": ("\u00e2\u20ac\x9da\u00e2\u20ac\x9d b", ["\u00e2\u20aca\u00e2\u20ac b", "", "", ""]),
    "unknown sequences": ("a\x1b[>4;2mb\x1b[?2004hc\x1b(Bd\x1b=e\x1b[18tf", ["abcdef", "", "", ""]),
    "huge numbers": ("\x1b[99999999;99999999Hx\x1b[99999999A\x1b[99999999Dy", ["y", "", "", " " * 19 + "x"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_shown(name: str) -> None:
    output, rows = CASES[name]
    assert _shown(output) == rows


@pytest.mark.parametrize("name", CASES)
def test_cutting_the_output_anywhere_shows_the_same(name: str) -> None:
    output, rows = CASES[name]
    screen = Screen(20, 4)
    for at, character in enumerate(output):
        screen.feed(character, at)
    assert _rows(screen) == rows


def test_each_cell_knows_where_it_came_from() -> None:
    screen = Screen(20, 3)
    screen.feed("ab\x1b[31mcd\r\n", 100)
    seen = screen.changed_lines()
    assert seen.text.startswith("abcd ")
    assert seen.origins[:5] == [100, 101, 107, 108, NOWHERE]


def test_only_lines_that_changed_are_looked_at_and_wrapped_ones_are_one() -> None:
    screen = Screen(10, 4)
    screen.feed("first\r\n" + "x" * 15, 0)
    assert [line.rstrip() for line in screen.changed_lines().text.splitlines()] == ["first", "x" * 15]
    screen.feed("\r\nlast", 22)
    assert [line.rstrip() for line in screen.changed_lines().text.splitlines()] == ["last"]


def test_lines_that_scroll_away_between_two_looks_are_seen() -> None:
    screen = Screen(10, 2)
    screen.feed("".join(f"line{i}\r\n" for i in range(9)), 0)
    text = screen.changed_lines().text
    assert all(f"line{i}" in text for i in range(9))


def test_what_is_erased_between_two_looks_is_seen() -> None:
    screen = Screen(20, 2)
    screen.feed("gone\x1b[2J\x1b[Hhere", 0)
    assert "gone" in screen.changed_lines().text


def test_before_the_cursor_stands_what_was_typed() -> None:
    screen = Screen(10, 4)
    screen.feed("$ export KEYS=abcX\b \b", 0)
    assert screen.before(*screen.cursor).text == "$ export KEYS=abc"


def test_a_smaller_terminal_keeps_what_fits() -> None:
    screen = Screen(20, 4)
    screen.feed("1\r\n2\r\n3\r\nfour", 0)
    screen.resize(3, 2)
    assert _rows(screen) == ["3", "fou"]
    screen.feed("x", 99)
    screen.resize(30, 5)
    assert len(_rows(screen)) == 5
