"""Decode base64, hex, UTF-16, percent signs and backslashes around hits.

Only the bytes around a hit are decoded, at most `REGION_BYTES` to either side, and no region twice: the work is linear in the
size of the text.
"""

from __future__ import annotations

import binascii
import bisect
import functools
from typing import TYPE_CHECKING, NamedTuple

from provision.detect.engines.needles import BASE64_KINDS, NeedleKind
from provision.detect.engines.uncounted import lazily_confirming
from provision.detect.views.view import Pieces, Segment, View, unescaped_segment
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Container, Iterable, Iterator

    from provision.detect.engines.hits import Hits
    from provision.detect.match import Span

REGION_BYTES = 16 << 10
_SEEN_AROUND = 4 << 10
"""A hit at least this far before the end of a decoded region is not decoded again."""
_BEFORE, _AFTER = 256, 512
_BEFORE_RUN = 24
_NEVER = 1 << 62
_RUN_END = lazy_regex(rb"[\s\"'`<]")
_JSON = lazy_regex(rb'(\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|["\\/bfnrt]))')
_JSON_MEANING = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_JSON_JOINED = lazy_regex(rb"\\[^\s\"'`][^\s\"'`<]*\Z")
_PERCENT_JOINED = lazy_regex(rb"%[0-9a-fA-F]{2}[^\s\"'`<]*\Z")
_PERCENT = lazy_regex(rb"(%[0-9a-fA-F]{2})")
_PERCENT_LETTER = lazy_regex(rb"%(?:2[dDeE]|3[0-9]|[46][1-9a-fA-F]|5[0-9aAfF]|7[0-9aA])")
"""Of a name or a value; blanks and slashes are escaped in every other address."""
_STANDARD = bytes.maketrans(b"-_", b"+/")
_LETTERS = {
    "base64": (lazy_regex(rb"[A-Za-z0-9+/_-]*"), lazy_regex(rb"[^A-Za-z0-9+/_-]")),
    "hex": (lazy_regex(rb"[0-9a-fA-F]*"), lazy_regex(rb"[^0-9a-fA-F]")),
}
_LINE_END = lazy_regex(rb"[ \t]{0,64}\r?\n[ \t]{0,64}")
_SHORTEST_LINE, _LONGEST_LINE = 40, 1024
_LINES = rb"([ \t]{0,64})([A-Za-z0-9+/_-]{40,900})\r?\n[ \t]{0,64}[A-Za-z0-9+/_-]{4}"
_FIRST_BLOCK, _BLOCK = lazily_confirming(b"^" + _LINES), lazily_confirming(b"\n" + _LINES)
_WIDE_BLOCK = 32


def decoded_views(data: bytes, hits: Hits, in_runs: Container[int] = ()) -> Iterator[View]:
    """Yield a view for each encoding that occurs in `data`.

    The keywords `in_runs` are those of rules that match one run without blanks and quotes: for them, escapes of signs matter in
    that run only. Escaped letters matter everywhere: they may be in the name of a secret.
    """
    words = [start for word, start in hits.words if word not in in_runs]
    runs = [start for word, start in hits.words if word in in_runs] if len(words) < len(hits.words) else []
    windows = _windows(words, len(data))
    for escapes in _ESCAPES:
        needles = hits.needles.get(escapes.kind, ())
        if more := [*needles, *_that_matter(data, runs, escapes)]:
            segments = escapes.decode(data, _windows(sorted([*words, *more]), len(data)))
        else:
            segments = escapes.decode(data, windows)
        if segments:
            yield View(escapes.encoding, segments)
    for encoding, read in _READINGS:
        if segments := read(data, hits):
            yield View(encoding, segments)


class _Escapes(NamedTuple):
    encoding: str
    kind: NeedleKind
    mark: bytes
    sign: re.Pattern[bytes]
    letter: re.Pattern[bytes]
    joined: re.Pattern[bytes]
    """An escape in the same run, before a keyword; not of a quote, which ends a run."""
    pattern: re.Pattern[bytes]
    meaning: Callable[[bytes], bytes]

    def decode(self, data: bytes, windows: list[Span]) -> list[Segment]:
        """Return segments of the windows with the escapes decoded, where there are escapes."""
        if not windows or data.find(self.mark, windows[0][0], windows[-1][1]) < 0:
            return []
        return [
            segment
            for start, end in windows
            if data.find(self.mark, start, end) >= 0
            and (segment := unescaped_segment(data, start, end, self.pattern, self.meaning))
        ]


