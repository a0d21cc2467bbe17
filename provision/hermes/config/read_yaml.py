"""Read an untrusted YAML file as Hermes does (PyYAML, safe loader, last duplicate wins), within bounds.

Users, and programs that run as them, can write the files of a home. So depth and *expanded* size (with aliases and merge
keys) are measured on the event stream, before any object is built. A document that exceeds a bound is reported and not
interpreted.
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
    """The content of a YAML file. `malformed`: why Hermes cannot read it. `beyond`: why we do not read it."""

    value: Any = field(default=None, repr=False)
    malformed: str | None = None
    beyond: str | None = None

    @property
    def mapping(self) -> dict[Any, Any]:
        """Return the top-level mapping; an empty one if there is none."""
        return self.value if isinstance(self.value, dict) else {}


class _BeyondError(Exception):
    """The document exceeds a bound."""


def read_yaml(data: bytes) -> Document:
    """Read the document in `data`. Never raises. An empty document has the value None."""
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
    """Raise _BeyondError if the document nests too deeply or expands to too many nodes."""
    anchors: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = [(None, 0)]  # anchor and node count of each open collection
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_) > MAX_DEPTH:
                raise _BeyondError(f"nested more than {MAX_DEPTH} deep")
            if event.anchor:
                anchors.pop(event.anchor, None)
            open_.append((event.anchor, 1))
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _BeyondError("an alias inside its own anchor, or without an anchor")
            _add(open_, anchors[event.anchor])
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionEndEvent):
            anchor, size = open_.pop() if isinstance(event, yaml.CollectionEndEvent) else (event.anchor, 1)
            if anchor:
                anchors[anchor] = size
            _add(open_, size)


def _add(open_: list[tuple[str | None, int]], size: int) -> None:
    anchor, nodes = open_[-1]
    if nodes + size > MAX_NODES:
        raise _BeyondError(f"expands to more than {MAX_NODES} values")
    open_[-1] = (anchor, nodes + size)
