"""Text in which each byte has a range of its own in the original, such as the bytes of a hex dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.views.view import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.detect.match import Span

_GAP = 12
"""Ranges that are at most this far apart in one line are one range: what separates the bytes of a list is masked with them."""


def mapped_segment(data: bytes, text: bytes, places: Sequence[Span], beside: Sequence[Span] = ()) -> Segment:
    """Return a segment whose byte `n` is at `places[n]`, and also at `beside[n]` (the column of characters of a dump)."""

    def place(first: int, last: int) -> tuple[Span, ...]:
        spans = _merged(data, places[first:last]) + _merged(data, beside[first:last])
        return tuple(sorted(spans))

    return Segment(text, place)


def _merged(data: bytes, places: Sequence[Span]) -> list[Span]:
    spans: list[Span] = []
    for start, end in places:
        if start == end:
            continue
        if spans and start - spans[-1][1] <= _GAP and data.find(b"\n", spans[-1][1], start) < 0:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
