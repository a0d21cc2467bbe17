"""Join keys that a terminal split: keys with colour codes inside, keys that continue in the next line.

A line break is ambiguous: the next line may be the rest of a key or other text. So a key continues only where it filled its
line to the last column and where the next row looks like the rest of a key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.detect.engines.needles import NeedleKind
from provision.detect.secret import Secret
from provision.detect.shapes import AISA_KEY_LENGTH, aisa_shaped
from provision.detect.views.view import Pieces, Segment, View
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from provision.detect.engines.hits import Hits
    from provision.detect.match import Match, Span

COLOUR = lazy_regex(
    rb"(?:\x1b|\\(?:u001[bB]|x1[bB]|033|e))"
    rb"(?:\[[0-9;:]{0,64}[mK]|\(B\x0f?|\]8;[^\x07\x1b\\]{0,512}(?:\x07|\x1b\\|\\u0007|\\u001[bB]\\\\))"
    rb'|"\]\r?\n\[[0-9.eE+-]{1,32}, ?"[oi]", ?"'
)
"""Codes that only change how text is displayed: colours, hyperlinks, the boundary of two events in a recording."""
_AROUND = 512
KEY_RUN = lazy_regex(rb"[A-Za-z0-9_+/=.~%-]*")
LINE_BREAK = lazy_regex(
    rb"[ \t]{0,200}(?:\xe2\x94\x82[ \t]{0,8}|\|[ \t]{0,8}|\\)?\r?\n[ \t]{0,200}(?:\xe2\x94\x82[ \t]{0,8}|\|[ \t]{1,8})?"
)
"""The end of a row and the beginning of the next, with a box's frame or a shell's backslash."""
_BEFORE_KEYWORD = {ord(":"): lazy_regex(rb"[0-9]"), ord("."): lazy_regex(rb"[A-Za-z0-9]")}
"""If a keyword does not begin with a letter, the key begins before it: `1234567890:AA…`, `….atlasv1.…`."""
_OTHER_TEXT = lazy_regex(
    rb"(?:19|20)\d\d([-/.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?:[T_.-]?\d\d|(?![A-Za-z0-9]))"
    rb"|[0-2]\d:[0-5]\d|[0-9A-Fa-f]{4,16}(?::|  )|\d{1,3}(?:\.\d{1,3}){3}(?![A-Za-z0-9])"
    rb"|(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})[ \t]|/(?:usr|etc|var|home|opt|lib|bin|tmp|srv|root|dev|run|mnt|Users)/"
)
"""How a row begins that does not continue a key: a date, a time, the offset column of a dump, an address, a digest, a path."""
_LONGEST_BEFORE = 16
_ROWS = 200
_ROW_BYTES = 2048
_NARROWEST = 16


def colour_views(data: bytes, hits: Hits) -> list[View]:
    """Return a view of the text around colour codes, without the codes."""
    starts = hits.needles.get(NeedleKind.COLOUR, ())
    codes = [code.span() for start in starts if (code := COLOUR.match(data, start))]
    if not codes:
        return []
    segments = []
    ranges: list[Span] = []
    at = -1
    for start, end in codes:
        if ranges and start - at > 2 * _AROUND:
            ranges.append((at, at + _AROUND))
            segments.append(_segment(data, ranges))
            ranges = []
        ranges.append((at if ranges else max(start - _AROUND, at, 0), start))
        at = end
    ranges.append((at, min(at + _AROUND, len(data))))
    segments.append(_segment(data, ranges))
    return [View("ansi", segments)]


def _segment(data: bytes, ranges: list[Span]) -> Segment:
    pieces = Pieces(ranges)
    return Segment(pieces.joined(data), pieces.place)


def wrapped_keys(
    data: bytes, hits: Hits, prefixes: Container[int], find: Callable[[bytes], list[Match]]
) -> Iterator[Match]:
    """Yield keys that a line end splits. `prefixes` are the keywords that begin keys; `find` scans a joined text."""
    places = [start for word, start in hits.words if word in prefixes]
    places += hits.needles.get(NeedleKind.MARK, ())
    cut = frozenset(hits.needles.get(NeedleKind.BROKEN, ()))
    if not (places or cut) or b"\n" not in data:
        return
    begun = [place for place in sorted({*places, *cut}) if not inside_word(data, place)]
    others = frozenset(key_start(data, place) for place in places) if begun else frozenset()
    done = -1
    for place in begun:
        if place < done:
            continue
        end = row_end(data, place, _ROW_BYTES)
        line_break = LINE_BREAK.match(data, end)
        if not line_break:
            done = end  # later hits in this run end there too
            continue
        ranges = wrapped_rows(data, key_start(data, place), end, line_break.end(), () if place in cut else others)
        if len(ranges) > 1:
            done = ranges[-1][1]
            yield from _across(data, ranges, find)


def key_start(data: bytes, place: int) -> int:
    """Return the offset at which the key with a keyword or mark at `place` begins."""
    start = place
    if before := _BEFORE_KEYWORD.get(data[place]):
        while start and place - start < _LONGEST_BEFORE and before.match(data, start - 1):
            start -= 1
    return start


def row_end(data: bytes, place: int, longest: int) -> int:
    """Return the offset at which the run of key characters from a keyword or mark at `place` ends."""
    first = place + (data[place] in _BEFORE_KEYWORD)
    run = KEY_RUN.match(data, first, place + longest)
    return run.end() if run else first


def inside_word(data: bytes, place: int) -> bool:
    """Return whether a letter or digit precedes a keyword that begins with one."""
    return place > 0 and data[place - 1 : place].isalnum() and data[place] not in _BEFORE_KEYWORD


def wrapped_rows(data: bytes, start: int, end: int, following: int, others: Container[int] = ()) -> list[Span]:
    """Return the run of key characters from `start` to `end` (the end of its line) and its continuations from `following`.

    It does not continue in a row where one of the `others` begins: a list of keys is not a wrapped key.
    """
    line = data.rfind(b"\n", max(0, start - _ROW_BYTES), start) + 1
    width = end - line if line else end
    ranges = [(start, end)]
    while len(ranges) < _ROWS and width <= _ROW_BYTES:
        line = data.rfind(b"\n", end, following) + 1
        run = KEY_RUN.match(data, following)
        if not run or not run[0] or following in others or begins_other_text(data, following):
            break
        ranges.append(run.span())
        end = run.end()
        line_break = LINE_BREAK.match(data, end)
        if not line_break or end - line != width:
            break
        following = line_break.end()
    return ranges


def begins_other_text(data: bytes, at: int) -> bool:
    """Return whether a row begins with something that cannot be part of a key, such as the date of the next log line."""
    return _OTHER_TEXT.match(data, at) is not None


def _across(data: bytes, ranges: list[Span], find: Callable[[bytes], list[Match]]) -> Iterator[Match]:
    """Yield the matches in the joined rows that no single row contains."""
    pieces = Pieces(ranges)
    text = pieces.joined(data)
    for found in find(text):
        match = whole_rows(found, pieces)
        spans = tuple(span for first, last in match.spans for span in pieces.place(first, last))
        if len(spans) < 2:
            continue
        certain = match.known or aisa_shaped(match.secret.reveal())
        if certain or last_row_belongs(data, spans) or not complete_before(match, spans[-1], text, find):
            yield match.at(spans, ("wrapped", *match.encodings))


def whole_rows(match: Match, pieces: Pieces) -> Match:
    """Cut a match at a row that ends with the last character of a complete AIsa key: the next row is not part of it."""
    end = match.start + AISA_KEY_LENGTH
    value = match.secret.reveal()[:AISA_KEY_LENGTH]
    if match.end <= end or match.encodings or not aisa_shaped(value) or len(pieces.place(end - 1, end + 1)) < 2:
        return match
    return replace(match, spans=((match.start, end),), secret=Secret(value))


def complete_before(match: Match, last: Span, text: bytes, find: Callable[[bytes], list[Match]]) -> bool:
    """Return whether the match is also found without the last row: then the last row need not belong to it."""
    shorter = text[: match.end - (last[1] - last[0])]
    return any(other.rule == match.rule and other.start == match.start for other in find(shorter))


def last_row_belongs(data: bytes, spans: tuple[Span, ...]) -> bool:
    """Return whether the last row looks like the rest of a key: random, in a line not longer than the first."""
    start, end = spans[-1]
    line = data.rfind(b"\n", max(0, start - _ROW_BYTES), start) + 1
    first = data.rfind(b"\n", max(0, spans[0][0] - _ROW_BYTES), spans[0][0]) + 1
    line_end = data.find(b"\n", end, end + _ROW_BYTES)
    width = spans[0][1] - first
    longest = (line_end if line_end >= 0 else min(len(data), end + _ROW_BYTES)) - line
    if longest > width + 1 or data[end : end + 1] in {b"=", b":", b"("}:
        return False
    return len(spans) > 2 or (width >= _NARROWEST and has_mixed_characters(data[start:end]))


def has_mixed_characters(row: bytes) -> bool:
    """Return whether a row has digits and other characters, or several changes to upper case."""
    digits = sum(chr(byte).isdigit() for byte in row)
    changes = sum(
        a.islower() and b.isupper() for a, b in zip(row.decode("latin-1"), row.decode("latin-1")[1:], strict=False)
    )
    return 0 < digits < len(row) or changes > 1
