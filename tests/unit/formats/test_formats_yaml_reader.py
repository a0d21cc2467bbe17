"""Located YAML: places, traps, bombs."""

from __future__ import annotations

import pytest
import yaml

from provision.errors import Place, Problem
from provision.formats.located import Map, leaves, locate, place
from provision.formats.scalars import AmbiguousError, resolve_scalar
from provision.formats.yaml_reader import MAX_DEPTH, MAX_SCALAR, read_yaml


def problems(text: str | bytes) -> list[Problem]:
    return read_yaml(text if isinstance(text, bytes) else text.encode(), "f.yaml")[1]


def only(text: str | bytes) -> tuple[str, int, int]:
    found = problems(text)
    assert len(found) == 1, found
    assert found[0].place is not None
    return found[0].rule, found[0].place.line, found[0].place.column


def test_every_key_and_value_has_its_place() -> None:
    root, found = read_yaml(b"a: 1\nb:\n  c: [x, {d: y}]\n", "f.yaml")
    assert not found
    assert root == {"a": 1, "b": {"c": ["x", {"d": "y"}]}}
    assert place("f", locate(root, ["b", "c", 1, "d"], 0)) == Place("f", 3, 14)
    assert place("f", locate(root, ["b", "c"], 0, key=True)) == Place("f", 3, 3)
    assert dict(leaves(root))["b.c.1"] == root["b"]["c"].marks[1]


def test_columns_count_characters_and_not_bytes() -> None:
    root, _ = read_yaml("a: {ä: é, z: 1}\n".encode(), "f")
    assert place("f", root["a"].marks["z"]) == Place("f", 1, 14)


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        ("a: 1\na: 2\n", "yaml-duplicate", 2, 1),
        ("a: {b: 1, b: 2}\n", "yaml-duplicate", 1, 11),
        ("a: !!python/object:os.system x\n", "yaml-tag", 1, 4),
        ("a: !foo [x]\n", "yaml-tag", 1, 4),
        ("1: x\n", "yaml-key", 1, 1),
        ("? [a]\n: x\n", "yaml-key", 1, 3),
        ("true: x\n", "yaml-key", 1, 1),
        ("a: *x\n", "yaml-alias", 1, 4),
        ("a: &x {b: *x}\n", "yaml-alias", 1, 11),
        ("a: 1\n--- \nb: 2\n", "yaml-documents", 2, 1),
        ("a:\n\tb: 1\n", "yaml-syntax", 2, 1),
        ("a: [1\nb: 2\n", "yaml-syntax", 2, 2),
        ('a: "\\x1b[31m"\n', "control-character", 1, 4),
        ('a: "\\u202e"\n', "control-character", 1, 4),
        ("a: x\x1by\n", "control-character", 1, 5),
        ("a: x\0y\n", "control-character", 1, 5),
        (b"a: x\nb: \xff\n", "not-utf8", 2, 4),
        ("a: 1".encode("utf-16"), "not-utf8", 1, 1),
        ("a: " + "x" * (MAX_SCALAR + 1), "yaml-size", 1, 4),
        ("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, "yaml-depth", 1, 3 + MAX_DEPTH),
    ],
)
def test_what_is_refused(text: str | bytes, rule: str, line: int, column: int) -> None:
    assert only(text) == (rule, line, column)


def test_merge_keys_are_refused_with_one_problem() -> None:
    assert [p.rule for p in problems("a: &x {b: 1}\nc:\n  <<: *x\n")] == ["yaml-ambiguous"]


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "No",
        "ON",
        "off",
        "010",
        "0o17",
        "0x1f",
        "0b1",
        "1_000",
        "1:30",
        "12:30:45",
        "1e3",
        "1.5e3",
        ".5",
        "5.",
        ".inf",
        "-.INF",
        ".NaN",
        "2026-01-31",
        "2026-1-3T10:00:00Z",
        "=",
        "<<",
        "+012",
    ],
)
def test_words_on_which_readers_disagree_are_refused(word: str) -> None:
    with pytest.raises(AmbiguousError):
        resolve_scalar(word)


@pytest.mark.parametrize(
    ("word", "value"),
    [("", None), ("~", None), ("null", None), ("true", True), ("False", False), ("0", 0), ("-12", -12), ("1.5", 1.5)]
    + [
        (w, w)
        for w in ("gpt-5.2", "nope", "y", "n", "1.2.3", "v1", "3d", "age1x", "/x", "-x", "a:b", "none", "10.0.0.1")
    ],
)
def test_words_on_which_readers_agree(word: str, value: object) -> None:
    assert resolve_scalar(word) == value
    assert yaml.safe_load(word) == value


def test_an_alias_keeps_the_place_of_its_anchor() -> None:
    root, found = read_yaml(b"a: &x [p, q]\nb: *x\n", "f")
    assert not found
    assert root["b"] == ["p", "q"]
    assert place("f", root["b"].marks[0]) == Place("f", 1, 8)


def test_a_bomb_of_aliases_is_defused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert [p.rule for p in problems("\n".join(lines))] == ["yaml-alias"]


def test_streaming_hands_out_items_and_keeps_nothing() -> None:
    seen: list[tuple[object, int, list[str]]] = []
    root, found = read_yaml(
        b"defaults: {a: 1}\nusers:\n  - id: a\n  - id: b\n",
        "f",
        stream="users",
        visit=lambda item, at, root: seen.append((item, at >> 32, list(root))),
    )
    assert not found
    assert [(item, line) for item, line, _ in seen] == [({"id": "a"}, 3), ({"id": "b"}, 4)]
    assert seen[0][2] == ["defaults"]
    assert root["users"] == []


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~"])
def test_an_empty_document_is_none(text: str) -> None:
    assert read_yaml(text.encode(), "f") == (None, [])


def test_a_byte_order_mark_and_crlf_are_fine() -> None:
    root, found = read_yaml(b"\xef\xbb\xbfa: 1\r\nb: x\r\n", "f")
    assert not found
    assert isinstance(root, Map)
    assert root == {"a": 1, "b": "x"}


def test_a_syntax_error_names_what_it_is_part_of_and_where_that_begins() -> None:
    (plain,) = problems("a: b: c\n")
    assert plain.message == "this is not valid YAML: mapping values are not allowed in this context"
    (nested,) = problems("a: [1,\n2\nb: 3\n")
    assert nested.message.endswith("while parsing a flow sequence that begins in line 1")
