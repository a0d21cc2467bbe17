"""Hyperscan databases: compiled once, and kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from typing import TYPE_CHECKING, Any

import hyperscan

from provision.detect.engines.kept import keep, read_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CACHE_FROM = 20
"""With this many patterns compiling takes longer than reading the compiled database from a file."""
ANY_CASE = hyperscan.HS_FLAG_CASELESS
ONCE = hyperscan.HS_FLAG_SINGLEMATCH
"""For what only has to be noticed: without this flag such a pattern makes a pass half as long again."""


def database(patterns: Sequence[bytes], flags: Sequence[int] = ()) -> Any:
    """Compile patterns, or load what was kept; None for no patterns. `flags`: one number for each of the first patterns."""
    if not patterns:
        return None
    if len(patterns) < _CACHE_FROM:
        return _compiled(patterns, flags)
    return kept_database(database_name(patterns, flags), lambda: (patterns, flags))


def kept_database(name: str, expressions: Callable[[], tuple[Sequence[bytes], Sequence[int]]]) -> Any:
    """Load the database of this name, or compile and keep it: only then its patterns and flags are asked for."""
    kept = read_kept(name)
    if kept is not None:
        with contextlib.suppress(hyperscan.HyperscanError):  # made by another version, or for another machine
            return _loaded(kept)
    patterns, flags = expressions()
    if not patterns:
        return None
    compiled = _compiled(patterns, flags)
    keep(name, hyperscan.dumpb(compiled))
    return compiled


def found(searched: Any, data: bytes) -> list[tuple[int, int]]:
    """Return the patterns of a database that match, by index, with the offsets at which they end."""
    ends: list[tuple[int, int]] = []
    if searched is not None and data:
        append = ends.append
        searched.scan(data, match_event_handler=lambda index, _start, end, _flags, _context: append((index, end)))
    return ends


def database_name(patterns: Sequence[bytes], flags: Sequence[int] = ()) -> str:
    """Return the name to keep a database under. It depends on the patterns, the library's version and the machine."""
    seen = hashlib.sha256(repr((library_state(), list(flags), list(map(len, patterns)))).encode())
    seen.update(b"".join(patterns))
    return f"{seen.hexdigest()[:24]}.hsdb"


def library_state() -> str:
    """Return what a database depends on beside its patterns; one of another version is refused when it is loaded."""
    library = getattr(hyperscan, "__version__", "")
    return f"{library} {sys.version_info} {os.uname() if hasattr(os, 'uname') else sys.platform}"


def _compiled(patterns: Sequence[bytes], flags: Sequence[int]) -> Any:
    every = [flag | hyperscan.HS_FLAG_DOTALL for flag in (*flags, *[0] * (len(patterns) - len(flags)))]
    made = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    made.compile(expressions=list(patterns), ids=list(range(len(patterns))), elements=len(patterns), flags=every)
    return made


def _loaded(kept: bytes) -> Any:
    loaded = hyperscan.loadb(kept, hyperscan.HS_MODE_BLOCK)
    loaded.scratch = hyperscan.Scratch(loaded)
    return loaded
