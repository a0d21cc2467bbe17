"""The fast engine: keywords, needles and gates as Hyperscan databases, compiled once and kept in the user's cache folder."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import sys
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import hyperscan

from provision.detect.engines.hits import Hits
from provision.detect.engines.kept import keep, read_kept
from provision.detect.engines.needles import ATOM, NeedleKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.detect.engines.hits import Gate
    from provision.detect.engines.needles import Needle
    from provision.detect.match import Span

_CACHE_FROM = 20
"""With this many patterns compiling takes longer than reading the compiled database from a file."""
_MANY_WORDS = 20
"""A rule with this many keywords is one for names. Its gate begins with common words, such as `token` in a log that counts
tokens. Searched everywhere, such gates made the pass take four times as long; they have a second pass near their keywords."""
_LITERALS = [b"%c" % byte if byte < 128 and chr(byte).isalnum() else b"\\x%02x" % byte for byte in range(256)]
_SMALLEST_GAP = 2048
"""Bytes between two ranges; ranges with a smaller gap are merged."""
_FLAGS = hyperscan.HS_FLAG_DOTALL
_ONCE = _FLAGS | hyperscan.HS_FLAG_SINGLEMATCH
"""For what only has to be noticed: without this flag such a pattern makes a pass half as long again."""
_BASE64_LINE = rb"[A-Za-z0-9+/_-]{40}"
_HEAD_BYTES = 32
_ZERO = rb"\x00"


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
        flags = [_FLAGS | hyperscan.HS_FLAG_CASELESS] * len(words) + [_FLAGS] * len(self._early) + [_ONCE]
        self._base64_line = len(patterns) - 1
        self._database = _database(patterns, flags)
        self._needles = _NeedleSearch(needles)
        self._late_database = _database([gates[at].pattern for at in self._late], [_FLAGS] * len(self._late))

    def hits(self, data: bytes) -> Hits:
        """See `prefilter.Engine`."""
        needles = self._needles.hits(data)
        found = _found(self._database, data)
        if not found:
            return Hits([], needles, {}, base64_lines=False)
        lengths, first_gate, base64_line = self._lengths, len(self._lengths), self._base64_line
        words = sorted([(at, end - lengths[at]) for at, end in found if at < first_gate], key=itemgetter(1))
        gates = self._late_gates(data, words)
        base64_lines = False
        for at, end in found if len(words) < len(found) else ():
            if at == base64_line:
                base64_lines = True
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


class _NeedleSearch:
    """Needles in a database of their own. Those with zeros, and long marks, are searched for only where they can be."""

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._usual: list[Needle] = []
        self._zeros: list[Needle] = []
        self._long: list[Needle] = []
        for each in needles:
            is_long = each.kind is NeedleKind.MARK and each.length > _HEAD_BYTES
            (self._zeros if _needs_zero(each) else self._long if is_long else self._usual).append(each)
        patterns, heads = [each.pattern for each in self._usual], [_head(each.pattern) for each in self._long]
        self._database = _database([*patterns, *heads], [_FLAGS] * len(patterns) + [_ONCE] * len(heads))
        self._long_database = _database([each.pattern for each in self._long], [_FLAGS] * len(self._long))

    @functools.cached_property
    def _zero_database(self) -> Any:  # not loaded where all is text
        return _database([each.pattern for each in self._zeros], [_FLAGS] * len(self._zeros))

    def hits(self, data: bytes) -> dict[NeedleKind, list[int]]:
        """Return the offsets of the needles in `data`, by kind."""
        usual = _found(self._database, data)
        has_zeros = b"\0" in data
        if not usual and not has_zeros:
            return {}
        starts: dict[NeedleKind, set[int]] = {}

        def note(needles: list[Needle], found: list[tuple[int, int]]) -> None:
            for at, end in found:
                starts.setdefault(needles[at].kind, set()).add(end - needles[at].length)

        heads = [each for each in usual if each[0] >= len(self._usual)]
        note(self._usual, [each for each in usual if each not in heads] if heads else usual)
        if heads:
            note(self._long, _found(self._long_database, data))
        if has_zeros:
            note(self._zeros, _found(self._zero_database, data))
        return {kind: sorted(each) for kind, each in starts.items()}


def _found(database: Any, data: bytes) -> list[tuple[int, int]]:
    """Return the patterns of a database that match, by index, with the offsets at which they end."""
    found: list[tuple[int, int]] = []
    if database is not None and data:
        append = found.append
        database.scan(data, match_event_handler=lambda index, _start, end, _flags, _context: append((index, end)))
    return found


def _needs_zero(needle: Needle) -> bool:
    return _ZERO in needle.pattern and any(atom[0] == _ZERO for atom in ATOM.finditer(needle.pattern))


def _head(mark: bytes) -> bytes:
    """The first bytes of a long mark: whether they are there costs nearly nothing, the mark itself a fifth of a pass."""
    return b"".join(atom[0] for atom in itertools.islice(ATOM.finditer(mark), _HEAD_BYTES))


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


def _database(patterns: list[bytes], flags: list[int]) -> Any:
    """Compile patterns, or load what was kept; None for no patterns."""
    if not patterns:
        return None
    if len(patterns) < _CACHE_FROM:
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
