"""The fast prefilter: keywords and needles in one Hyperscan database, which is compiled once and kept in the user's cache."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
import tempfile
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hyperscan
import platformdirs

from provision.detect.engine import Hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.match import Span
    from provision.detect.needles import Kind, Needle

_WORTH_KEEPING = 200
"""Literals from which on compiling takes longer than reading the result from a file."""


class HyperscanEngine:
    """One pass over the bytes."""

    def __init__(self, words: Sequence[bytes], needles: Sequence[Needle], gates: Sequence[bytes] = ()) -> None:
        self._words = len(words)
        self._lengths = [len(word) for word in words] + [needle.length for needle in needles]
        self._kinds = [needle.kind for needle in needles]
        patterns = [_literal(word) for word in words] + [needle.pattern for needle in needles]
        caseless = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_DOTALL
        flags = [caseless] * len(words) + [hyperscan.HS_FLAG_DOTALL] * len(needles)
        self._database = _database(patterns, flags, keep=len(patterns) >= _WORTH_KEEPING) if patterns else None
        self._gates = _database(list(gates), [hyperscan.HS_FLAG_DOTALL] * len(gates), keep=True) if gates else None

    def hits(self, data: bytes) -> Hits:
        """See `engine.Engine`."""
        words: list[tuple[int, int]] = []
        needles: dict[Kind, list[int]] = {}
        if self._database is None or not data:
            return Hits(words, needles)
        ends: list[tuple[int, int]] = []
        append = ends.append
        self._database.scan(data, match_event_handler=lambda index, _start, end, _flags, _context: append((index, end)))
        lengths, first_needle = self._lengths, self._words
        for index, end in ends:
            if index < first_needle:
                words.append((index, end - lengths[index]))
            else:
                needles.setdefault(self._kinds[index - first_needle], []).append(end - lengths[index])
        words.sort(key=itemgetter(1))
        return Hits(words, {kind: sorted(set(starts)) for kind, starts in needles.items()})

    def gates(self, data: bytes, ranges: Sequence[Span]) -> dict[int, list[int]]:
        """See `engine.Engine`."""
        found: dict[int, list[int]] = {}
        if self._gates is None:
            return found
        for start, end in ranges:

            def note(index: int, _start: int, at: int, _flags: int, _context: object, base: int = start) -> None:
                found.setdefault(index, []).append(base + at)

            self._gates.scan(data[start:end], match_event_handler=note)
        return {index: sorted(ends) for index, ends in found.items()}


def _literal(word: bytes) -> bytes:
    return b"".join(b"%c" % byte if byte < 128 and chr(byte).isalnum() else b"\\x%02x" % byte for byte in word)


def _database(patterns: list[bytes], flags: list[int], *, keep: bool) -> Any:
    if not keep:
        return _compiled(patterns, flags)
    path = _cache_path(patterns, flags)
    try:
        return _loaded(path.read_bytes())
    except (OSError, hyperscan.HyperscanError, ValueError):
        database = _compiled(patterns, flags)
        _keep(path, hyperscan.dumpb(database))
        return database


def _compiled(patterns: list[bytes], flags: list[int]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=patterns, ids=list(range(len(patterns))), elements=len(patterns), flags=flags)
    return database


def _loaded(kept: bytes) -> Any:
    """The database out of a file of ours; ValueError when the file is damaged."""
    digest, body = kept[:32], kept[32:]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("damaged")
    database = hyperscan.loadb(body, hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    return database


def _cache_path(patterns: list[bytes], flags: list[int]) -> Path:
    """Another set of rules, another library or another machine is another file."""
    library = importlib.metadata.version("hyperscan")
    version = f"{library} {sys.version_info} {os.uname() if hasattr(os, 'uname') else sys.platform}"
    named = hashlib.sha256(repr((version, patterns, flags)).encode()).hexdigest()[:24]
    return platformdirs.user_cache_path("hermes-provision", appauthor=False) / f"detect-{named}.hsdb"


def _keep(path: Path, body: bytes) -> None:
    """Best effort: who cannot write a cache compiles again."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temporary:
            temporary.write(hashlib.sha256(body).digest() + body)
        Path(temporary.name).replace(path)
    except OSError:
        return
