"""The fast engine: keywords, needles and gates as Hyperscan databases, compiled once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import sys
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import hyperscan

from provision.detect.engines.hits import Hits
from provision.detect.engines.kept import keep, read_kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.detect.engines.hits import Gate
    from provision.detect.engines.needles import Needle, NeedleKind
    from provision.detect.match import Span

_CACHE_FROM = 200
"""With this many patterns compiling takes longer than reading the compiled database from a file."""
_MANY_WORDS = 20
"""A rule with this many keywords is one for names. Its gate begins with common words, such as `token` in a log that counts
tokens. Searched everywhere, such gates made the pass take four times as long; they have a second pass near their keywords."""
_LITERALS = [b"%c" % byte if byte < 128 and chr(byte).isalnum() else b"\\x%02x" % byte for byte in range(256)]
_SMALLEST_GAP = 2048
"""Bytes between two ranges; ranges with a smaller gap are merged."""


class HyperscanEngine:
    """One pass over all bytes and a second one around the keywords of names."""

    def __init__(self, words: Sequence[bytes], needles: Sequence[Needle], gates: Sequence[Gate] = ()) -> None:
        self._words, self._gates = len(words), len(words) + len(needles)
        self._lengths = [len(word) for word in words] + [needle.length for needle in needles]
        self._kinds = [needle.kind for needle in needles]
        self._early = [at for at, gate in enumerate(gates) if len(gate.words) < _MANY_WORDS]
        self._late = [at for at, gate in enumerate(gates) if len(gate.words) >= _MANY_WORDS]
        self._calls_late = frozenset[int]().union(*(gates[at].words for at in self._late))
        self._late_reach = max((gates[at].reach for at in self._late), default=0)
        patterns = [*map(_literal, words), *(needle.pattern for needle in needles)]
        patterns += [gates[at].pattern for at in self._early]
        flags = [hyperscan.HS_FLAG_DOTALL] * len(patterns)
        flags[: len(words)] = [hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_CASELESS] * len(words)
        self._database = _database(patterns, flags, large=len(patterns) >= _CACHE_FROM) if patterns else None
        late = [gates[at].pattern for at in self._late]
        self._late_database: Any = _database(late, [hyperscan.HS_FLAG_DOTALL] * len(late), large=True) if late else None

    def hits(self, data: bytes) -> Hits:
        """See `prefilter.Engine`."""
        if self._database is None or not data:
            return Hits([], {}, {})
        found: list[tuple[int, int]] = []
        append = found.append
        self._database.scan(data, match_event_handler=lambda index, _start, end, _flags, _context: append((index, end)))
        if not found:
            return Hits([], {}, {})
        lengths, first_needle = self._lengths, self._words
        words = sorted([(at, end - lengths[at]) for at, end in found if at < first_needle], key=itemgetter(1))
        needles, gates = self._others(found) if len(words) < len(found) else ({}, {})
        return Hits(words, needles, gates | self._late_gates(data, words))

    def _late_gates(self, data: bytes, words: list[tuple[int, int]]) -> dict[int, list[int]]:
        """Search for the gates of rules with many keywords, near those keywords."""
        found: dict[int, list[int]] = {}
        places = [at for word, at in words if word in self._calls_late]
        for start, end in _ranges(places, self._late_reach):

            def note(index: int, _start: int, at: int, _flags: int, _context: object, base: int = start) -> None:
                found.setdefault(self._late[index], []).append(base + at)

            self._late_database.scan(data[start:end], match_event_handler=note)
        return {index: sorted(ends) for index, ends in found.items()}

    def _others(self, found: list[tuple[int, int]]) -> tuple[dict[NeedleKind, list[int]], dict[int, list[int]]]:
        needles: dict[NeedleKind, set[int]] = {}
        gates: dict[int, list[int]] = {}
        for index, end in found:
            if index >= self._gates:
                gates.setdefault(self._early[index - self._gates], []).append(end)
            elif index >= self._words:
                needles.setdefault(self._kinds[index - self._words], set()).add(end - self._lengths[index])
        return {kind: sorted(starts) for kind, starts in needles.items()}, {
            at: sorted(ends) for at, ends in gates.items()
        }


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


def _database(patterns: list[bytes], flags: list[int], *, large: bool) -> Any:
    if not large:
        return _compiled(patterns, flags)
    name = _cache_name(patterns, flags)
    kept = read_kept(name)
    if kept is not None:
        try:
            return _loaded(kept)
        except hyperscan.HyperscanError:
            pass  # made by another version, or for another machine
    database = _compiled(patterns, flags)
    keep(name, hyperscan.dumpb(database))
    return database


def _compiled(patterns: list[bytes], flags: list[int]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=patterns, ids=list(range(len(patterns))), elements=len(patterns), flags=flags)
    return database


def _loaded(kept: bytes) -> Any:
    database = hyperscan.loadb(kept, hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    return database


def _cache_name(patterns: list[bytes], flags: list[int]) -> str:
    """The name depends on the patterns, the library's version and the machine."""
    library = getattr(hyperscan, "__version__", "")  # a database of another version is refused when it is loaded
    version = f"{library} {sys.version_info} {os.uname() if hasattr(os, 'uname') else sys.platform}"
    seen = hashlib.sha256(repr((version, flags, list(map(len, patterns)))).encode())
    seen.update(b"".join(patterns))
    return f"{seen.hexdigest()[:24]}.hsdb"
