"""The fast engine: keywords, needles and gates as Hyperscan databases, compiled once and kept in the user's cache folder."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from provision.detect.engines.databases import ANY_CASE, ONCE, database, found
from provision.detect.engines.hits import Hits
from provision.detect.engines.needle_search import NeedleSearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.detect.engines.hits import Gate
    from provision.detect.engines.needles import Needle
    from provision.detect.match import Span

_MANY_WORDS = 20
"""A rule with this many keywords is one for names. Its gate begins with common words, such as `token` in a log that counts
tokens. Searched everywhere, such gates made the pass take four times as long; they have a second pass near their keywords."""
_LITERALS = [b"%c" % byte if byte < 128 and chr(byte).isalnum() else b"\\x%02x" % byte for byte in range(256)]
_SMALLEST_GAP = 2048
"""Bytes between two ranges; ranges with a smaller gap are merged."""
_BASE64_LINE = rb"[A-Za-z0-9+/_-]{40}"
_BASE64_LINE_BYTES = 1 + 64 + 40
"""From the line end before such a line, over its blanks, to the end of the match."""


class HyperscanEngine:
    """A pass for keywords and gates, one for needles, and one around the keywords of names.

    With one database of all of them the first two passes take a third longer together: it has too many literals.
    """

    def __init__(self, words: Sequence[bytes], needles: Sequence[Needle], gates: Sequence[Gate] = ()) -> None:
        self._lengths = [len(word) for word in words]
        self._early = [at for at, gate in enumerate(gates) if len(gate.words) < _MANY_WORDS]
        self._late = [at for at, gate in enumerate(gates) if len(gate.words) >= _MANY_WORDS]
        self._calls_late = frozenset[int]().union(*(gates[at].words for at in self._late))
        self._late_reach = max((gates[at].reach for at in self._late), default=0)
        patterns = [*map(_literal, words), *(gates[at].pattern for at in self._early), _BASE64_LINE]
        flags = [ANY_CASE] * len(words) + [0] * len(self._early) + [ONCE]
        self._base64_line = len(patterns) - 1
        self._database = database(patterns, flags)
        self._needles = NeedleSearch(needles)
        self._late_database = database([gates[at].pattern for at in self._late])

    def hits(self, data: bytes) -> Hits:
        """See `prefilter.Engine`."""
        needles = self._needles.hits(data)
        ends = found(self._database, data)
        if not ends:
            return Hits([], needles, {}, None)
        lengths, first_gate, base64_line = self._lengths, len(self._lengths), self._base64_line
        words = [(at, end - lengths[at]) for at, end in ends if at < first_gate]
        gates: dict[int, list[int]] = {}
        base64_lines = None
        if len(words) > 1:
            words.sort(key=itemgetter(1))
        if words:
            gates = self._late_gates(data, words)
        for at, end in ends if len(words) < len(ends) else ():
            if at == base64_line:
                base64_lines = max(end - _BASE64_LINE_BYTES, 0)
            elif at >= first_gate:
                gates.setdefault(self._early[at - first_gate], []).append(end)
        return Hits(words, needles, {at: sorted(ends) for at, ends in gates.items()}, base64_lines)

    def _late_gates(self, data: bytes, words: list[tuple[int, int]]) -> dict[int, list[int]]:
        """Search for the gates of rules with many keywords, near those keywords."""
        found: dict[int, list[int]] = {}
        places = [at for word, at in words if word in self._calls_late]
        for start, end in _ranges(places, self._late_reach):

            def note(index: int, _start: int, at: int, _flags: int, _context: object, base: int = start) -> None:
                found.setdefault(self._late[index], []).append(base + at)

            self._late_database.scan(data[start:end], match_event_handler=note)
        return found


def _ranges(places: list[int], reach: int) -> Iterator[Span]:
    """Yield ranges around sorted offsets; ranges with a small gap are merged."""
    first = last = -1
    for at in places:
        if last >= 0 and at - reach > last + _SMALLEST_GAP:
            yield first, last
            first = at - reach
        elif last < 0:
            first = max(at - reach, 0)
        last = at + reach
    if last >= 0:
        yield first, last


def _literal(word: bytes) -> bytes:
    return b"".join([_LITERALS[byte] for byte in word])
