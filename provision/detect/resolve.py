"""Keep the best of overlapping matches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.detect.match import Match

_LEAST_REST = 8
_CONFIDENCE_ORDER = {"high": 0, "medium": 1, "low": 2}


def _rank(match: Match) -> tuple[bool, int, int, int]:
    length = sum(end - start for start, end in match.spans)
    return match.known is None, _CONFIDENCE_ORDER[match.confidence], -length, len(match.encodings)


def resolve_overlaps(matches: Iterable[Match]) -> list[Match]:
    """Return the matches sorted by offset and without overlaps.

    Known keys win over rules, then higher confidence, longer matches, fewer encodings; of equal matches the first is kept.
    """
    taken: list[Match] = []
    cluster: list[Match] = []
    end = -1
    for match in sorted(matches, key=lambda each: (each.start, each.end)):
        if match.start >= end and cluster:
            taken += _best(cluster)
            cluster = []
        cluster.append(match)
        end = max(end, match.end)
    return taken + _best(cluster)


def _best(cluster: list[Match]) -> list[Match]:
    kept: list[Match] = []
    for match in sorted(cluster, key=_rank):
        rest = _remainder(match, kept)
        if rest is not None:
            kept.append(rest)
    return sorted(kept, key=lambda each: each.start)


def _remainder(match: Match, kept: Iterable[Match]) -> Match | None:
    """Cut a match to the part that extends beyond better ones on one side, so that adjacent secrets are both masked.

    None when it is inside or around one of them, or when fewer than `_LEAST_REST` bytes remain.
    """
    start, end = match.start, match.end
    for other in kept:
        if end <= other.start or start >= other.end:
            continue
        if start < other.start and end <= other.end:
            end = other.start
        elif start >= other.start and end > other.end:
            start = other.end
        else:
            return None
    if (start, end) == (match.start, match.end):
        return match
    cut = ((max(start, one), min(end, other)) for one, other in match.spans)
    spans = tuple((one, other) for one, other in cut if one < other)
    left = sum(other - one for one, other in spans)
    return replace(match, spans=spans) if left >= _LEAST_REST else None
