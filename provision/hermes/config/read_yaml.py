"""Read somebody else's YAML the way Hermes does (PyYAML, safe loader, last duplicate wins), but never blow up.

Hermes' files stand in homes that users, and whatever runs as them, can write. So the size of what a document *expands* to
(aliases and merge keys included) and its depth are measured on the event stream, which costs nothing, before anything is
built. A document beyond the bounds is reported as such: about it nothing can be told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml

MAX_NODES: Final = 200_000
MAX_DEPTH: Final = 64
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML file holds. `malformed` says why Hermes cannot read it, `beyond` why we do not."""

    value: Any = field(default=None, repr=False)
    malformed: str | None = None
    beyond: str | None = None

    @property
    def mapping(self) -> dict[Any, Any]:
        """The top-level mapping; empty when there is none."""
        return self.value if isinstance(self.value, dict) else {}


class _BeyondError(Exception):
    """The document is larger or deeper than any real one."""


def read_yaml(data: bytes) -> Document:
    """The document in `data`; never raises. An empty document has the value None."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        return Document(malformed=f"not UTF-8 at byte {e.start}")
    try:
        _measure(text)
        return Document(yaml.load(text, Loader=_Loader))  # noqa: S506  a safe loader
    except _BeyondError as e:
        return Document(beyond=str(e))
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark
        where = f" at line {mark.line + 1}" if mark else ""
        return Document(malformed=f"not YAML{where}")
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as e:
        return Document(malformed=f"not YAML ({type(e).__name__})")


def _measure(text: str) -> None:
    """Raise _BeyondError when the document nests too deeply or expands to too many nodes."""
    anchors: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = [(None, 0)]  # anchor and nodes so far of each collection that is not closed
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_) > MAX_DEPTH:
                raise _BeyondError(f"nested more than {MAX_DEPTH} deep")
            if event.anchor:
                anchors.pop(event.anchor, None)
            open_.append((event.anchor, 1))
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _BeyondError("an alias inside its own anchor, or to none")
            _add(open_, anchors[event.anchor])
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionEndEvent):
            anchor, weight = open_.pop() if isinstance(event, yaml.CollectionEndEvent) else (event.anchor, 1)
            if anchor:
                anchors[anchor] = weight
            _add(open_, weight)


def _add(open_: list[tuple[str | None, int]], weight: int) -> None:
    anchor, nodes = open_[-1]
    if nodes + weight > MAX_NODES:
        raise _BeyondError(f"expands to more than {MAX_NODES} values")
    open_[-1] = (anchor, nodes + weight)
