"""JSON with the line and column of every key and value, for the output of `ansible-inventory --list`.

As strict as the YAML reader: duplicate keys, NaN, lone surrogates, control characters, very long numbers and deep nesting are
errors.
"""

from __future__ import annotations

import re
from json import decoder
from typing import TYPE_CHECKING, Any

from provision.errors import Problem
from provision.formats.located import (
    CONTROL,
    BrokenTextError,
    Map,
    Seq,
    character_name,
    decode_utf8,
    mark,
    place,
    position_of,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 32
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_scan_string: Callable[[str, int, bool], tuple[str, int]] = decoder.scanstring  # type: ignore[attr-defined]  # not in typeshed
_WORDS = {"true": True, "false": False, "null": None}


def read_json(data: bytes, file: str) -> tuple[Any, list[Problem]]:
    """Return the value in a file and all problems; the value is None after a syntax error. Never raises."""
    reader: _Reader | None = None
    try:
        reader = _Reader(decode_utf8(data, file), file)
        return reader.document(), reader.problems
    except BrokenTextError as e:
        return None, [*(reader.problems if reader else []), e.problem]


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._line = 1
        self._line_start = 0
        self.problems: list[Problem] = []

    def document(self) -> Any:
        value, _, end = self._value(self._space(0), 1)
        end = self._space(end)
        if end < len(self._text):
            raise self._broken("text follows the value; a file contains one value", end)
        return value

    def _space(self, offset: int) -> int:
        end = _SPACE.match(self._text, offset).end()  # type: ignore[union-attr]  # matches the empty text too
        if end > offset:
            count = self._text.count("\n", offset, end)
            if count:
                self._line += count
                self._line_start = self._text.rfind("\n", offset, end) + 1
        return end

    def _at(self, offset: int) -> int:
        return mark(self._line, offset - self._line_start + 1)

    def _broken(self, message: str, offset: int) -> BrokenTextError:
        at = position_of(self._text, min(offset, len(self._text)))
        return BrokenTextError(Problem("json-syntax", f"this is not valid JSON: {message}", place(self._file, at)))

    def _value(self, offset: int, depth: int) -> tuple[Any, int, int]:
        if depth > MAX_DEPTH:
            raise self._broken(f"nested more than {MAX_DEPTH} levels deep", offset)
        at, first = self._at(offset), self._text[offset : offset + 1]
        if first == '"':
            value, end = self._string(offset)
            return value, at, end
        if first == "{":
            found, end = self._mapping(offset + 1, depth)
            return found, at, end
        if first == "[":
            items, end = self._sequence(offset + 1, depth)
            return items, at, end
        for word, meaning in _WORDS.items():
            if self._text.startswith(word, offset):
                return meaning, at, offset + len(word)
        number = _NUMBER.match(self._text, offset)
        if not number:
            raise self._broken("a value is missing" if not first else f"unexpected {quoted(first)}", offset)
        return self._number(number, at), at, number.end()

    def _number(self, number: re.Match[str], at: int) -> int | float:
        text = number.group()
        if len(text) > 32:
            self.problems.append(Problem("json-number", "this number is too long", place(self._file, at)))
            return 0
        return float(text) if number.group(1) or number.group(2) else int(text)

    def _string(self, offset: int) -> tuple[str, int]:
        try:
            value, end = _scan_string(self._text, offset + 1, True)
        except ValueError as e:
            raise self._broken("this text has no closing quote, an invalid escape or a raw line break", offset) from e
        found = None if value.isprintable() else CONTROL.search(value)
        if found:
            where = place(self._file, self._at(offset))
            message = f"a {character_name(found.group())} is not allowed in a value"
            self.problems.append(Problem("control-character", message, where))
            value = CONTROL.sub("?", value)
        return value, end

    def _sequence(self, offset: int, depth: int) -> tuple[Seq, int]:
        items = Seq()
        offset = self._space(offset)
        if self._text[offset : offset + 1] == "]":
            return items, offset + 1
        while True:
            value, at, offset = self._value(offset, depth + 1)
            items.put(value, at)
            offset, more = self._separator(offset, "]")
            if not more:
                return items, offset

    def _mapping(self, offset: int, depth: int) -> tuple[Map, int]:
        found = Map()
        offset = self._space(offset)
        if self._text[offset : offset + 1] == "}":
            return found, offset + 1
        while True:
            if self._text[offset : offset + 1] != '"':
                raise self._broken("a key in double quotes is missing", offset)
            key_at = self._at(offset)
            key, offset = self._string(offset)
            offset = self._space(offset)
            if self._text[offset : offset + 1] != ":":
                raise self._broken("a ':' is missing after this key", offset)
            value, at, offset = self._value(self._space(offset + 1), depth + 1)
            self._put(found, key, value, key_at, at)
            offset, more = self._separator(offset, "}")
            if not more:
                return found, offset

    def _put(self, found: Map, key: str, value: Any, key_at: int, at: int) -> None:
        if key in found:
            message = f"{quoted(key)} is set twice in one object"
            self.problems.append(Problem("json-duplicate", message, place(self._file, key_at)))
        else:
            found.put(key, value, key_at, at)

    def _separator(self, offset: int, closing: str) -> tuple[int, bool]:
        offset = self._space(offset)
        char = self._text[offset : offset + 1]
        if char == closing:
            return offset + 1, False
        if char != ",":
            raise self._broken(f"a ',' or '{closing}' is missing", offset)
        return self._space(offset + 1), True
