"""Text for terminals: nothing in it can control the terminal, and columns align."""

from __future__ import annotations

import pytest

from provision.report.terminal import plural, printable, table


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
