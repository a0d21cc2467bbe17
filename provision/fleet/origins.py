"""The place that set each value of a user, in a compact form for 100,000 users.

The positions of one user are an array of integers. Users who set the same paths share one tuple of paths. Users with the
same profile and defaults share one mapping for their origins.
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
    """Maps a dotted path to a place: own positions in `file`, then those of `base`.

    An unknown path has the place of the nearest own parent (a list that was replaced as a whole), else the place in the
    base, else that of the first path below it.
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
    """Returns one shared tuple for equal sequences of paths."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def shared(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return the first tuple that is equal to these paths."""
        wanted = tuple(paths)
        return self._known.setdefault(wanted, wanted)
