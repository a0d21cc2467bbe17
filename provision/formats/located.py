"""Mappings and lists that record the position of each entry in a file.

They are subclasses of `dict` and `list`, so they validate like these. A mark is one integer, line and column packed together,
so that a file of 100,000 users needs little more memory than its text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from provision.errors import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_INVISIBLE = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f{_INVISIBLE}]")
"""Characters that are never allowed: C0 and C1 except newline and tab, bidirectional controls, lone surrogates."""
_RAW_CONTROL = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f{_INVISIBLE}]|\r(?!\n)")


def mark(line: int, column: int) -> int:
    """Pack a line and a column (both from 1) into one integer."""
    return line << 32 | column


def place(file: str, position: int) -> Place:
    """Return the place of a mark."""
    return Place(file, position >> 32, position & 0xFFFFFFFF)


class Map(dict[str, Any]):
    """A mapping with the mark of each key and of each value."""

    __slots__ = ("key_marks", "marks")

    def __init__(self) -> None:
        super().__init__()
        self.key_marks: dict[str, int] = {}
        self.marks: dict[str, int] = {}

    def put(self, key: str, value: Any, key_mark: int, value_mark: int) -> None:
        """Set a key and the marks of the key and its value."""
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
        """Append an item and its mark."""
        self.append(value)
        self.marks.append(value_mark)


def locate(root: Any, path: Sequence[str | int], start: int, *, key: bool = False) -> int:
    """Return the mark of the value (or key) at `path` below `root`; of the nearest existing parent if there is none."""
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
    """Yield dotted path and mark of every value except non-empty mappings; a list first as a whole, then its items."""
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
    """Return the value as plain `dict` and `list`, without positions."""
    if isinstance(value, dict):
        return {key: without_positions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_positions(item) for item in value]
    return value


class BrokenTextError(Exception):
    """A file cannot be parsed further; carries the problem. Only for use inside this package and its direct callers."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def decode_utf8(data: bytes, file: str) -> str:
    """Decode a UTF-8 file, with or without a byte order mark.

    Raises BrokenTextError at the first byte that is not UTF-8 and at the first control character.
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
    """Return the mark of an offset in a text."""
    line = text.count("\n", 0, offset) + 1
    return mark(line, offset - (text.rfind("\n", 0, offset) + 1) + 1)


def character_name(found: str) -> str:
    """Return the name of a character that is not allowed: `control or invisible character U+001B`."""
    kind = "NUL character" if found == "\0" else "control or invisible character"
    return f"{kind} U+{ord(found):04X}"


def quoted(value: object) -> str:
    """Quote a value for a message: short values whole, of long ones (they may be secrets) only the beginning."""
    text = value if isinstance(value, str) else str(value)
    return f"'{text}'" if len(text) <= 24 else f"'{text[:8]}…' ({len(text)} characters)"
