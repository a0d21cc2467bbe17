"""Mappings and lists that remember where each of their entries stands in a file.

They are plain `dict` and `list` to whoever validates them. A mark is one integer, line and column packed together, so
that a file of 100,000 users costs little more than its text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from provision.errors import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_INVISIBLE = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f{_INVISIBLE}]")
"""Characters that are refused everywhere: C0 and C1 but newline and tab, what reorders text on a screen, lone surrogates."""
_RAW_CONTROL = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f{_INVISIBLE}]|\r(?!\n)")


def mark(line: int, column: int) -> int:
    """A position, both counted from 1, as one integer."""
    return line << 32 | column


def place(file: str, position: int) -> Place:
    """The place that a mark stands for."""
    return Place(file, position >> 32, position & 0xFFFFFFFF)


class Map(dict[str, Any]):
    """A mapping with the mark of each key and of each value."""

    __slots__ = ("key_marks", "marks")

    def __init__(self) -> None:
        super().__init__()
        self.key_marks: dict[str, int] = {}
        self.marks: dict[str, int] = {}

    def put(self, key: str, value: Any, key_mark: int, value_mark: int) -> None:
        """Set a key together with where it and its value stand."""
        self[key] = value
        self.key_marks[key] = key_mark
        self.marks[key] = value_mark


class Seq(list[Any]):
    """A list with the mark of each item."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[int] = []

    def put(self, value: Any, value_mark: int) -> None:
        """Append an item together with where it stands."""
        self.append(value)
        self.marks.append(value_mark)


def locate(root: Any, path: Sequence[str | int], start: int, *, key: bool = False) -> int:
    """The mark of the value at `path` below `root`, or of its key; of the nearest parent when the path is not there."""
    found, node = start, root
    for depth, step in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(node, Map) and isinstance(step, str) and step in node:
            found = node.key_marks[step] if key and last else node.marks[step]
        elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
            found = node.marks[step]
        else:
            break
        node = node[step]
    return found


def leaves(node: Map, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Dotted path and mark of every value that is no filled mapping; a list comes as a whole and then item by item."""
    for key, value in node.items():
        path = f"{prefix}{key}"
        if isinstance(value, Map) and value:
            yield from leaves(value, f"{path}.")
            continue
        yield path, node.marks[key]
        if isinstance(value, Seq):
            for index, item_mark in enumerate(value.marks):
                yield f"{path}.{index}", item_mark


def without_positions(value: Any) -> Any:
    """The same value without positions."""
    if isinstance(value, dict):
        return {key: without_positions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_positions(item) for item in value]
    return value


class BrokenTextError(Exception):
    """A file cannot be read any further; carries the problem. Only the readers of this package raise and catch it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def decode_utf8(data: bytes, file: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark.

    Raises BrokenTextError at the first byte that is no UTF-8 and at the first control character.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        before = data[: e.start].decode("utf-8", "replace")
        hint = "save the file as UTF-8"
        if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            hint = "this looks like UTF-16: save the file as UTF-8"
        at = position_of(before, len(before))
        raise BrokenTextError(Problem("not-utf8", "this is not UTF-8 text", place(file, at), hint)) from e
    found = _RAW_CONTROL.search(text)
    if found:
        at = position_of(text, found.start())
        message = f"a {character_name(found.group())} is not allowed in this file"
        raise BrokenTextError(Problem("control-character", message, place(file, at), "remove it"))
    return text


def position_of(text: str, offset: int) -> int:
    """The mark of an offset in a text."""
    line = text.count("\n", 0, offset) + 1
    return mark(line, offset - (text.rfind("\n", 0, offset) + 1) + 1)


def character_name(found: str) -> str:
    """What an unwanted character is called: `control character U+001B`."""
    kind = "NUL character" if found == "\0" else "control or invisible character"
    return f"{kind} U+{ord(found):04X}"


def quoted(value: object) -> str:
    """A value as a message may quote it: short ones whole, of long ones (they might be a secret) only the beginning."""
    text = value if isinstance(value, str) else str(value)
    return f"'{text}'" if len(text) <= 24 else f"'{text[:8]}…' ({len(text)} characters)"
