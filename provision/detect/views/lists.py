"""Text that is written as a list of bytes or characters: `[115 107 45]`, `{0x73, 0x6b}`, `73:6b:2d`, `['s', 'k']`, `\\163\\153`.

A list is read within one line; `dumps` reads those that continue over rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.engines.needles import NeedleKind
from provision.detect.views.mapped import mapped_segment
from provision.detect.views.view import View
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

    from provision.detect.engines.hits import Hits
    from provision.detect.match import Span
    from provision.detect.views.view import Segment

LEAST = 6
"""Fewest items of a list."""
_REGION_BYTES = 8 << 10
_GLUE = lazy_regex(
    rb"(?:u8|i8|UL?|\))?(?:[ \t]{0,4}[ ,:;.&+|\t-]{1,2}[ \t]{0,4}|  - )(?:\(byte\) ?|\[char\]|[Cc][Hh][Aa]?[Rr]\(|U\+)?"
)
_READABLE = lazy_regex(rb"[!-~]{6}")
_NO_GLUE = lazy_regex(rb"")
_COMMA = lazy_regex(rb"[ \t]{0,4},?[ \t]{0,4}")


@dataclass(frozen=True, slots=True)
class Style:
    """One way to write a byte: an item with the value in a group, what separates two items, and what an item means."""

    item: re.Pattern[bytes]
    glue: re.Pattern[bytes]
    meaning: Callable[[bytes], bytes]


def _number(base: int) -> Callable[[bytes], bytes]:
    def meaning(digits: bytes) -> bytes:
        value = int(digits, base)
        return bytes((value,)) if value < 256 else b"\xff"

    return meaning


def _swapped(digits: bytes) -> bytes:
    return bytes.fromhex(digits.decode())[::-1]


STYLES = (
    Style(lazy_regex(rb"(?<![0-9A-Za-z])(?:0[xX])?([0-9a-fA-F]{2})(?![0-9A-Fa-f])"), _GLUE, _number(16)),
    Style(lazy_regex(rb"(?<![0-9A-Za-uw-z])([0-9]{1,3})(?![0-9A-Fa-fxX])"), _GLUE, _number(10)),
    Style(lazy_regex(rb"(?<![0-9A-Za-z])([0-7]{3})(?![0-9A-Za-z])"), _GLUE, _number(8)),
    Style(lazy_regex(rb"(?<![0-9A-Za-z])0([0-7]{2,3})(?![0-9A-Za-z])"), _GLUE, _number(8)),
    Style(lazy_regex(rb"(?<![0-9A-Za-z])([01]{8})(?![0-9A-Za-z])"), _GLUE, _number(2)),
    Style(lazy_regex(rb"U\+00([0-9a-fA-F]{2})"), _COMMA, _number(16)),
    Style(lazy_regex(rb"\\([0-3][0-7]{2})"), _NO_GLUE, _number(8)),
    Style(
        lazy_regex(rb"\\u\{0{0,4}([0-9a-fA-F]{2})\}|\\0{4}([0-9a-fA-F]{2}) ?|\\'([0-9a-fA-F]{2})"),
        _NO_GLUE,
        _number(16),
    ),
    Style(lazy_regex(rb"\\u([0-9]{1,3})\?"), _NO_GLUE, _number(10)),
    Style(lazy_regex(rb"'([ -&(-~])'|\"([ !#-~])\""), _COMMA, bytes),
    Style(
        lazy_regex(rb"(?<![0-9A-Za-z])((?:[0-9a-f]{2}){2})(?![0-9A-Za-z])"),
        _COMMA,
        lambda digits: bytes.fromhex(digits.decode()),
    ),
    Style(lazy_regex(rb"(?<![0-9A-Za-z])((?:[0-9a-f]{2}){2})(?![0-9A-Za-z])"), _COMMA, _swapped),
)


def listed_views(data: bytes, hits: Hits) -> Iterator[View]:
    """Yield a view of the lists that contain the beginning of a key or a name."""
    starts = hits.needles.get(NeedleKind.LIST)
    if starts and (segments := list(list_segments(data, starts))):
        yield View("bytes", segments)


def list_segments(data: bytes, starts: list[int]) -> Iterator[Segment]:
    """Yield the lists in the lines around each of the offsets."""
    done = -1
    for at in starts:
        if at < done:
            continue
        low = max(data.rfind(b"\n", max(0, at - _REGION_BYTES), at) + 1, at - _REGION_BYTES, 0)
        line_end = data.find(b"\n", at, at + _REGION_BYTES)
        high = line_end if line_end >= 0 else min(at + _REGION_BYTES, len(data))
        done = high if line_end >= 0 or high == len(data) else high - _REGION_BYTES // 2
        for style in STYLES:
            for text, places in runs(data, low, high, style):
                if not _READABLE.search(text):
                    continue
                yield mapped_segment(data, text, places)


def runs(data: bytes, low: int, high: int, style: Style, least: int = LEAST) -> Iterator[tuple[bytes, list[Span]]]:
    """Yield each run of items of a style in a range: its text, and the place of each byte."""
    text: list[bytes] = []
    places: list[Span] = []
    end = -1
    for item in style.item.finditer(data, low, high):
        if places and not style.glue.fullmatch(data, end, item.start()):
            if len(text) >= least:
                yield b"".join(text), places
            text, places = [], []
        value = style.meaning(item[item.lastindex or 0])
        text.append(value)
        places += [item.span()] * len(value)
        end = item.end()
    if len(text) >= least:
        yield b"".join(text), places
