"""Of overlapping matches, keep the one that says most."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.detect.match import Match

_RANK = {"high": 0, "medium": 1, "low": 2}


def _worth(match: Match) -> tuple[bool, int, int, int]:
    length = sum(end - start for start, end in match.spans)
    return match.known is None, _RANK[match.confidence], -length, len(match.encodings)


def resolved(matches: Iterable[Match]) -> list[Match]:
    """Sorted by place, without overlaps: known beats rule, sure beats unsure, long beats short, plain beats decoded.

    Of matches that are equal in all this the first one stays.
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
    for match in sorted(cluster, key=_worth):
        if all(match.end <= other.start or match.start >= other.end for other in kept):
            kept.append(match)
    return sorted(kept, key=lambda each: each.start)
