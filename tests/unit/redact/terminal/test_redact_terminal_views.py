"""How the screen is read: lines joined that fill a row, and what may be a part of a key at an edge."""

from __future__ import annotations

from redactcraft import opaque

from provision.redact.terminal.views import PaneRow, cut_at_edges, joined_lines

WIDTH = 20
PART = opaque("views", 18)


def pane(*rows: str) -> list[PaneRow]:
    return [PaneRow(row.ljust(WIDTH), range(n * WIDTH, (n + 1) * WIDTH)) for n, row in enumerate(rows)]


def test_lines_that_fill_a_row_are_joined_to_the_last_column() -> None:
    seen = joined_lines(pane("a" * WIDTH, "bc", "d"), bordered=False)
    assert [line.rstrip() for line in seen.text.split("\n")] == ["", "a" * WIDTH + "bc", "d"]
    assert [seen.text[seen.origins.index(at)] for at in (WIDTH - 1, WIDTH)] == ["a", "b"]


def test_columns_beside_a_border_may_be_free() -> None:
    rows = pane("a" * (WIDTH - 1), "bc")
    assert "a" * (WIDTH - 1) + "bc" in joined_lines(rows, bordered=True).text
    assert "\nbc" in joined_lines(rows, bordered=False).text


def test_a_random_word_at_an_edge_may_be_a_part_and_a_digest_is_none() -> None:
    digest = "0f3a9c71be5d2846af"
    rows = pane(PART, digest, "ordinary-long-words")
    assert [text for text, _ in cut_at_edges(rows, guess_right=True, seen=True)] == [PART]
