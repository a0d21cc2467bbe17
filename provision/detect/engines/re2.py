"""The engine without Hyperscan: an Aho-Corasick automaton for keywords, one RE2 expression for needles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.engines.hits import Hits
from provision.detect.engines.needles import NeedleKind
from provision.detect.engines.patterns import compiled
from provision.detect.engines.words import word_finder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.engines.needles import Needle

_MEMORY_BYTES = 64 << 20
"""RE2 builds its automaton while scanning and starts over when this is full, which is very slow."""


class Re2Engine:
    """Two passes over the bytes, one per library."""

    def __init__(self, words: Sequence[bytes], needles: Sequence[Needle]) -> None:
        self._words = word_finder([word.lower() for word in words])
        unions = {
            kind: b"|".join(needle.pattern for needle in needles if needle.kind is kind)
            for kind in sorted({needle.kind for needle in needles}, key=list(NeedleKind).index)
        }
        self._kinds = [(kind, compiled(union, memory_bytes=_MEMORY_BYTES)) for kind, union in unions.items()]
        self._any = compiled(b"|".join(unions.values()), memory_bytes=4 * _MEMORY_BYTES) if unions else None

    def hits(self, data: bytes) -> Hits:
        """See `prefilter.Engine`."""
        return Hits(self._words(data.lower()), self._needles(data))

    def _needles(self, data: bytes) -> dict[NeedleKind, list[int]]:
        hits: dict[NeedleKind, list[int]] = {}
        if self._any is None:
            return hits
        search, at = self._any.search, 0
        while found := search(data, at):
            start = found.start()
            for kind, union in self._kinds:
                if union.match(data, start):
                    hits.setdefault(kind, []).append(start)
            at = start + 1
        return hits
