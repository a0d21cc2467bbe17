"""A change to one file, as a value: what it will hold, and what is said about it before it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FixChange:
    """`data` is the file's new content; None leaves the content alone. A `database` is masked in place, under its own lock.
    `lines` say what changes; `mode` is what the file has afterwards. `was` is the content that `data` was made from, None
    for a file that was not there: one that somebody else has written meanwhile is not replaced."""

    path: Path
    lines: tuple[str, ...]
    data: bytes | None = field(default=None, repr=False)
    mode: int | None = None
    database: bool = False
    was: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NotFixed:
    """Something that is not mended, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class FixPlan:
    """Everything that would be done, and everything that would not."""

    changes: tuple[FixChange, ...]
    left: tuple[NotFixed, ...]


EnvironmentOf = Callable[[Path, str | None], Mapping[str, str]]
"""The environment that Hermes would run in for a root home and a Hermes profile."""
