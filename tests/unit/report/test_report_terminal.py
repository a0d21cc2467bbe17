"""Text for terminals: nothing in it can control the terminal, and columns align."""

from __future__ import annotations

import io
import os

import pytest

from provision.report import terminal
from provision.report.progress import Progress
from provision.report.terminal import (
    painted,
    plural,
    printable,
    register_fallbacks,
    results_are_data,
    results_are_prose,
    table,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢", "plain é 漢"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("user\u202egpj.exe", "user\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("a\u00a0b", "a\\xa0b"),
        ("label sk-aisa-" + "Ab3_" * 10 + "xyz", "label sk-a…_xyz"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_plural() -> None:
    assert [plural(n, "user") for n in (0, 1, 2, 1234)] == ["0 users", "1 user", "2 users", "1,234 users"]


def test_columns_align_by_width_on_screen() -> None:
    text = table(("A", "B"), [("x", 1), ("漢字", 2), ("e\u0301", 3)])
    assert text == "A     B\nx     1\n漢字  2\ne\u0301     3\n"


def test_rows_cannot_break_the_table() -> None:
    text = table(("A", "B"), [("x\ny", "\x1b[2J"), ("", "")])
    assert text.count("\n") == 3
    assert "\x1b" not in text
    assert not any(line != line.rstrip() for line in text.split("\n"))


ROWS = [
    ("ada.liskov", "ok", "engineering", "sends everything to the gateway of her team, as it was set up"),
    ("bob", "misrouted", "research", "sends to http://127.0.0.1:11434/v1"),
    ("漢字", "-", "", ""),
]
HEADERS = ("USER", "STATE", "PROFILE", "REMARK")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Results go to a terminal that knows colours."""
    made = Screen()
    monkeypatch.setattr("sys.stdout", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    results_are_prose()
    return made


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_a_table_fits_the_terminal_and_loses_nothing(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    on_screen(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    text = table(HEADERS, ROWS)
    longest = len("http://127.0.0.1:11434/v1") + len("  PROFILE  ")  # no word is cut
    assert all(terminal.display_width(line) <= max(width, longest) for line in text.splitlines())
    words = text.split()
    for word in " ".join(cell for row in ROWS for cell in row).split():
        assert word in words
    assert (len(text.splitlines()) == 4) is (width >= 100)


def test_elsewhere_every_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    on_screen(monkeypatch)
    monkeypatch.setenv("COLUMNS", "40")
    results_are_data()
    assert table(HEADERS, ROWS).count("\n") == 4
    results_are_prose()
    monkeypatch.setattr("sys.stdout", io.StringIO())
    text = table(HEADERS, ROWS)
    assert text.count("\n") == 4
    assert "\x1b" not in text


def test_only_words_that_are_states_have_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_screen(monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    text = table(HEADERS, ROWS)
    assert text.count("\x1b[32mok\x1b[0m") == 1
    assert text.count("\x1b[31mmisrouted\x1b[0m") == 1
    assert text.count("\x1b[0m") == 3
    assert painted("error: no such file", screen) == "\x1b[31merror:\x1b[0m no such file"
    assert painted("a.yaml:3:8: warning: x", screen) == "a.yaml:3:8: \x1b[33mwarning:\x1b[0m x"
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert "\x1b" not in table(HEADERS, ROWS) + painted("error: x", screen)


def test_a_table_without_headers_has_no_line_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    on_screen(monkeypatch)
    for width in ("200", "20"):
        monkeypatch.setenv("COLUMNS", width)
        assert table(("", ""), [("a", "b")], indent=2).splitlines()[0].strip().startswith("a")


def test_symbols_have_fallbacks_where_a_console_lacks_them() -> None:
    assert "█░ 5 % · a … é".encode("ascii", register_fallbacks()) == b"#. 5 % - a ... \\xe9"


def test_the_bar_has_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    progress = Progress("validate", 400, screen, lambda: 10.0)
    progress.step("ok", count=100, current="ada@laptop")
    wide = progress.bar(20.0, 120)
    assert wide == "██████░░░░░░░░░░░░░░░░░░  25 % validate 100/400 · 10/s · 0:30 left · 1 ok · ada@laptop"
    assert progress.bar(20.0, 60) == "validate 100/400 · 10/s · 0:30 left · 1 ok · ada@laptop"
    assert len(progress.bar(20.0, 40)) < 40
    assert "%" not in Progress("audit", None, screen, lambda: 10.0).bar(20.0, 200)
    assert os.linesep not in wide
