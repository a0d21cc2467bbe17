"""What spans rows: dumps, uuencoded files, compressed data in lines of base64."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from provision.detect.engines.needles import NeedleKind
from provision.detect.views.dumps import Block, blocks, dump_segments, parts
from provision.detect.views.packed import compressed_lines, uu_end, uu_segment
from provision.detect.views.view import View
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.detect.engines.hits import Hits
    from provision.detect.views.view import Segment


_FIRST = lazy_regex(rb"0[0-9a-fx][0-9a-f]{2}|\t0x[0-9a-f]{4}:|[ \t]{0,4}[\"'][!-~][\"'],")
"""What the needles of rows find after a line end, for the first line."""


class Rows(NamedTuple):
    """Views of what is complete, and the dumps; before which offset everything is; whether a dump continues there."""

    views: list[View]
    dumps: list[Block]
    settled: int
    inside: bool


def row_views(data: bytes, hits: Hits) -> Iterator[View]:
    """Yield a view of the dumps, and one of the uuencoded files."""
    if NeedleKind.ROW in hits.needles or NeedleKind.LIST in hits.needles:
        yield from rows_of(data, hits, None, last=True).views


def rows_of(data: bytes, hits: Hits, inside: int | None, *, last: bool) -> Rows:
    """Read what spans rows. `inside`: where a dump continues; `last`: no more bytes follow."""
    starts = _starts(data, hits)
    if inside is not None:
        starts = sorted({inside, *starts})
    settled, continued = len(data), False
    segments: dict[str, list[Segment]] = {"dump": [], "uuencode": [], "compressed": []}
    dumps = list(blocks(data, starts))
    for block in dumps:
        for start, end in parts(data, block):
            if end == block.end and block.open and not last:
                settled, continued = start, start > block.start or start == inside
            else:
                segments["dump"] += dump_segments(data, start, end)
    held: list[int] = []
    for name, start, is_open, segment in _files(data, hits, starts):
        if is_open and not last:
            held.append(start)
        elif segment:
            segments[name].append(segment)
    if held and min(held) < settled:
        settled, continued = min(held), False
    return Rows([View(name, found) for name, found in segments.items() if found], dumps, settled, continued)


def _files(data: bytes, hits: Hits, starts: list[int]) -> Iterator[tuple[str, int, bool, Segment | None]]:
    """Yield uuencoded files and compressed data: a name, the first line, whether more lines could follow, the text."""
    for start in starts:
        if data.startswith(b"begin ", start):
            end, is_open = uu_end(data, start)
            yield "uuencode", start, is_open, uu_segment(data, start, end)
    for start, is_open, segment in compressed_lines(data, hits.needles.get(NeedleKind.PACKED, ())):
        yield "compressed", data.rfind(b"\n", 0, start) + 1, is_open, segment


def _starts(data: bytes, hits: Hits) -> list[int]:
    """Return the offsets of the lines in which a dump or a uuencoded file may begin."""
    starts = {
        at + 1 if data[at] == ord("\n") else data.rfind(b"\n", 0, at) + 1 for at in hits.needles.get(NeedleKind.ROW, ())
    }
    if _FIRST.match(data):
        starts.add(0)
    return sorted(starts | {data.rfind(b"\n", 0, at) + 1 for at in hits.needles.get(NeedleKind.LIST, ())})
