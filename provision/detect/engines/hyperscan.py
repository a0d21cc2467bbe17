"""The fast engine: keywords, needles and gates as Hyperscan databases, compiled once and kept in the user's cache folder."""

from __future__ import annotations

import functools
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from provision.detect.engines.databases import ANY_CASE, ONCE, database, database_name, found, kept_database
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
_MANY_HITS, _MOST_GROUPS = 500, 4
"""With so many keywords of few rules, as in a log whose lines are alike, only the gates of these rules are searched for there."""
_ADDRESSES = frozenset((b"http://", b"https://"))
_LOGIN = rb"(?:[^\s/\"'`<>]{0,340}(?:[@%&\\\r\n]|\z)|[^\s/\"'`<>]{1,80}:[^\s/0-9])"
"""What follows where an address may hold a login, or goes on in another line or literal. Other addresses are in every file."""
_SMALLEST_GAP = 2048
"""Bytes between two ranges; ranges with a smaller gap are merged."""
_BASE64_LINE = rb"[A-Za-z0-9+/_-]{40}"
_BASE64_LINE_BYTES = 1 + 64 + 40
"""From the line end before such a line, over its blanks, to the end of the match."""


class _Late(NamedTuple):
    """Gates that are searched for near their keywords, by index; rules with the same keywords are a group."""

    gates: tuple[int, ...]
    words: frozenset[int]
    reach: int


class HyperscanEngine:
    """A pass for keywords and gates, one for needles, and one around the keywords of names.

    With one database of all of them the first two passes take a third longer together: it has too many literals.
    """

    def __init__(self, words: Sequence[bytes], needles: Sequence[Needle], gates: Sequence[Gate] = ()) -> None:
        self._lengths = [len(word) for word in words]
        self._gates = gates
        self._early = [at for at, gate in enumerate(gates) if len(gate.words) < _MANY_WORDS]
        late = [at for at, gate in enumerate(gates) if len(gate.words) >= _MANY_WORDS]
        self._late = _Late(
            tuple(late),
            frozenset[int]().union(*(gates[at].words for at in late)),
            max((gates[at].reach for at in late), default=0),
        )
        self._addresses = frozenset(at for at, word in enumerate(words) if word in _ADDRESSES)
        patterns = [*map(_literal, words), *(gates[at].pattern for at in self._early), _BASE64_LINE]
        flags = [ANY_CASE] * len(words) + [0] * len(self._early) + [ONCE]
        self._base64_line = len(patterns) - 1
        self._database = database(patterns, flags)
        self._needles = NeedleSearch(needles)

    @functools.cached_property
    def _groups(self) -> list[_Late]:
        groups: dict[frozenset[int], list[int]] = {}
        for at in self._late.gates:
            groups.setdefault(self._gates[at].words, []).append(at)
        return [_Late(tuple(each), words, max(self._gates[at].reach for at in each)) for words, each in groups.items()]

    @functools.cache  # noqa: B019  a process has few engines, and keeps them
    def _late_database(self, gates: tuple[int, ...]) -> Any:
        patterns = [self._gates[at].pattern for at in gates]
        return kept_database(database_name(patterns), lambda: (patterns, ()))

    def hits(self, data: bytes) -> Hits:
        """See `prefilter.Engine`."""
        needles = self._needles.hits(data)
        ends = found(self._database, data)
        if not ends:
            return Hits([], needles, {}, None)
        lengths, first_gate, base64_line = self._lengths, len(self._lengths), self._base64_line
        words = [(at, end - lengths[at]) for at, end in ends if at < first_gate]
        if any(at in self._addresses for at, _ in words):
            words = self._with_addresses(data, words)
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
        return Hits(words, needles, {at: sorted(set(ends)) for at, ends in gates.items()}, base64_lines)

    def _with_addresses(self, data: bytes, words: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Correct the offsets of addresses, each of which may have been found several times: from where their `//` is."""
        lengths = self._lengths
        placed = [
            (at, data.rfind(b"//", 0, start + lengths[at]) + 2 - lengths[at] if at in self._addresses else start)
            for at, start in words
        ]
        return list(dict.fromkeys(placed))

    def _late_gates(self, data: bytes, words: list[tuple[int, int]]) -> dict[int, list[int]]:
        """Search for the gates of rules with many keywords, near those keywords."""
        found: dict[int, list[int]] = {}
        near = [hit for hit in words if hit[0] in self._late.words]
        if len(near) > _MANY_HITS:
            counts = Counter(word for word, _ in near)
            groups = [
                group
                for group in self._groups
                if sum(times for word, times in counts.items() if word in group.words) > _MANY_HITS
            ]
            if len(groups) <= _MOST_GROUPS:
                for group in groups:
                    self._search_late(group, data, [at for word, at in near if word in group.words], found)
                rest = [group for group in self._groups if group not in groups]
                still = {word for word in counts if any(word in group.words for group in rest)}
                near = [hit for hit in near if hit[0] in still]
        self._search_late(self._late, data, [at for _, at in near], found)
        return found

    def _search_late(self, late: _Late, data: bytes, places: list[int], found: dict[int, list[int]]) -> None:
        for start, end in _ranges(places, late.reach):

            def note(index: int, _start: int, at: int, _flags: int, _context: object, base: int = start) -> None:
                found.setdefault(late.gates[index], []).append(base + at)

            self._late_database(late.gates).scan(data[start:end], match_event_handler=note)


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
    return b"".join([_LITERALS[byte] for byte in word]) + (_LOGIN if word in _ADDRESSES else b"")
