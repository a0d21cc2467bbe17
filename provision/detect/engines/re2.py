"""The engine that installs everywhere: an Aho-Corasick automaton for keywords, one RE2 expression for needles."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import ahocorasick_rs
import re2

from provision.detect.engines.hits import Hits
from provision.detect.engines.needles import NeedleKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.engines.needles import Needle

_MEMORY_BYTES = 64 << 20
"""RE2 builds its automaton while scanning and starts over when this is full, which is very slow."""


def compiled(pattern: bytes, *, memory_bytes: int = 8 << 20) -> Any:
    """Compile an RE2 expression over bytes (Latin-1: one byte is one character)."""
    return re2.compile(pattern, _options(memory_bytes))


@functools.cache  # the library's wrapper needs longer for options than for most patterns
def _options(memory_bytes: int) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = memory_bytes
    options.log_errors = False
    return options


def _automaton(words: list[bytes]) -> Any:
    """A DFA: three times as fast as the library's default for this many words."""
    return ahocorasick_rs.BytesAhoCorasick(words, implementation=ahocorasick_rs.Implementation.DFA)


class Re2Engine:
    """Two passes over the bytes, one per library."""

    def __init__(self, words: Sequence[bytes], needles: Sequence[Needle]) -> None:
        self._words = _automaton([word.lower() for word in words]) if words else None
        unions = {
            kind: b"|".join(needle.pattern for needle in needles if needle.kind is kind)
            for kind in sorted({needle.kind for needle in needles}, key=list(NeedleKind).index)
        }
        self._kinds = [(kind, compiled(union, memory_bytes=_MEMORY_BYTES)) for kind, union in unions.items()]
        self._any = compiled(b"|".join(unions.values()), memory_bytes=4 * _MEMORY_BYTES) if unions else None

    def hits(self, data: bytes) -> Hits:
        """See `prefilter.Engine`."""
        words: list[tuple[int, int]] = []
        if self._words:
            found = self._words.find_matches_as_indexes(data.lower(), overlapping=True)
            words = sorted([(index, start) for index, start, _ in found], key=lambda hit: hit[1])
        return Hits(words, self._needles(data))

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
