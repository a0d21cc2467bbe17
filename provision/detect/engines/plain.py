"""The engine that needs no library: the offsets of a text are the bytes of a number.

For each class of bytes one number says where its bytes are. A word is at the offsets that are left when the numbers of its
classes, each shifted by its place, are combined by AND. Python does that for all offsets at once.
"""

from __future__ import annotations

import functools
import itertools
import re
from operator import itemgetter
from typing import TYPE_CHECKING

from provision.detect.engines.hits import Hits
from provision.detect.engines.needles import ATOM, NeedleKind
from provision.detect.engines.patterns import PythonPattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.detect.engines.needles import Needle

_GROUP = re.compile(rb"(\(\?:[^()]*\))")
_PART_BYTES = 1 << 13
"""So that the numbers stay in the processor's cache."""


class _Node:
    """A place in a keyword or needle: what ends there, and the tables of the classes that may follow."""

    __slots__ = ("kinds", "next", "words")

    def __init__(self) -> None:
        self.kinds: set[NeedleKind] = set()
        self.words: list[int] = []
        self.next: dict[bytes, _Node] = {}


class PlainEngine:
    """Keywords and needles as one tree of classes."""

    def __init__(self, words: Sequence[bytes], needles: Sequence[Needle]) -> None:
        self._root = _Node()
        self._longest = 1
        for index, word in enumerate(words):
            self._add([_table(b"(?i)" + re.escape(bytes([byte]))) for byte in word]).words.append(index)
        for needle in needles:
            for choices in itertools.product(*map(_choices, _GROUP.split(needle.pattern))):
                self._add(list(_tables(b"".join(choices)))).kinds.add(needle.kind)

    def _add(self, tables: list[bytes]) -> _Node:
        node = self._root
        for table in tables:
            node = node.next.setdefault(table, _Node())
        self._longest = max(self._longest, len(tables))
        return node

    def hits(self, data: bytes) -> Hits:
        """See `prefilter.Engine`."""
        words: list[tuple[int, int]] = []
        needles: dict[NeedleKind, list[int]] = {}
        for first in range(0, len(data), _PART_BYTES):
            self._part(data[first : first + _PART_BYTES + self._longest - 1], first, words, needles)
        return Hits(sorted(words, key=itemgetter(1)), {kind: needles[kind] for kind in NeedleKind if kind in needles})

    def _part(
        self, data: bytes, first: int, words: list[tuple[int, int]], needles: dict[NeedleKind, list[int]]
    ) -> None:
        """Add what begins in the part of the data that begins at `first`; what follows it is only looked at."""
        lanes = functools.cache(lambda table: int.from_bytes(data.translate(table), "big"))
        found: dict[NeedleKind, int] = {}
        begun = b"\1" * min(len(data), _PART_BYTES)
        open_ = [(self._root, 0, int.from_bytes(begun.ljust(len(data), b"\0"), "big"))]
        while open_:
            node, depth, starts = open_.pop()
            for kind in node.kinds:
                found[kind] = found.get(kind, 0) | starts
            if node.words:
                places = [first + at for at in _offsets(starts, len(data))]
                words += [(word, at) for word in node.words for at in places]
            for table, following in node.next.items():
                if left := starts & (lanes(table) << 8 * depth):
                    open_.append((following, depth + 1, left))
        for kind, starts in found.items():
            needles.setdefault(kind, []).extend(first + at for at in _offsets(starts, len(data)))


def _offsets(lanes: int, size: int) -> Iterator[int]:
    """Yield the offsets of the bytes that are 1."""
    text = lanes.to_bytes(size, "big")
    at = text.find(1)
    while at >= 0:
        yield at
        at = text.find(1, at + 1)


def _choices(part: bytes) -> list[bytes]:
    """The ways to write a part of a needle: one, or those that a group names."""
    return part[3:-1].split(b"|") if part.startswith(b"(?:") else [part]


def _tables(pattern: bytes) -> Iterator[bytes]:
    """Yield a table for `bytes.translate` for each byte of a needle: 1 for the bytes of its class."""
    for atom in ATOM.finditer(pattern):
        one = atom[0] if atom[1] is None else atom[0].rpartition(b"{")[0]
        yield from [_table(one)] * int(atom[1] or 1)


@functools.cache  # needles share their classes
def _table(one: bytes) -> bytes:
    match = PythonPattern(b"(?s)" + one).match
    return bytes(match(bytes([byte])) is not None for byte in range(256))
