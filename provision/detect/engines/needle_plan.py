"""All needles of a detector, computed once and kept: computing them takes longer than all the rest of a start.

They are kept as plain data under a digest of what they depend on, which includes the source of what computes them.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from provision.detect.engines import needles
from provision.detect.engines.kept import keep, read_kept
from provision.detect.engines.needles import Needle, NeedleKind

_KINDS = tuple(NeedleKind)


class NeedleWords(NamedTuple):
    """What needles depend on: see `make_needles`, `mark_needles` and `view_needles`. `decode`: also other encodings."""

    marks: tuple[tuple[str, int], ...]
    keywords: tuple[str, ...]
    prefixes: tuple[str, ...]
    nested: tuple[str, ...]
    own: tuple[str, ...]
    bare: bool
    decode: bool


@functools.cache  # a process makes several detectors from the same words
def planned_needles(words: NeedleWords) -> tuple[Needle, ...]:
    """Return the needles, from the cache if they are there."""
    sources = _sources()
    if sources is None:
        return _computed(words)
    name = hashlib.sha256(repr((sources, words)).encode()).hexdigest()[:24] + ".needles"
    body = read_kept(name)
    found = _parsed(body) if body is not None else None
    if found is None:
        found = _computed(words)
        keep(name, _text(found))
    return found


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
        [_KINDS.index(each.kind) for each in found],
        [each.length for each in found],
        [each.pattern.decode("latin-1") for each in found],
    )
    return json.dumps(columns).encode()


def _parsed(body: bytes) -> tuple[Needle, ...] | None:
    """The needles of a kept text; None if it is not one."""
    try:
        kinds, lengths, patterns = json.loads(body)
        rows = zip(kinds, lengths, patterns, strict=True)
        return tuple(Needle(_KINDS[kind], pattern.encode("latin-1"), length) for kind, length, pattern in rows)
    except (ValueError, TypeError, IndexError, AttributeError):
        return None
