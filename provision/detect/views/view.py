"""Decoded text with a mapping from its offsets to those of the original bytes."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.match import Match, Span

if TYPE_CHECKING:
    import re

SpanMapping = Callable[[int, int], tuple[Span, ...]]
"""Maps a range of the decoded text to the ranges of the original that hold it."""
_BETWEEN = b"\x00\n\x00"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of decoded text."""

    text: bytes
    place: SpanMapping


class View:
    """Segments of one encoding, scanned as one text, whose matches can be mapped back to the original."""

    def __init__(self, encoding: str, segments: Sequence[Segment]) -> None:
        self.encoding = encoding
        self.text = _BETWEEN.join(segment.text for segment in segments)
        self._segments = segments
        self._starts: list[int] = []
        at = 0
        for segment in segments:
            self._starts.append(at)
            at += len(segment.text) + len(_BETWEEN)

    def original_offset(self, at: int) -> int:
        """Return the offset in the original of the byte at `at`."""
        index = bisect.bisect_right(self._starts, at) - 1
        offset = min(at - self._starts[index], len(self._segments[index].text) - 1)
        return self._segments[index].place(offset, offset + 1)[0][0]

    def to_original(self, match: Match) -> Match | None:
        """Map a match in `text` to the original; None if it crosses two segments."""
        index = bisect.bisect_right(self._starts, match.start) - 1
        start, segment = self._starts[index], self._segments[index]
        if match.end > start + len(segment.text):
            return None
        spans: list[Span] = []
        for first, last in match.spans:
            for span in segment.place(first - start, last - start):
                if spans and span[0] <= spans[-1][1]:
                    spans[-1] = (spans[-1][0], max(span[1], spans[-1][1]))
                else:
                    spans.append(span)
        return match.at(tuple(spans), (self.encoding, *match.encodings))


class Pieces:
    """Ranges of the original joined in order, without the bytes between them."""

    def __init__(self, ranges: Sequence[Span]) -> None:
        self.ranges = ranges
        self._starts: list[int] = []
        self.length = 0
        for start, end in ranges:
            self._starts.append(self.length)
            self.length += end - start

    def joined(self, data: bytes) -> bytes:
        """Return the joined bytes."""
        return b"".join(data[start:end] for start, end in self.ranges)

    def place(self, first: int, last: int) -> tuple[Span, ...]:
        """Return the ranges of the original that hold the joined bytes from `first` to `last`."""
        spans: list[Span] = []
        index = max(0, bisect.bisect_right(self._starts, first) - 1)
        while index < len(self.ranges) and self._starts[index] < last:
            start, end = self.ranges[index]
            offset = self._starts[index]
            if start < end:
                spans.append((start + max(first - offset, 0), min(start + last - offset, end)))
            index += 1
        return tuple(spans)


def unescaped_segment(
    data: bytes, start: int, end: int, escape: re.Pattern[bytes], meaning: Callable[[bytes], bytes]
) -> Segment | None:
    """Return `data[start:end]` with every `escape` (in a group) replaced by its `meaning`; None without escapes."""
    raw = data[start:end]
    parts = escape.split(raw)  # alternates between plain text and escapes
    if len(parts) == 1:
        return None
    parts[1::2] = map(meaning, parts[1::2])
    text = b"".join(parts)

    def place(first: int, last: int) -> tuple[Span, ...]:
        read = written = 0
        begin = finish = -1
        for each in escape.finditer(raw):
            copied = each.start() - read
            if begin < 0 and first < written + copied:
                begin = read + first - written
            if last <= written + copied:
                finish = read + last - written
                break
            written += copied
            read = each.end()
            size = len(meaning(each[0]))
            if begin < 0 and first < written + size:
                begin = each.start()
            written += size
            if last <= written:
                finish = read
                break
        begin = read + first - written if begin < 0 else begin
        finish = read + last - written if finish < 0 else finish
        return ((start + begin, start + finish),)

    return Segment(text, place)
