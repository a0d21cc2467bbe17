"""Decide which area of a video is covered in which frames. Pure.

An area is covered from its first sighting to its last, between sightings that are close in time (a frame in between may
have been unreadable), and for a margin before and after. A key that moves or grows is covered wherever it was.
"""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""
_SAME = 0.5


@dataclass(frozen=True, slots=True)
class VisibleSpan:
    """A box that shows a key from frame `first` to frame `last`, both included."""

    first: int
    last: int
    box: Box
    rule: str


@dataclass(frozen=True, slots=True)
class Margins:
    """In frames: how long an area is covered before and after its sightings, and the largest gap that is bridged."""

    around: int
    bridged: int


def join_spans(seen: list[VisibleSpan], margins: Margins) -> list[VisibleSpan]:
    """Join sightings of the same key, and widen them by the margins."""
    joined: list[VisibleSpan] = []
    for one in sorted(seen, key=lambda s: (s.first, s.box)):
        at = next((n for n, t in enumerate(joined) if _same_thing(t, one, margins.bridged)), None)
        if at is None:
            joined.append(one)
            continue
        t = joined[at]
        joined[at] = VisibleSpan(t.first, max(t.last, one.last), _union(t.box, one.box), t.rule)
    return [VisibleSpan(max(0, t.first - margins.around), t.last + margins.around, t.box, t.rule) for t in joined]


def boxes_at(frame: int, joined: list[VisibleSpan]) -> list[Box]:
    """Return the boxes that are covered in a frame."""
    return [t.box for t in joined if t.first <= frame <= t.last]


def _same_thing(track: VisibleSpan, one: VisibleSpan, bridged: int) -> bool:
    return track.rule == one.rule and one.first - track.last <= bridged + 1 and _overlap(track.box, one.box) >= _SAME


def _overlap(a: Box, b: Box) -> float:
    """Return the share of the smaller box that is common to both."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width * height / max(1, smaller)


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
