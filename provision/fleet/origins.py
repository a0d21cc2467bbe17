"""Where each value of a user was set, small enough to keep for 100,000 users.

Positions of one user are an array of integers; the paths they belong to are one tuple shared by all users who set the
same things; what comes from profiles and defaults is one mapping shared by all who have it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from provision.formats.located import place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.errors import Place

EMPTY: Mapping[str, Place] = {}


class Origins(Mapping[str, "Place"]):
    """Dotted path to place: own positions in `file` over those of `base`.

    A path that is known nowhere has the place of the nearest own parent that was replaced as a whole (a list), else of
    the base, else of the first path below it.
    """

    __slots__ = ("_base", "_file", "_marks", "_paths")

    def __init__(
        self, file: str, paths: tuple[str, ...], marks: Iterable[int], base: Mapping[str, Place] = EMPTY
    ) -> None:
        self._file = file
        self._paths = paths
        self._marks = array("Q", marks)
        self._base = base

    def __getitem__(self, path: str) -> Place:
        parent = path
        while parent:
            if parent in self._paths:
                return place(self._file, self._marks[self._paths.index(parent)])
            parent = parent.rpartition(".")[0]
        if path in self._base:
            return self._base[path]
        below = path + "."
        for index, own in enumerate(self._paths):
            if own.startswith(below):
                return place(self._file, self._marks[index])
        for known in self._base:
            if known.startswith(below):
                return self._base[known]
        raise KeyError(path)

    def __iter__(self) -> Iterator[str]:
        yield from self._paths
        yield from (path for path in self._base if path not in self._paths)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class PathTuples:
    """Hands out one tuple for equal sequences of paths."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def shared(self, paths: Iterable[str]) -> tuple[str, ...]:
        """The first tuple that was equal to this one."""
        wanted = tuple(paths)
        return self._known.setdefault(wanted, wanted)
