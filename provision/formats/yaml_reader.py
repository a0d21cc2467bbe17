"""YAML with the line and column of every key and value, read from libyaml's event stream.

Strict: duplicate keys, keys that are not text, tags, merge keys, words that YAML 1.1 and 1.2 read differently and second
documents are errors. Bounded: depth, length of a scalar, and the expansion of aliases. A large list can be streamed item by
item, so that finished items do not stay in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

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
    quoted,
)
from provision.formats.scalars import AmbiguousError, resolve_scalar

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 32
MAX_SCALAR = 65_536
MAX_ALIASED_NODES = 100_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(
    data: bytes, file: str, *, stream: str = "", visit: Callable[[Any, int, Map], None] | None = None
) -> tuple[Any, list[Problem]]:
    """Return the document of a file and all YAML problems.

    With `stream`, the items of the top-level list of that name are passed to `visit(item, mark, root so far)` one by one
    instead of being kept. After a syntax error the document is None and the rest of the file is not checked. Never raises.
    """
    reader = _Reader(file, stream, visit)
    try:
        decode_utf8(data, file)  # the parser reads the bytes; this only reports where they are not text
    except BrokenTextError as e:
        return None, [e.problem]
    try:
        return reader.document(data), reader.problems
    except BrokenTextError as e:
        return None, [*reader.problems, e.problem]
    except yaml.MarkedYAMLError as e:
        return None, [*reader.problems, _syntax(e, decode_utf8(data, file), file)]
    except yaml.YAMLError as e:
        return None, [
            *reader.problems,
            Problem("yaml-syntax", f"this is not valid YAML: {e}"[:200], place(file, mark(1, 1))),
        ]


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    where = error.problem_mark or error.context_mark
    at = mark(where.line + 1, where.column + 1) if where else mark(1, 1)
    message = f"this is not valid YAML: {error.problem or 'it cannot be read'}"
    if error.context and where:
        since = error.context_mark.line + 1 if error.context_mark and error.context_mark.line != where.line else 0
        message += f" {error.context}" + (f" that begins in line {since}" if since else "")
    hint = ""
    if where:
        lines = text.split("\n", where.line + 1)
        line = lines[where.line] if where.line < len(lines) else ""
        if "\t" in line[: where.column + 1] and not line[: where.column].strip():
            hint = "indent with spaces, never with tabs"
        elif "mapping values are not allowed" in message:
            hint = "check the indentation; put a value that holds ': ' in quotes"
        elif line[where.column : where.column + 1] in {"@", "`", "%", "&", "*", "!", "|", ">"}:
            hint = "put the value in quotes"
    return Problem("yaml-syntax", message, place(file, at), hint)


class _Reader:
    def __init__(self, file: str, stream: str, visit: Callable[[Any, int, Map], None] | None) -> None:
        self._file = file
        self._stream = stream
        self._visit = visit
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._nodes = 0
        self._aliased = 0
        self.problems: list[Problem] = []

    def document(self, data: bytes) -> Any:
        loader = _LOADER(data)
        self._next: Callable[[], Any] = loader.get_event
        try:
            self._next()  # stream start
            first = self._next()
            if isinstance(first, StreamEndEvent):
                return None
            event = self._next()
            if self._visit is not None and type(event) is MappingStartEvent:
                root = self._mapping(event, 1, streaming=True)
            else:
                root = self._value(event, 1)[0]
            self._next()  # document end
            event = self._next()
            if isinstance(event, DocumentStartEvent):
                raise self._broken(
                    "yaml-documents", "a second document begins here; a file contains one document", event
                )
            return root
        finally:
            loader.dispose()

    def _at(self, event: Any) -> int:
        start = event.start_mark
        return mark(start.line + 1, start.column + 1)

    def _broken(self, rule: str, message: str, event: Any, hint: str = "") -> BrokenTextError:
        return BrokenTextError(Problem(rule, message, place(self._file, self._at(event)), hint))

    def _complain(self, rule: str, message: str, at: int, hint: str = "") -> None:
        self.problems.append(Problem(rule, message, place(self._file, at), hint))

    def _value(self, event: Any, depth: int) -> tuple[Any, int]:
        self._nodes += 1
        kind = type(event)
        if kind is ScalarEvent:
            at = self._at(event)
            value: Any = self._scalar(event, at)
            if event.anchor:
                self._anchors[event.anchor] = (value, at, 1)
            return value, at
        if kind is AliasEvent:
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise self._broken("yaml-depth", f"this is nested more than {MAX_DEPTH} levels deep", event)
        at, before = self._at(event), self._nodes
        if event.anchor:
            self._anchors.pop(event.anchor, None)  # an anchor is not defined inside its own value
        if event.tag is not None:
            self._tag(event, at)
        value = self._mapping(event, depth) if kind is MappingStartEvent else self._sequence(depth)
        if event.anchor:
            self._anchors[event.anchor] = (value, at, self._nodes - before + 1)
        return value, at

    def _alias(self, event: Any) -> tuple[Any, int]:
        known = self._anchors.get(event.anchor)
        if known is None:
            self._complain("yaml-alias", f"*{event.anchor[:40]} has no anchor before it", self._at(event))
            return None, self._at(event)
        value, at, size = known
        self._nodes += size
        self._aliased += size
        if self._aliased > MAX_ALIASED_NODES:
            raise self._broken("yaml-alias", f"aliases expand to more than {MAX_ALIASED_NODES:,} values", event)
        return value, at

    def _tag(self, event: Any, at: int) -> None:
        self._complain(
            "yaml-tag",
            f"the tag {quoted(event.tag)} is not allowed in this file",
            at,
            "remove the tag",
        )

    def _scalar(self, event: Any, at: int) -> Any:
        text: str = event.value
        if len(text) > MAX_SCALAR:
            raise self._broken("yaml-size", f"this value is longer than {MAX_SCALAR} characters", event)
        if event.tag is not None:
            self._tag(event, at)
        if not text.isprintable():
            found = CONTROL.search(text)
            if found:
                self._complain("control-character", f"a {character_name(found.group())} is not allowed in a value", at)
                return CONTROL.sub("?", text)
        if event.style:  # quoted, or a block of text
            return text
        try:
            return resolve_scalar(text)
        except AmbiguousError as e:
            self._complain("yaml-ambiguous", str(e), at)
            return text

    def _sequence(self, depth: int) -> Seq:
        items = Seq()
        while type(event := self._next()) is not SequenceEndEvent:
            items.put(*self._value(event, depth + 1))
        return items

    def _mapping(self, start: Any, depth: int, *, streaming: bool = False) -> Map:
        found = Map()
        while type(event := self._next()) is not MappingEndEvent:
            key, key_at = self._value(event, depth + 1)
            event = self._next()
            if streaming and key == self._stream and type(event) is SequenceStartEvent and key not in found:
                value, value_at = self._streamed(found), self._at(event)
            else:
                value, value_at = self._value(event, depth + 1)
            if self._key(found, key, key_at):
                found.put(key, value, key_at, value_at)
        return found

    def _streamed(self, root: Map) -> Seq:
        assert self._visit is not None  # noqa: S101  document() streams only with a visitor
        while type(event := self._next()) is not SequenceEndEvent:
            value, at = self._value(event, 3)
            self._visit(value, at, root)
        return Seq()

    def _key(self, found: Map, key: Any, at: int) -> bool:
        if not isinstance(key, str):
            kind = "a list or mapping" if isinstance(key, (list, dict)) else f"{str(key).lower()}, not text"
            self._complain("yaml-key", f"this key is {kind}", at, "quote it if it is a name")
        elif len(key) > 256 or not key.isprintable():
            self._complain("yaml-key", "this key is too long or holds invisible characters", at)
        elif key == "<<":
            return False  # already refused as an ambiguous word
        elif key in found:
            first = place(self._file, found.key_marks[key])
            self._complain(
                "yaml-duplicate",
                f"{quoted(key)} is set twice in one mapping",
                at,
                f"it is first set in line {first.line}",
            )
        else:
            return True
        return False
