"""Redact YAML by key path and by value, read as events. Comments, order, quotes and anchors stay; no alias is expanded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from provision.detect.secret_names import names_secret, plain_value
from provision.formats.edits import Edit, apply_edits, decode_text
from provision.redact.stream import redact_bytes
from provision.redact.structured.json_text import RULE
from provision.redact.structured.secret_names import path_chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.redact.session import Session

MAX_DEPTH = 500
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlScalar(NamedTuple):
    """A value: its path of keys and indices, its range in the text, and its style (`'`, `"`, `|`, `>`, or None if plain)."""

    path: tuple[str, ...]
    start: int
    end: int
    text: str
    style: str | None


def scalars_with_paths(text: str) -> Iterator[YamlScalar]:
    """Yield every scalar value of every document. Raises yaml.YAMLError."""
    levels: list[list[str | int | None]] = []  # per level: an index, or the key whose value comes next, or None
    for event in yaml.parse(text, Loader=_LOADER):
        match event:
            case MappingStartEvent() | SequenceStartEvent():
                _stepped(levels)
                levels.append([None] if isinstance(event, MappingStartEvent) else [-1])
                if len(levels) > MAX_DEPTH:
                    raise yaml.YAMLError("too deep")
            case MappingEndEvent() | SequenceEndEvent():
                levels.pop()
                _valued(levels)
            case AliasEvent():
                _stepped(levels, key="*")
                _valued(levels)
            case ScalarEvent():
                if levels and levels[-1][0] is None:
                    levels[-1][0] = str(event.value)
                    continue
                _stepped(levels)
                path = tuple(str(level[0]) for level in levels)
                yield YamlScalar(
                    path, _index(event.start_mark), _index(event.end_mark), event.value, event.style or None
                )
                _valued(levels)


def _index(mark: Any) -> int:
    return int(mark.index)


def _stepped(levels: list[list[str | int | None]], key: str = "?") -> None:
    """A value begins: count it in a list. A collection or alias in place of a key becomes a key without a name."""
    if not levels:
        return
    step = levels[-1][0]
    if isinstance(step, int):
        levels[-1][0] = step + 1
    elif step is None:
        levels[-1] = [None, key]


def _valued(levels: list[list[str | int | None]]) -> None:
    """A value has ended: in a mapping a key comes next; after a key without a name, its value."""
    if not levels or isinstance(levels[-1][0], int):
        return
    levels[-1] = [str(levels[-1][1])] if len(levels[-1]) > 1 else [None]


def redact_yaml(data: bytes, file: str, session: Session) -> bytes:
    """Mask the values of secret names and chosen paths, and what the detectors find after decoding quotes and folds."""
    decoded = decode_text(data)
    if decoded is None:
        return data
    text, encoding = decoded
    try:
        found = list(scalars_with_paths(text))
    except (yaml.YAMLError, RecursionError):
        return data
    edits = []
    for scalar in found:
        edit = _redacted(scalar, text, file, session)
        if edit is not None:
            edits.append(edit)
    return apply_edits(text, edits).encode(encoding) if edits else data


def _redacted(scalar: YamlScalar, text: str, file: str, session: Session) -> Edit | None:
    own = next((step for step in reversed(scalar.path) if not step.isdigit()), "")
    where = ".".join(scalar.path)
    if path_chosen(scalar.path, session.options.paths) or (names_secret(own) and not plain_value(scalar.text)):
        masked = session.masked_value(file, where, RULE, scalar.text)
    elif scalar.style is not None and scalar.text not in text[scalar.start : scalar.end]:
        value = scalar.text.encode("utf-8", "surrogatepass")
        masked = redact_bytes(value, session, file, where).decode("utf-8", "surrogatepass")
    else:
        return None  # the detectors see it in the text, with its name before it
    if masked == scalar.text:
        return None
    end = scalar.end
    tail = ""
    if scalar.style in ("|", ">"):  # its range includes the line ends after it
        body = text[scalar.start : end]
        tail = body[len(body.rstrip()) :]
        end = scalar.end - len(tail)
    return Edit(scalar.start, end, _quoted(masked))


def _quoted(value: str) -> str:
    escaped = (
        value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return f'"{escaped}"'