def _that_matter(data: bytes, places: list[int], escapes: _Escapes) -> Iterator[int]:
    """Yield the sorted offsets at which the run without blanks has escapes, or around which some stand for letters."""
    signs = [
        found.start()
        for start, end in _windows(places, len(data))
        if data.find(escapes.mark, start, end) >= 0
        for found in escapes.sign.finditer(data, start, end)
    ]
    if not signs:
        return
    letters = [at for at in signs if escapes.letter.match(data, at)]
    for at in places:
        if _next(letters, at - _BEFORE) < at + _AFTER or (
            _next(signs, at - _BEFORE_RUN) < at + _AFTER and _in_run(data, at, escapes)
        ):
            yield at


def _next(offsets: list[int], at: int) -> int:
    index = bisect.bisect_left(offsets, at)
    return offsets[index] if index < len(offsets) else _NEVER


def _in_run(data: bytes, at: int, escapes: _Escapes) -> bool:
    """Return whether there are escapes in the run at `at`. Quotes end it, escaped ones too."""
    if escapes.joined.search(data, max(at - _BEFORE_RUN, 0), at):
        return True
    end = _RUN_END.search(data, at, at + _AFTER)
    return escapes.mark in data[at : end.start() if end else at + _AFTER].rstrip(b"\\")


def _windows(starts: list[int], limit: int) -> list[Span]:
    """Return ranges around sorted offsets; overlapping ranges are merged."""
    windows: list[Span] = []
    first = last = -1
    for start in starts:
        if start - _BEFORE > last:
            if last >= 0:
                windows.append((max(first, 0), last))
            first = start - _BEFORE
        last = start + _AFTER
    if last >= 0:
        windows.append((max(first, 0), min(last, limit)))
    return windows


@functools.lru_cache(4096)
def _json(escape: bytes) -> bytes:
    letter, code = escape[1:2], escape[2:]
    if letter == b"u":
        return chr(int(code, 16)).encode("utf-8", "surrogatepass")
    return bytes((int(code, 16),)) if letter == b"x" else _JSON_MEANING.get(letter, letter)


@functools.lru_cache(256)
def _percent(escape: bytes) -> bytes:
    return bytes((int(escape[1:], 16),))


def _base64(data: bytes, hits: Hits) -> list[Segment]:
    starts = [(at, shift) for shift, kind in enumerate(BASE64_KINDS) for at in hits.needles.get(kind, ())]
    segments = list(_decoded(data, sorted(starts), "base64", 4)) if starts else []
    if starts_of_lines := base64_blocks(data, hits):
        segments += _decoded(data, [(at, 0) for at in starts_of_lines], "base64", 4)
    return segments


def _hex(data: bytes, hits: Hits) -> list[Segment]:
    return list(_decoded(data, [(at, 0) for at in hits.needles.get(NeedleKind.HEX, ())], "hex", 2))


def base64_blocks(data: bytes, hits: Hits) -> list[int]:
    """Return the offsets at which blocks of base64 lines begin: line ends may split a keyword in them."""
    found: list[int] = []
    first = hits.base64_lines
    if first is None:
        return found
    begins = not first and data.find(b"\n", 0, _LONGEST_LINE) >= _SHORTEST_LINE
    block = (_FIRST_BLOCK.search(data, 0, len(data)) if begins else None) or _BLOCK.search(data, first, len(data))
    while block:
        found.append(block.end(1))
        block = _BLOCK.search(data, block.end() + _SEEN_AROUND, len(data))
    return found


def _decoded(data: bytes, hits: Iterable[tuple[int, int]], encoding: str, group: int) -> Iterator[Segment]:
    """Decode around hits: pairs of an offset and the number of characters of its group before it."""
    seen: dict[int, int] = {}
    for at, before in hits:
        phase = (at - before) % group
        if at < seen.get(phase, -1):
            continue
        ranges, offset = encoded_run(data, at, encoding)
        pieces = Pieces(ranges)
        text = pieces.joined(data)
        missing = (before - offset) % group  # of the first group: filled with zeros
        seen[phase] = ranges[-1][1] - (_SEEN_AROUND if ranges[-1][1] - at > _SEEN_AROUND else 0)
        yield _SEGMENTS[encoding](text, pieces, missing)


