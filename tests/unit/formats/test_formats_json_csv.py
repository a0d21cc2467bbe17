"""Located JSON and CSV."""

from __future__ import annotations

import json

import pytest

from provision.errors import Place
from provision.formats.csv_reader import read_csv
from provision.formats.json_reader import read_json
from provision.formats.located import BrokenTextError, place


def test_json_has_places() -> None:
    root, found = read_json(b'{"a": {\n  "b": [1, "x"]}}', "f")
    assert not found
    assert place("f", root["a"].key_marks["b"]) == Place("f", 2, 3)
    assert place("f", root["a"]["b"].marks[1]) == Place("f", 2, 12)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"a": [{"b": None}, True, -1.5e3, 'é"\\\n\ud83d\ude00'.encode("utf-16", "surrogatepass").decode("utf-16")]},
    ],
)
def test_json_means_what_it_means_to_python(value: object) -> None:
    for indent in (None, 2):
        assert read_json(json.dumps(value, indent=indent).encode(), "f") == (value, [])


@pytest.mark.parametrize(
    ("text", "rule", "where"),
    [
        ('{"a": 1,\n "a": 2}', "json-duplicate", (2, 2)),
        ('{"a": 1,}', "json-syntax", (1, 9)),
        ("[1 2]", "json-syntax", (1, 4)),
        ("[NaN]", "json-syntax", (1, 2)),
        ('"a\nb"', "json-syntax", (1, 1)),
        ("", "json-syntax", (1, 1)),
        ("[1] x", "json-syntax", (1, 5)),
        ('["\\ud800"]', "control-character", (1, 2)),
        ('["\\u001b"]', "control-character", (1, 2)),
        ("[" * 40, "json-syntax", (1, 33)),
        ("[" + "9" * 5000 + "]", "json-number", (1, 2)),
    ],
)
def test_json_refuses(text: str, rule: str, where: tuple[int, int]) -> None:
    (problem,) = read_json(text.encode(), "f")[1]
    assert (problem.rule, problem.place) == (rule, Place("f", *where))


def rows(text: str) -> list[list[tuple[str, int, int]]]:
    return [[(c.text, c.mark >> 32, c.mark & 0xFFFF) for c in row] for row in read_csv(text.encode(), "f")]


def test_csv_has_places_across_quotes_and_breaks() -> None:
    assert rows('a,b\r\n"x ""y"" \nz",2\n\n# no\nlast,3') == [
        [("a", 1, 1), ("b", 1, 3)],
        [('x "y" \nz', 2, 1), ("2", 3, 4)],
        [("last", 6, 1), ("3", 6, 6)],
    ]


def test_csv_skips_empty_rows_and_comments_whatever_blanks_precede_them() -> None:
    text = 'a,b\n  # indented, comment\n\t#,x\n , \n,\n1,#2\n"#3",4\n'
    assert [[cell for cell, _, _ in row] for row in rows(text)] == [["a", "b"], ["1", "#2"]]


@pytest.mark.parametrize(
    ("text", "line", "column"), [('a,"b', 1, 3), ('a,"b"c\n', 1, 6), ('x\na,b"c\n', 2, 4), ("a\rb\n", 1, 2)]
)
def test_csv_refuses(text: str, line: int, column: int) -> None:
    with pytest.raises(BrokenTextError) as caught:
        rows(text)
    assert caught.value.problem.place == Place("f", line, column)
