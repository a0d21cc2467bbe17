"""All needles of a detector, computed once and kept: computing them takes longer than all the rest of a start.

They are kept as plain data under a digest of what they depend on, which includes the source of what computes them. An engine
that keeps what it makes of them does not read them at all.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, overload

from provision.detect.engines import needles
from provision.detect.engines.kept import keep, read_kept
from provision.detect.engines.needles import Needle, NeedleKind

KINDS = tuple(NeedleKind)


class NeedleWords(NamedTuple):
    """What needles depend on: see `make_needles`, `mark_needles` and `view_needles`. `decode`: also other encodings."""

    marks: tuple[tuple[str, int], ...]
    keywords: tuple[str, ...]
    prefixes: tuple[str, ...]
    nested: tuple[str, ...]
    own: tuple[str, ...]
    bare: bool
    decode: bool


class PlannedNeedles(Sequence[Needle]):
    """The needles for some words, read from the cache or computed when they are first used.

    `key` is a digest of what they depend on; None where that is not known: then nothing that is made of them can be kept.
    """

    def __init__(self, words: NeedleWords) -> None:
        self._words = words
        sources = _sources()
        self.key = None if sources is None else hashlib.sha256(repr((sources, words)).encode()).hexdigest()[:24]

    @functools.cached_property
    def _needles(self) -> tuple[Needle, ...]:
        name = f"{self.key}.needles"
        body = read_kept(name) if self.key else None
        found = _parsed(body) if body is not None else None
        if found is None:
            found = _computed(self._words)
            if self.key:
                keep(name, _text(found))
        return found

    @overload
    def __getitem__(self, index: int) -> Needle: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Needle]: ...
    def __getitem__(self, index: int | slice) -> Needle | Sequence[Needle]:
        return self._needles[index]

    def __len__(self) -> int:
        return len(self._needles)


@functools.cache  # a process makes several detectors from the same words
def planned_needles(words: NeedleWords) -> PlannedNeedles:
    """Return the needles for these words."""
    return PlannedNeedles(words)


def _computed(words: NeedleWords) -> tuple[Needle, ...]:
    from provision.detect.engines.view_needles import view_needles  # noqa: PLC0415  only when they are not kept

    marks = needles.mark_needles(words.marks, decode=words.decode)
    if not words.decode:
        return tuple(marks)
    encoded = needles.make_needles(words.keywords, words.prefixes, words.nested, words.own)
    return (*marks, *encoded, *view_needles(words.own, bare=words.bare))


def _sources() -> bytes | None:
    """The source of what computes needles; None where it was not installed."""
    own = Path(__file__)
    try:
        return b"".join(own.with_name(name).read_bytes() for name in (own.name, "needles.py", "view_needles.py"))
    except OSError:
        return None


def _text(found: tuple[Needle, ...]) -> bytes:
    columns = (
        [KINDS.index(each.kind) for each in found],
        [each.length for each in found],
        [each.pattern.decode("latin-1") for each in found],
    )
    return json.dumps(columns).encode()


def _parsed(body: bytes) -> tuple[Needle, ...] | None:
    """The needles of a kept text; None if it is not one."""
    try:
        kinds, lengths, patterns = json.loads(body)
        rows = zip(kinds, lengths, patterns, strict=True)
        return tuple(Needle(KINDS[kind], pattern.encode("latin-1"), length) for kind, length, pattern in rows)
    except (ValueError, TypeError, IndexError, AttributeError):
        return None
