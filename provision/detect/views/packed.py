"""Compressed data in base64, and rarer encodings: base32, ascii85 with its marks, uuencode, UTF-32.

What is compressed has no place of its own in the text, so all of it is masked when a secret is inside.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING

from provision.detect.engines.needles import NeedleKind
from provision.detect.views.encodings import REGION_BYTES, encoded_run
from provision.detect.views.mapped import mapped_segment
from provision.detect.views.view import Pieces, Segment, View
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.detect.engines.hits import Hits
    from provision.detect.match import Span

UNPACKED_BYTES = 256 << 10
_COMPRESSED = lazy_regex(rb"(?<![A-Za-z0-9+/_-])(?:H4sI|eJ[w-z]|eN[o-r]|eAE)[A-Za-z0-9+/_-]")
_BASE32 = lazy_regex(rb"[A-Za-z0-9]{24,16384}")
_ALPHANUMERIC = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FROM_HEX = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUV", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_ASCII85 = lazy_regex(rb"<~([!-uz\s]{20,16384})~>")
_UU_BEGIN = lazy_regex(rb"begin [0-7]{3} [^\r\n]{1,200}\r?\n")
_UU_LINE = lazy_regex(rb"[!-M`][ -`]{1,84}\r?\n?")
_UU_LINES = 200
_STANDARD = bytes.maketrans(b"-_", b"+/")


def packed_views(data: bytes, hits: Hits) -> Iterator[View]:
    """Yield a view for each of the encodings that occurs."""
    found: dict[str, list[Segment]] = {}
    done = -1
    for at in hits.needles.get(NeedleKind.PACKED, ()):
        if at < done:
            continue
        for name, (segment, end) in _read(data, at):
            found.setdefault(name, []).append(segment)
            done = end
    wide = _wide(data, hits.needles.get(NeedleKind.WIDE, []))
    if wide:
        found["utf-32"] = wide
    for name, segments in found.items():
        yield View(name, segments)


def _read(data: bytes, at: int) -> Iterator[tuple[str, tuple[Segment, int]]]:
    if _COMPRESSED.match(data, at):
        ranges, before = encoded_run(data, at, "base64")
        if not before and (text := _unpacked(data, ranges)):
            place = tuple(ranges)
            yield "compressed", (Segment(text, lambda _first, _last: place), ranges[-1][1])
    elif found := _ASCII85.match(data, at):
        try:
            text = base64.a85decode(found[0], adobe=True)
        except ValueError:
            return
        inside = found.span(1)
        yield "ascii85", (Segment(text, lambda _first, _last: (inside,)), found.end())
    else:
        yield from (("base32", found) for found in _base32_segments(data, at))


def compressed_lines(data: bytes, starts: Sequence[int]) -> Iterator[tuple[int, bool, Segment | None]]:
    """Yield compressed data in several lines of base64: its offset, whether more lines could follow, and what is inside."""
    done = -1
    for at in starts:
        if at < done or not _COMPRESSED.match(data, at):
            continue
        ranges, before = encoded_run(data, at, "base64")
        done = ranges[-1][1]
        rest = data[done : done + 4].strip(b"= \t\r")
        is_open = rest == b"\n" and done + 4 >= len(data) and done - at < REGION_BYTES
        if before or (len(ranges) < 2 and not is_open):
            continue
        text = b"" if is_open else _unpacked(data, ranges)
        yield at, is_open, Segment(text, lambda _first, _last, ranges=tuple(ranges): ranges) if text else None  # type: ignore[misc]


def _unpacked(data: bytes, ranges: list[Span]) -> bytes:
    text = Pieces(ranges).joined(data).translate(_STANDARD)
    raw = binascii.a2b_base64(text[: len(text) // 4 * 4] + b"=" * 0)
    tail = text[len(text) // 4 * 4 :]
    if len(tail) > 1:
        raw += binascii.a2b_base64(tail + b"=" * (-len(tail) % 4))
    try:
        return zlib.decompressobj(47).decompress(raw, UNPACKED_BYTES)  # 47: gzip or zlib
    except zlib.error:
        return b""


def _base32_segments(data: bytes, at: int) -> Iterator[tuple[Segment, int]]:
    """Read the run around `at` as base32 and as base32hex, in either case."""
    start = max(0, at - REGION_BYTES) + len(data[max(0, at - REGION_BYTES) : at].rstrip(_ALPHANUMERIC))
    run = _BASE32.match(data, start)
    if not run:
        return
    letters = run[0].upper()
    for text in (letters, letters.translate(_FROM_HEX)):
        whole = text[: len(text) - (len(text) % 8 in {1, 3, 6})]
        try:
            decoded = base64.b32decode(whole + b"=" * (-len(whole) % 8))
        except binascii.Error:
            continue
        yield (
            Segment(decoded, lambda first, last: ((start + first * 8 // 5, min(start - (-last * 8 // 5), run.end())),)),
            run.end(),
        )


def uu_end(data: bytes, start: int) -> tuple[int, bool]:
    """Return where the lines of a uuencoded file that begins at `start` end, and whether more bytes could add a line."""
    begin = _UU_BEGIN.match(data, start)
    if not begin:
        return start, False
    at, count = begin.end(), 0
    while count < _UU_LINES and (line := _UU_LINE.match(data, at)) and not data.startswith(b"end", at):
        at, count = line.end(), count + 1
    return at, at == len(data) and count < _UU_LINES


def uu_segment(data: bytes, start: int, end: int) -> Segment | None:
    """Return what the lines of a uuencoded file in a range say; the bytes of a line are all at the place of the line."""
    begin = _UU_BEGIN.match(data, start)
    at = begin.end() if begin else start
    text: list[bytes] = []
    places: list[Span] = []
    while at < end:
        stop = data.find(b"\n", at, end)
        stop = stop if stop >= 0 else end
        line = data[at:stop].rstrip(b"\r")
        try:
            decoded = binascii.a2b_uu(line)
        except binascii.Error:
            decoded = b""
        text.append(decoded)
        places += [(at + 1, at + len(line))] * len(decoded)
        at = stop + 1
    return mapped_segment(data, b"".join(text), places) if places else None


def _wide(data: bytes, starts: list[int]) -> list[Segment]:
    segments: list[Segment] = []
    done = -1
    for at in starts:
        if at < done:
            continue
        low = at
        while low >= 4 and at - low < REGION_BYTES and data[low - 3 : low] == b"\0\0\0":
            low -= 4
        end = at
        while end + 4 <= len(data) and end - at < REGION_BYTES and data[end + 1 : end + 4] == b"\0\0\0":
            end += 4
        if end < len(data) and data[end] > ord(" ") and low >= 3:
            end += 1  # big endian: the zeros precede the last character
        done = end
        segments.append(_wide_segment(data, low, end))
    return segments


def _wide_segment(data: bytes, low: int, end: int) -> Segment:
    return Segment(data[low:end:4], lambda first, last: ((low + 4 * first, min(low + 4 * last, end)),))
