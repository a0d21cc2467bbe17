"""Input and output of an engine: gates and hits."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container

    from provision.detect.engines.needles import NeedleKind


@dataclass(frozen=True, slots=True)
class Hits:
    """What one pass over the bytes found, sorted by offset.

    `words`: pairs of a keyword's index and its offset. `needles`: offsets by kind. `gates`: by a gate's index, the offsets at
    which its matches end; None from an engine that does not search for gates.
    `base64_lines`: before which offset there are no lines of base64; None if there are none at all.
    """

    words: list[tuple[int, int]]
    needles: dict[NeedleKind, list[int]]
    gates: dict[int, list[int]] | None = None
    base64_lines: int | None = 0

    def __bool__(self) -> bool:
        return bool(self.words or self.needles or self.gates)

    def of(self, words: Container[int]) -> Hits:
        """Return the same with only those of the keywords."""
        return Hits([hit for hit in self.words if hit[0] in words], self.needles, self.gates, self.base64_lines)

    def since(self, start: int) -> Hits:
        """Return the hits at `start` or later."""
        at = bisect.bisect_left(self.words, start, key=itemgetter(1))
        needles = {
            kind: found[first:]
            for kind, found in self.needles.items()
            if (first := bisect.bisect_left(found, start)) < len(found)
        }
        return Hits(self.words[at:], needles, self.gates, self.base64_lines)


class Gate(NamedTuple):
    """A pattern that must match before a rule can match, within `reach` bytes of one of the keywords `words` (indices)."""

    pattern: bytes
    words: frozenset[int]
    reach: int
