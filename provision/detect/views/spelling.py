"""Keys whose prefix is written otherwise (`SK-AISA-…`), or that a program took for the name of a host (`sk-aisa-Ab.cD…`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.shapes import AISA_KEY_LENGTH
from provision.detect.views.mapped import mapped_segment
from provision.detect.views.view import Segment, View
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.detect.engines.hits import Hits

_RUN = lazy_regex(rb"[A-Za-z0-9_-]{8,200}")
_DOTTED = lazy_regex(rb"[A-Za-z0-9_-]{1,60}(?:\.[A-Za-z0-9_-]{1,60}){1,4}(?![A-Za-z0-9_.-])")


def spelled_views(data: bytes, hits: Hits, spellings: Mapping[int, bytes]) -> Iterator[View]:
    """Yield a view of the keys that are spelled otherwise; `spellings` are the prefixes by the index of their keyword."""
    segments: list[Segment] = []
    done = -1
    for word, at in hits.words:
        prefix = spellings.get(word)
        if prefix is None or at < done:
            continue
        begin = at + len(prefix)
        if not data.startswith(prefix, at) and (run := _RUN.match(data, begin)):
            done = run.end()
            segments.append(Segment(prefix + run[0], lambda first, last, at=at: ((at + first, at + last),)))  # type: ignore[misc]
        elif (dotted := _DOTTED.match(data, begin)) and len(prefix) + len(dotted[0]) - dotted[0].count(
            b"."
        ) == AISA_KEY_LENGTH:
            places = [(n, n + 1) for n in range(at, dotted.end()) if data[n] != ord(".")]
            segments.append(mapped_segment(data, bytes(data[start] for start, _ in places), places))
    if segments:
        yield View("spelling", segments)
