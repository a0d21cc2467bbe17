"""Where the entries of `users:` are in an inventory in YAML. It is read as events; only places and digests are kept.

Entries can be cut out, edited and put back if the list is written in lines (block style) and nothing in the file refers to
another part of it: then their text has the same meaning by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from yaml import MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A safe loader, the one in C if there is one."""
HEAD = "users:\n"
"""In front of the text of entries it makes a file of them."""
_STARTS = frozenset({MappingStartEvent, SequenceStartEvent})
_ENDS = frozenset({MappingEndEvent, SequenceEndEvent})


@dataclass(slots=True)
class YamlEntries:
    """The entries in their order. Digests are of the content, and count within one process only."""

    ids: list[str | None] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    bounds: list[int] = field(default_factory=list)
    """Where the text of each entry begins (with the comments above it), and where that of the last one ends."""
    rest: int = 0
    """The digest of all that is in no entry."""
    separable: bool = False


def read_entries(text: str) -> YamlEntries:
    """Find all entries. Raises yaml.YAMLError for what is not YAML."""
    found = YamlEntries()
    rest: list[object] = []
    refers, depth, key = False, 0, None
    events: Iterator[Any] = iter(yaml.parse(text, Loader=LOADER))
    for event in events:
        kind = type(event)
        rest += (kind, getattr(event, "value", None), getattr(event, "implicit", None))
        refers = refers or _refers(event)
        if depth == 1 and key is not None and key.value == "users" and kind is SequenceStartEvent:
            found.separable = not event.flow_style and not found.bounds
            found.bounds.append(text.find("\n", key.end_mark.index) + 1)
            while type(event := next(events)) is not SequenceEndEvent:
                refers = _read_entry(text, event, events, found) or refers
            key = None
            continue
        depth += (kind in _STARTS) - (kind in _ENDS)
        if depth == 1:
            key = event if key is None and kind is ScalarEvent else None
    found.rest = hash(tuple(rest))
    found.separable = found.separable and not refers and bool(found.ids)
    return found


def _read_entry(text: str, event: Any, events: Iterator[Any], found: YamlEntries) -> bool:
    """Add one entry; returns whether it refers to another part of the file, or may be referred to."""
    content: list[object] = []
    refers, depth, key, user, last = False, 0, None, None, event.end_mark
    while True:
        kind = type(event)
        refers = refers or _refers(event)
        if kind is ScalarEvent:
            content += (event.value, event.implicit)
            last = event.end_mark
            if depth == 1:
                user = event.value if key == "id" else user
                key = event.value if key is None else None
        else:
            content.append(kind)
            if kind in _STARTS:
                depth += 1
            elif kind in _ENDS:
                depth -= 1
                if event.start_mark.index < event.end_mark.index:  # a bracket; the end of a block is the next token
                    last = event.end_mark
            if depth <= 1:
                key = None
        if depth == 0:
            break
        event = next(events)
    found.ids.append(user)
    found.digests.append(hash(tuple(content)))
    end = last.index
    found.bounds.append(end if text[end - 1] == "\n" else text.find("\n", end) + 1 or len(text))
    return refers


def _refers(event: Any) -> bool:
    return getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None
