"""A change to one file, as a value: its new content, and the lines that describe it to the user beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FixChange:
    """`data` is the file's new content; None keeps the content. A `database` is masked in place, under its own lock.

    `lines` describe the change; `mode` is the file's mode afterwards. `was` is the content that `data` was made from, None for a
    new file: a file that was changed in the meantime is not replaced.
    """

    path: Path
    lines: tuple[str, ...]
    data: bytes | None = field(default=None, repr=False)
    mode: int | None = None
    database: bool = False
    was: bytes | None = field(default=None, repr=False)
    home: Path | None = None
    """The Hermes home that it is part of: a key moves between its files, so they change together or not at all."""


@dataclass(frozen=True, slots=True)
class NotFixed:
    """Something that is not fixed, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class FixPlan:
    """All changes to make, and everything that is not fixed."""

    changes: tuple[FixChange, ...]
    left: tuple[NotFixed, ...]


EnvironmentOf = Callable[[Path, str | None], Mapping[str, str]]
"""Returns the environment that Hermes would run in, for a root home and a Hermes profile."""