def _base64_segment(text: bytes, pieces: Pieces, missing: int) -> Segment:
    text = b"A" * missing + text.translate(_STANDARD)
    whole = text[: len(text) - (len(text) % 4 == 1)]
    decoded = binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
    return Segment(
        decoded,
        lambda first, last: pieces.place(
            max(first * 4 // 3 - missing, 0), min(-(-last * 4 // 3) - missing, pieces.length)
        ),
    )


def _hex_segment(text: bytes, pieces: Pieces, missing: int) -> Segment:
    text = b"0" * missing + text
    decoded = binascii.a2b_hex(text[: len(text) // 2 * 2])
    return Segment(decoded, lambda first, last: pieces.place(max(first * 2 - missing, 0), last * 2 - missing))


_SEGMENTS = {"base64": _base64_segment, "hex": _hex_segment}


def encoded_run(data: bytes, at: int, encoding: str) -> tuple[list[Span], int]:
    """Find the run of an encoding's characters around `at`, across line ends where whole lines are such characters.

    Returns its ranges, and the number of its characters before `at`.
    """
    letters, other = _LETTERS[encoding]
    start = _run_start(data, at, other)
    found = letters.match(data, at, at + REGION_BYTES)
    end = found.end() if found else at
    ranges = [(start, end)]
    _extend_forward(data, ranges, letters, at + REGION_BYTES)
    before = _extend_backward(data, (start, end), other, at - REGION_BYTES)
    return before + ranges, sum(last - first for first, last in before) + at - start


def _run_start(data: bytes, at: int, other: re.Pattern[bytes]) -> int:
    """Return the offset at which the run of characters that ends before `at` begins."""
    size = 128
    while True:
        low = max(0, at - size)
        last = None
        for last in other.finditer(data, low, at):  # noqa: B007  the last one counts
            pass
        if last:
            return last.end()
        if low == 0 or size >= REGION_BYTES:
            return low
        size *= 4


def _extend_forward(data: bytes, ranges: list[Span], letters: re.Pattern[bytes], limit: int) -> None:
    start, end = ranges[-1]
    while end - start >= _WIDE_BLOCK and end < limit:
        line_end = _LINE_END.match(data, end)
        found = line_end and letters.match(data, line_end.end())
        if not found or not found[0] or found.end() - found.start() > end - start + 128:
            return
        if found.end() < len(data) and data[found.end()] not in b"=\r\n \t\"'":
            return
        start, end = found.span()
        ranges.append((start, end))


def _extend_backward(data: bytes, run: Span, other: re.Pattern[bytes], limit: int) -> list[Span]:
    start, end = run
    before: list[Span] = []
    while start > max(limit, 0):
        line = data.rfind(b"\n", max(0, start - 65), start) + 1
        if not line or data[line:start].strip(b" \t"):
            break
        last = line - 1 - (data[line - 2 : line - 1] == b"\r")
        first = _run_start(data, last, other)
        if last - first < _WIDE_BLOCK or last - first + 128 < end - start:
            break
        start, end = first, last
        before.insert(0, (first, last))
    return before


def _utf16(data: bytes, hits: Hits) -> list[Segment]:
    seen = [-1, -1]
    segments: list[Segment] = []
    for at in hits.needles.get(NeedleKind.UTF16, ()):
        if at < seen[at % 2]:
            continue
        low = at - min(at, REGION_BYTES) // 2 * 2
        zeros = data[low + 1 : at : 2]
        start = at - 2 * (len(zeros) - len(zeros.rstrip(b"\0")))
        zeros = data[at + 1 : at + REGION_BYTES : 2]
        end = at + 2 * (len(zeros) - len(zeros.lstrip(b"\0")))
        seen[at % 2] = end - (_SEEN_AROUND if end - at > _SEEN_AROUND else 0)
        segments.append(_utf16_segment(data, start, end))
        if end < len(data) and data[end] > ord(" "):
            # big endian: the zero precedes the last character
            segments.append(_utf16_segment(data, start, end + 1))
    return segments


def _utf16_segment(data: bytes, start: int, end: int) -> Segment:
    return Segment(data[start:end:2], lambda first, last: ((start + 2 * first, min(start + 2 * last, end)),))


_ESCAPES = (
    _Escapes(
        "json",
        NeedleKind.JSON,
        b"\\",
        lazy_regex(rb"\\(?=[^\"'`])"),
        lazy_regex(rb"\\[ux]"),
        _JSON_JOINED,
        _JSON,
        _json,
    ),
    _Escapes("url", NeedleKind.URL, b"%", _PERCENT, _PERCENT_LETTER, _PERCENT_JOINED, _PERCENT, _percent),
)
_READINGS: tuple[tuple[str, Callable[[bytes, Hits], list[Segment]]], ...] = (
    ("base64", _base64),
    ("hex", _hex),
    ("utf-16", _utf16),
)
