"""Parse and write YAML for Hermes: version 1.1 by PyYAML, where `no` is false, `1:30` is 90 and the last duplicate wins.

Used to check every text before it becomes a `config.yaml`. Refuses what no configuration needs: several documents,
recursive anchors, anchors that expand without bound, excessive size and depth.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from provision.errors import Place, ProvisionError
from provision.lazy_regex import lazy_regex

SIZE_LIMIT_BYTES = 4 << 20
_EXPANDED_LIMIT = 200_000
_DEPTH_LIMIT = 100
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE_TAG = "tag:yaml.org,2002:merge"


class YamlError(ProvisionError):
    """A YAML file is invalid; `place` is the place of the error."""


@dataclass(frozen=True, slots=True)
class DuplicateKey:
    """A key that one mapping contains twice, and the place of the second one."""

    key: str
    place: Place


@dataclass(frozen=True, slots=True)
class ParsedYaml:
    """What Hermes reads from a YAML text, and duplicate keys (Hermes ignores the first of the two)."""

    data: Any
    duplicates: tuple[DuplicateKey, ...] = ()
    anchors: bool = False


def parse_yaml11(text: bytes | str, name: str) -> ParsedYaml:
    """Parse the document in `text`. `name` is the file's name for messages. An empty file is None.

    Raises YamlError for everything that PyYAML or this module refuses. Messages never quote values from the file.
    """
    if len(text) > SIZE_LIMIT_BYTES:
        raise YamlError(f"the file is larger than {SIZE_LIMIT_BYTES >> 20} MiB", place=Place(name))
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        duplicates, anchors = _inspect(node, name) if node is not None else ((), False)
        return ParsedYaml(loader.construct_document(node) if node is not None else None, duplicates, anchors)
    except yaml.MarkedYAMLError as e:
        raise YamlError(_problem(e), hint=_hint(e), place=_place(name, e.problem_mark or e.context_mark)) from None
    except yaml.reader.ReaderError as e:
        raise YamlError(f"not readable as text: {e.reason}", place=Place(name)) from None
    except (ValueError, TypeError, OverflowError) as e:  # a date such as 2026-02-31, a timestamp out of range
        raise YamlError("cannot read a value (a date or number that does not exist?)", place=Place(name)) from e
    except RecursionError:
        raise YamlError("nested too deeply", place=Place(name)) from None
    finally:
        loader.dispose()


def _place(name: str, mark: Any) -> Place:
    return Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)


def _problem(error: yaml.MarkedYAMLError) -> str:
    words = re.sub(r"'[^']{4,}'|\"[^\"]{4,}\"", "…", str(error.problem or "not YAML"))
    return f"not valid YAML: {words}"


def _hint(error: yaml.MarkedYAMLError) -> str:
    return "indent with spaces, not with tabs" if "\\t" in str(error.problem) else ""


def _inspect(root: yaml.Node, name: str) -> tuple[tuple[DuplicateKey, ...], bool]:
    """Return duplicate keys, and whether a node is used twice. Raises for recursion, depth and expanded size."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()
    found: list[DuplicateKey] = []
    shared = False

    def size(node: yaml.Node, depth: int) -> int:
        nonlocal shared
        if id(node) in open_ or depth > _DEPTH_LIMIT:
            raise YamlError("nested too deeply, or recursive", place=_place(name, node.start_mark))
        if id(node) in sizes:
            shared = True
            return sizes[id(node)]
        open_.add(id(node))
        total = 1
        if isinstance(node, yaml.MappingNode):
            found.extend(_duplicates(node, name))
            total += sum(size(key, depth + 1) + size(value, depth + 1) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(size(item, depth + 1) for item in node.value)
        if total > _EXPANDED_LIMIT:
            raise YamlError("its anchors expand to too many values", place=_place(name, node.start_mark))
        open_.discard(id(node))
        sizes[id(node)] = total
        return total

    size(root, 0)
    return tuple(found), shared


def _duplicates(node: yaml.MappingNode, name: str) -> list[DuplicateKey]:
    seen: set[tuple[str, str]] = set()
    found = []
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE_TAG:
            continue
        mark = (key.tag, key.value)
        if mark in seen:
            found.append(DuplicateKey(str(key.value), _place(name, key.start_mark)))
        seen.add(mark)
    return found


_PLAIN = lazy_regex(r"[A-Za-z_][A-Za-z0-9_./+@~-]*(?::[A-Za-z0-9_./+@~-]+)*(?:://?[A-Za-z0-9_./+@~:-]*[A-Za-z0-9_/])?")
_WORDS = frozenset("y n yes no on off true false null nan inf infinity".split())  # noqa: SIM905
_UNPRINTABLE = lazy_regex("[^\x20-\x7e\xa0-\u2027\u202f-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def dump_scalar(value: object) -> str:
    """Write a scalar that YAML 1.1 and 1.2 both read as exactly `value`. Quotes text unless its meaning is certain.

    Raises TypeError for types that no configuration contains.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case dt.datetime():
            return value.isoformat(sep=" ")
        case dt.date():
            return value.isoformat()
        case str():
            if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
                return value
            return _UNPRINTABLE.sub(_escape, json.dumps(value, ensure_ascii=False))
    raise TypeError(f"{type(value).__name__} has no YAML form here")


def dump_flow(value: object) -> str:
    """Write any value on one line: `{a: 1, b: [x, y]}`. Valid after `key: ` and in a list."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_inside(key)}: {_inside(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "[" + ", ".join(map(_inside, value)) + "]"
    return dump_scalar(value)


def _inside(value: object) -> str:
    text = dump_flow(value)
    return f'"{text}"' if isinstance(value, str) and ":" in text and not text.startswith('"') else text


def dump_block(value: Mapping[str, object], indent: int = 0) -> str:
    """Write a mapping as indented lines without a last newline. An empty mapping is an empty text."""
    lines = []
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            lines.append(" " * indent + f"{dump_scalar(key)}:")
            lines.append(dump_block(item, indent + 2))
        elif isinstance(item, Sequence) and not isinstance(item, str | bytes) and item:
            lines.append(" " * indent + f"{dump_scalar(key)}:")
            lines += [" " * indent + f"- {dump_flow(entry)}" for entry in item]
        else:
            lines.append(" " * indent + f"{dump_scalar(key)}: {dump_flow(item)}")
    return "\n".join(lines)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text.replace("e", ".0e", 1) if "." not in text and "e" in text else text
