"""Hold back the lines that may be part of something that spans lines: a dump, a folded cell, a key in several literals.

Which lines are decided together depends on the lines only, never on how they arrive. A line that cannot take part is never
held; of a dump at most `MOST_ROWS` rows are, of a chain of pieces as many lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provision.detect.detector import Detector
    from provision.detect.engines.hits import Hits
    from provision.detect.stream.batch import MaskedRange


class HeldLines:
    """Takes complete lines in order, and gives those that are settled with what to mask in them."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._held = b""
        self._inside = False  # whether the first of them continues a dump
        self._masks: list[MaskedRange] = []  # of blocks that began before them

    def __bool__(self) -> bool:
        return bool(self._held)

    def take(self, lines: bytes, context: bytes, *, last: bool = False) -> tuple[bytes, list[MaskedRange], Hits | None]:
        """Add lines; return the settled ones, the ranges to mask in them, and the hits in the `context` before them and in them.

        After the `last` lines all are settled. There are no hits when some lines are held.
        """
        text = self._held + lines
        if not text:
            return b"", [], None
        hits = self._detector.hits(context + text)
        found = self._detector.blocks(context + text, len(context), hits, inside=self._inside, last=last)
        cut = found.settled - len(context)
        blocks = (match.moved(-len(context)) for match in found.matches)
        masks = [*self._masks, *((*span, match) for match in blocks for span in match.spans)]
        self._held, self._inside = text[cut:], found.inside
        self._masks = [(start - cut, end - cut, match) for start, end, match in masks if start >= cut]
        shared = None if self._held else hits
        return text[:cut], [mask for mask in masks if mask[0] < cut], shared


def merged(masks: Iterable[MaskedRange], blocks: list[MaskedRange]) -> list[MaskedRange]:
    """Return the ranges of both in order and without overlaps; those of blocks, which saw more lines, come first."""
    if not blocks:
        return list(masks)
    taken: list[MaskedRange] = []
    for start, end, match in sorted(blocks, key=lambda mask: (mask[0], -mask[1])):
        low = max(start, taken[-1][1]) if taken else start
        if low < end:
            taken.append((low, end, match))
    rest: list[MaskedRange] = []
    for start, end, match in masks:
        low = start
        for first, last, _ in taken:
            if last <= low:
                continue
            if first >= end:
                break
            if low < first:
                rest.append((low, first, match))
            low = last
        if low < end:
            rest.append((low, end, match))
    return sorted([*taken, *rest], key=lambda mask: mask[:2])
