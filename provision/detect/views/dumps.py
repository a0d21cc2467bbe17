"""Bytes shown in rows: hexdump, xxd, od, `curl --trace`, tcpdump, arrays of source code, lists with an item a line.

A row has an offset, or none; then bytes or characters; then perhaps the same bytes as characters, which are masked too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from provision.detect.views.lists import STYLES, Style, runs
from provision.detect.views.mapped import mapped_segment
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.detect.match import Span
    from provision.detect.views.view import Segment

MOST_ROWS, KEPT_ROWS = 96, 32
"""A block is read in parts of so many rows, which overlap by so many: longer than a key."""
_ROW_BYTES = 512
_PREFIX, _MOST_CUT = b"sk-aisa-", 4
_OFFSET = lazy_regex(
    rb"[ \t]{0,8}(?:0x)?[0-9a-fA-F]{3,16}(?:[ \t]{0,2}<[^>\n]{1,80}>)?(?::[0-9a-fA-F]{4})?(?::[ \t]{0,4}|[ \t]{1,4})"
)
_ITEM = (
    rb"(?:0[xX][0-9a-fA-F]{2}|[0-9a-fA-F]{2}|[0-9a-fA-F]{4}|[0-9]{2,3}|'[^'\n]'|\"[^\"\n]\")(?![0-9A-Za-z])"
    rb"(?:[ ,:\t\])};\\]|- ){0,12}"
)
_ITEMS = lazy_regex(rb"(?:" + _ITEM + rb"){3}")
_FIRST_ROW = lazy_regex(
    rb"[ \t\[{(]*(?:['\"][^\n]['\"],|"
    rb"(?:\"[^\"\n]{1,80}\"=hex(?:\([0-9a-f]\))?:)?(?:" + _ITEM + rb"){4}| {3}[ -~] {3})"
)
_LAST_ROW = lazy_regex(rb"(?:" + _ITEM + rb"){1,2}[^\n]{0,20}")
_ONLY_ITEMS = lazy_regex(rb"[ \t]*(?:\"[^\"\n]{1,80}\"=hex(?:\([0-9a-f]\))?:|[\[{(])?(?:" + _ITEM + rb"){1,128}\r?")
_CELL = lazy_regex(rb"[0-7]{7}(?P<cells>(?: {3}[ -~]| {2}\\[0nrtbfav]| [0-7]{3}){1,16})\r?\n?")
_CHARACTER = lazy_regex(rb" {3}(?P<plain>[ -~])| {2}\\(?P<letter>[0nrtbfav])| (?P<octal>[0-7]{3})")
_READABLE = lazy_regex(rb"[!-~]{8}")
_AFTER = b" \t\r\"',;:\\])}"
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class Block(NamedTuple):
    """Rows of a dump: the range, and whether more bytes could add another row."""

    start: int
    end: int
    open: bool


def blocks(data: bytes, starts: Sequence[int]) -> Iterator[Block]:
    """Yield the blocks of rows that begin at one of the offsets (of a line) and have two rows or more, or may get another."""
    done = -1
    for at in starts:
        if at < done or not _is_first_row(data, at):
            continue
        end, rows = at, 0
        while end < len(data) and is_row(data, end):
            end = data.find(b"\n", end) + 1 or len(data)
            rows += 1
        done = end
        if rows > 1 or end == len(data):
            yield Block(at, end, open=end == len(data))


def parts(data: bytes, block: Block) -> Iterator[Span]:
    """Yield the parts of a block: ranges of at most `MOST_ROWS` rows that overlap."""
    lines = [block.start]
    while lines[-1] < block.end:
        lines.append(data.find(b"\n", lines[-1], block.end) + 1 or block.end)
    first = 0
    while True:
        last = min(first + MOST_ROWS, len(lines) - 1)
        yield lines[first], lines[last]
        if last == len(lines) - 1:
            return
        first += MOST_ROWS - KEPT_ROWS


def _is_first_row(data: bytes, start: int) -> bool:
    """Return whether the line is a row with several bytes, or with a character of a list that has one a line."""
    if not is_row(data, start):
        return False
    offset = _OFFSET.match(data, start)
    return bool(_FIRST_ROW.match(data, offset.end() if offset else start) or _FIRST_ROW.match(data, start))


def is_row(data: bytes, start: int) -> bool:
    """Return whether the line at `start` is a row of bytes or characters."""
    end = data.find(b"\n", start, start + _ROW_BYTES)
    if end < 0:
        if len(data) - start > _ROW_BYTES:
            return False
        end = len(data)
    offset = _OFFSET.match(data, start, end)
    if offset and (_ITEMS.match(data, offset.end(), end) or _LAST_ROW.fullmatch(data, offset.end(), end)):
        return True
    return bool(_ONLY_ITEMS.fullmatch(data, start, end) or _CELL.match(data, start, end))


def dump_segments(data: bytes, start: int, end: int) -> Iterator[Segment]:
    """Yield what the rows in a range say, in each style in which they can be read."""
    rows = list(_lines(data, start, end))
    for style in STYLES:
        if not all(_read(data, at, stop, style) for at, stop in rows[:2]):
            continue
        read = [row for at, stop in rows if (row := _read(data, at, stop, style))]
        if len(read) >= max(2, len(rows) * 3 // 4) and _READABLE.search(b"".join(row.text for row in read)):
            yield _segment(data, read)
    cells = [row for at, stop in rows if (row := _characters(data, at, stop))]
    if len(cells) > 1:
        yield _segment(data, cells)


class _Row(NamedTuple):
    text: bytes
    places: list[Span]
    beside: list[Span]


def _segment(data: bytes, rows: list[_Row]) -> Segment:
    text = b"".join(row.text for row in rows)
    first = rows[0].places[0][0]
    cut = next((n for n in range(1, _MOST_CUT) if text.startswith(_PREFIX[n:])), 0)
    if cut:  # the row before, in which the key begins, is not known as a dump
        begun = _Row(_PREFIX[:cut], [(first, first)] * cut, [(first, first)] * cut)
        rows, text = [begun, *rows], begun.text + text
    places = [place for row in rows for place in row.places]
    beside: list[Span] = []
    for row in rows:
        beside += row.beside or [(row.places[0][0], row.places[0][0])] * len(row.text)
    return mapped_segment(data, text, places, beside)


def _lines(data: bytes, start: int, end: int) -> Iterator[Span]:
    while start < end:
        stop = data.find(b"\n", start, end)
        stop = stop if stop >= 0 else end
        yield start, stop
        start = stop + 1


def _read(data: bytes, start: int, end: int, style: Style) -> _Row | None:
    offset = _OFFSET.match(data, start, end)
    for low in dict.fromkeys((offset.end() if offset else start, start)):
        for text, places in runs(data, low, end, style, least=1):
            if data[low : places[0][0]].strip(b' \t"[{(') and b"=hex" not in data[low : places[0][0]]:
                break
            return _with_characters(data, end, text, places)
    return None


def _with_characters(data: bytes, end: int, text: bytes, places: list[Span]) -> _Row:
    """Find the column of characters at the end of a row, which tells how many bytes the row has."""
    line_end = end - (data[end - 1 : end] == b"\r")
    for stop in (line_end, line_end - 1):
        for count in range(len(text), max(0, len(text) - 12), -1):
            start = stop - count
            if start <= places[count - 1][0]:
                continue
            if all(_shown(byte, seen) for byte, seen in zip(text[:count], data[start:stop], strict=True)):
                return _Row(text[:count], places[:count], [(start + n, start + n + 1) for n in range(count)])
    return _Row(text, places, [])


def _shown(byte: int, seen: int) -> bool:
    return byte == seen if 32 < byte < 127 else seen in b". " or byte == seen


def _characters(data: bytes, start: int, end: int) -> _Row | None:
    row = _CELL.fullmatch(data, start, end)
    if not row:
        return None
    text: list[bytes] = []
    places: list[Span] = []
    for each in _CHARACTER.finditer(data, *row.span("cells")):
        text.append(
            each["plain"]
            or (bytes((int(each["octal"], 8) & 255,)) if each["octal"] else _LETTERS.get(each["letter"], b"\0"))
        )
        places.append((each.end() - 1, each.end()) if each["plain"] else each.span())
    return _Row(b"".join(text), places, [])
