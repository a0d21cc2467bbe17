"""Search without the long counts of a pattern, and count in what was found.

RE2 makes a state for each step of a counted repeat. With repeats such as `{0,60}` and `{8,250}`, compiling rules and making
states took four fifths of the time in which rules were confirmed. So `*` and `{8,}` are searched for in their place. A match in
which no repeat took more than its count allows is the match of the pattern itself: that can begin no earlier, and prefers the
same ways to match. Where another match is found, the pattern itself searches.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from provision.detect.engines.patterns import RE2_INSTALLED, compiled
from provision.lazy_regex import LazyRegex, lazy_regex

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG, _LONGEST = 60, 1000
"""Shorter counts are kept; RE2 refuses longer ones."""
_ESCAPE_OR_CLASS = rb"\\(?:x\{[0-9A-Fa-f]+\}|.)|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]"
_PIECE = lazy_regex(
    rb"(?P<captures>\((?:\?P?<\w+>|(?!\?)))|(?P<opens>\(\?[\w-]*:)|(?P<closes>\))"
    rb"|(?:%b|[^\\\[()])(?P<times>\{(?P<least>\d+),(?P<most>\d+)\})|%b" % (_ESCAPE_OR_CLASS, _ESCAPE_OR_CLASS),
    re.DOTALL,
)
"""Groups, single bytes with a count, and what could look like either."""


class _Limit(NamedTuple):
    """At most `length` bytes of a group, without those of the groups inside it: no repeat in it took more than it may."""

    group: int
    inside: list[int]
    length: int


class ConfirmingPattern:
    """An expression that finds what `compiled` finds, but is cheaper at its first matches."""

    def __init__(self, pattern: bytes, *, memory_bytes: int = 8 << 20) -> None:
        """Raises InvalidPatternError."""
        self._pattern = pattern
        self._memory_bytes = memory_bytes
        uncounted, self._limits = _without_counts(pattern) if RE2_INSTALLED and rb"\Q" not in pattern else (pattern, [])
        self._uncounted = compiled(uncounted, memory_bytes=memory_bytes)
        self.groups, self.groupindex = self._uncounted.groups, self._uncounted.groupindex

    def search(self, data: bytes, start: int, end: int) -> Any:
        """Return the first match between `start` and `end`, or None."""
        return next(self.matches(data, start, end), None)

    def matches(self, data: bytes, start: int, end: int) -> Iterator[Any]:
        """Yield the matches between `start` and `end` that do not overlap."""
        counted_to = start
        while True:
            counted = start < counted_to
            found = (self._exact if counted else self._uncounted).search(data, start, end)
            if found is None:
                return
            if not counted and any(_length(found, limit) > limit.length for limit in self._limits):
                counted_to = found.end()  # not only once: what is too long may hold many matches
                continue
            yield found
            start = max(found.end(), start + 1)

    @functools.cached_property
    def _exact(self) -> Any:
        return compiled(self._pattern, memory_bytes=self._memory_bytes)


def lazily_confirming(pattern: bytes) -> Any:
    """Compile it at its first use. A test compiles each: see `lazy_regex`."""
    return LazyRegex(lambda: ConfirmingPattern(pattern))


def _length(found: Any, limit: _Limit) -> int:
    start, end = found.span(limit.group)
    inside = sum(last - first for first, last in map(found.span, limit.inside))
    return int(end - start - inside)


def _without_counts(pattern: bytes) -> tuple[bytes, list[_Limit]]:
    """Replace the long counts of single bytes; the limits are those of the groups in which some were."""
    written: list[bytes] = []
    inside: dict[int, list[int]] = {0: []}
    lengths: dict[int, int] = {}
    opened = [(0, 1)]  # the number of each open group, or of the one around what captures nothing; the next number then
    done = 0
    for piece in _PIECE.finditer(pattern):
        if piece["captures"]:
            number = len(inside)
            inside[opened[-1][0]].append(number)
            inside[number] = []
            opened.append((number, number))
        elif piece["opens"]:
            opened.append((opened[-1][0], len(inside)))
        elif piece["closes"] and len(opened) > 1:
            captured = opened.pop()[1] < len(inside)
            if captured and pattern[piece.end() : piece.end() + 1] in {b"*", b"+", b"{"}:
                return pattern, []  # a match tells only what it captured the last time
        elif piece["most"] and _LONG <= int(piece["most"]) <= _LONGEST:
            group, most = opened[-1][0], int(piece["most"])
            lengths[group] = min(most, lengths.get(group, most))
            least = b"*" if int(piece["least"]) == 0 else b"{%b,}" % piece["least"]
            written += pattern[done : piece.start("times")], least
            done = piece.end()
    written.append(pattern[done:])
    return b"".join(written), [_Limit(group, inside[group], length) for group, length in lengths.items()]
