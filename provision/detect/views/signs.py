"""Text without the signs that a reader does not see, and with the plain form of characters that look the same.

Soft hyphens, zero-width characters, tags inside a word, entities, backspaces; typographic hyphens, full-width and mathematical
letters, Cyrillic and Greek letters inside a word of Latin ones; hyphens that Markdown, RTF and LaTeX escape.
"""

from __future__ import annotations

import functools
import html
import unicodedata
from typing import TYPE_CHECKING

from provision.detect.engines.needles import NeedleKind
from provision.detect.engines.patterns import lazily_compiled
from provision.detect.views.view import View, unescaped_segment
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from provision.detect.engines.hits import Hits
    from provision.detect.match import Span
    from provision.detect.views.view import Segment

_BEFORE, _AROUND = 512, 2048
_INLINE = "a|b|bdi|big|code|del|em|font|i|ins|kbd|mark|nobr|s|small|span|strong|sub|sup|tspan|tt|u|var|wbr"
_WRITTEN = (
    rf"</?(?:{_INLINE})(?:[ /][^<>\n]{{0,200}})?>|<!--[^<>\n]{{0,80}}-->"
    r"|&(?:#[xX][0-9a-fA-F]{1,6}|#[0-9]{1,7}|[A-Za-z]{2,16});"
)
_STRUCK = (
    r"|[^\x08\n]{3}\x08{3}|[^\x08\n]{2}\x08{2}|[^\x08\n]\x08|[^\x7f\n]{3}\x7f{3}|[^\x7f\n]{2}\x7f{2}|[^\x7f\n]\x7f"
)
_OTHER = (
    r"|\\allowbreak(?: |\{\})?|\\[-_]|\{-\}"
    r"|\xc2\xad|\xcd\x8f|\xcb\x97|\xe2\x80[\x8b-\x95\xaa-\xaf]|\xe2\x81[\xa0-\xa4\xa6-\xaf]|\xe2\x88\x92|\xef\xb8[\x80-\x8f]|\xef\xbb\xbf"
    r"|\xef\xb9[\x98\xa3\x8d-\x8f]|\xef\xbc[\x81-\xbf]|\xef\xbd[\x80-\x9e]|\xf0\x9d[\x90-\x9f][\x80-\xbf]"
    r"|\xce[\x80-\xbf]|\xcf[\x80-\xbf]|\xd0[\x80-\xbf]|\xd1[\x80-\xbf]"
)
_SIGN = lazily_compiled(f"({_WRITTEN}{_STRUCK}{_OTHER})".encode("latin-1"))
_SIGN_NOT_STRUCK = lazy_regex(f"({_WRITTEN}{_OTHER})".encode("latin-1"))
"""Where nothing is struck over: each choice begins with one fixed byte, so `re` finds them 20 times as fast."""
_TAGS = lazy_regex(rf"(?:</?(?:{_INLINE})(?:[ /][^<>\n]{{0,200}})?>|<!--[^<>\n]{{0,80}}-->)+[A-Za-z0-9_-]".encode())
_CONTROL = lazy_regex(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
_TEXT = 24
_RUN = lazy_regex(rb"[A-Za-z0-9_-]+")
_ESCAPES = frozenset({b"\\-", b"\\_", b"{-"})
_TYPESET = {b"\\_": b"-", b"\\-": b""}
_LATIN = dict(
    zip(
        "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0455\u0458\u043a\u0501\u051b\u051d\u0410\u0412\u0421\u0415\u041d"
        "\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u03b1\u03b9\u03ba\u03bf\u03c1\u03c5\u0391\u0392\u0395\u0396"
        "\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bd",
        "aceopxyisjkdqwABCEHIJKMOPSTXaikopuABEZHIKMNOPTYXv",
        strict=True,
    )
)
"""Cyrillic and Greek letters that look like Latin ones."""
_DASHES = "\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"


def shown_views(data: bytes, hits: Hits, prefixes: Container[int]) -> Iterator[View]:
    """Yield a view of the text around signs, and around keys that end in the sign of an escape.

    `prefixes` are the keywords that begin keys.
    """
    starts = hits.needles.get(NeedleKind.SIGN, [])
    escaped: list[int] = []
    done = -1
    for word, at in hits.words:
        if at >= done and word in prefixes and (run := _RUN.match(data, at, at + _AROUND)):
            done = run.end()
            if data[done : done + 2] in _ESCAPES:
                escaped.append(done - 1)
    if escaped:
        starts = sorted({*starts, *escaped})
    if starts and (segments := list(sign_segments(data, starts))):
        yield View("signs", segments)


def sign_segments(data: bytes, starts: list[int]) -> Iterator[Segment]:
    """Yield the text around each of the offsets, within its line, as a reader sees it."""
    for start, end in _regions(data, starts):
        raw = data[start:end]
        sign = _SIGN if b"\x08" in raw or b"\x7f" in raw else _SIGN_NOT_STRUCK
        if segment := unescaped_segment(data, start, end, sign, _plain):
            yield segment
        if (b"\\-" in raw or b"\\_" in raw) and (segment := unescaped_segment(data, start, end, sign, _typeset)):
            yield segment


def _regions(data: bytes, starts: list[int]) -> Iterator[Span]:
    done = -1
    for at in starts:
        if at < done or not _is_sign(data, at):
            continue
        low = max(data.rfind(b"\n", max(0, at - _BEFORE), at) + 1, at - _BEFORE, 0)
        line_end = data.find(b"\n", at, at + _AROUND)
        high = line_end if line_end >= 0 else min(at + _AROUND, len(data))
        done = high if line_end >= 0 or high == len(data) else high - _BEFORE
        yield low, high


def _is_sign(data: bytes, at: int) -> bool:
    """Return whether a tag is inside a word, and whether a character that is not ASCII is in text."""
    if data[at + 1 : at + 2] == b"<":
        return _TAGS.match(data, at + 1) is not None
    around = data[max(0, at - _TEXT) : at + _TEXT]
    return around.isascii() or not _CONTROL.search(around)


def _typeset(sign: bytes) -> bytes:
    """RTF writes a hyphen as backslash and underscore; LaTeX a place where a word may be broken as backslash and hyphen."""
    return _TYPESET[sign] if sign in _TYPESET else _plain(sign)


@functools.lru_cache(4096)
def _plain(sign: bytes) -> bytes:
    if sign[-1:] in b"\x08\x7f":
        return b""
    match sign[:1]:
        case b"<":
            return b""
        case b"\\":
            return sign[1:] if len(sign) == len(b"\\-") else b""
        case b"{":
            return b"-"
        case b"&":
            return b"".join(_letter(each) for each in html.unescape(sign.decode("ascii")))
    return b"".join(map(_letter, sign.decode("utf-8", "surrogateescape")))


def _letter(character: str) -> bytes:
    if character in _DASHES:
        return b"-"
    if plain := _LATIN.get(character):
        return plain.encode()
    if unicodedata.category(character) in {"Cf", "Mn"}:
        return b""
    return unicodedata.normalize("NFKC", character).encode("utf-8", "surrogateescape")
