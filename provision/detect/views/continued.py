"""Keys that continue elsewhere: in the next literal, in the same column of the next row, behind the same text in the next line.

    key = "sk-aisa-AbC" + "dEf"         | ada | sk-aisa-AbC |        10:01 app: key=sk-aisa-AbC
                                        |     | dEf         |        10:02 app: dEf

A chain begins where a key begins, and ends where the next piece is missing or where another key begins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from provision.detect.engines.needles import NeedleKind
from provision.detect.engines.patterns import lazily_compiled
from provision.detect.shapes import AISA_KEY_LENGTH, aisa_shaped
from provision.detect.views.apart import halves_on_a_line, rest_apart
from provision.detect.views.split_keys import (
    KEY_RUN,
    begins_other_text,
    complete_before,
    has_mixed_characters,
    inside_word,
    key_start,
    row_end,
    whole_rows,
)
from provision.detect.views.view import Pieces
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from provision.detect.engines.hits import Hits
    from provision.detect.match import Match, Span

_ROWS = 64
_ROW_BYTES = 2048
_KEY_BYTES = 4096
_QUOTE = rb"(?:\\?[\"'`])"
_JOIN = lazy_regex(
    rb"%(q)b(?:\\n\",)?[ \t]{0,16}(?:\+{1,2}|\.{1,2}|&|\|\||~|,)?(?:[ \t]{0,16}[\\_]?\r?\n[ \t]{0,200}\"?)?[ \t]{0,16}"
    rb"(?:\+{1,2}|\.{1,2}|&|\|\|)?[ \t]{0,16}[fbruFBRU]{0,2}%(q)b"
    rb"|%(q)b(?:\)\.append\(|;?\r?\n[ \t]{0,16}\$?[A-Za-z_]\w{0,40}[ \t]?(?:\+|\.)=[ \t]?|\}\}?)%(q)b?"
    rb"|[`^\\]\r?\n[ \t]{0,200}|=\r?\n" % {b"q": _QUOTE}
)
"""What stands between two literals, and the signs with which a line continues in the next."""
_JOIN_OPEN = lazy_regex(
    rb"(?:%(q)b[ \t]{0,16}(?:\\n\",|\+{1,2}|\.{1,2}|&|\|\||~|,)[ \t]{0,16}[\\_]?|(?:%(q)b[ \t]{0,16})?[`^\\]|=)\r?\n"
    % {b"q": _QUOTE}
)
_JOIN_NEXT = lazy_regex(
    rb"(?:%(q)b[ \t]{0,16}(?:\\n\",|\+{1,2}|\.{1,2}|&|\|\||~|,|;|\))?[ \t]{0,16}[\\_]?|(?:%(q)b[ \t]{0,16})?[`^\\]|=)\r?\n"
    % {b"q": _QUOTE}
)
"""The same where the literal may also end without such a sign: an incomplete key."""
_BAR = rb"(?:\||\xe2\x94[\x82\x83]|\xe2\x95\x91)"
_BARRIER = lazy_regex(rb"%b|[<>]" % _BAR)
_CELL_LEFT = lazy_regex(rb".*(?:(?P<bar>%b)|  |\t)[ \t]*" % _BAR, re.DOTALL)
_CELL_RIGHT = lazy_regex(rb"[ \t]*(?:%b|[ \t][<>]|[ \t]\+?[ \t]*\r?(?:\n|\Z)|\r?\n|\Z)|[ \t]{2,}" % _BAR)
_BARE_RUN = lazy_regex(rb"[A-Za-z0-9_-]*")
_LITERAL = lazy_regex(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{2,200}(?=%b|[`^\\=]\r?\n)" % _QUOTE)
_FRAGMENT = lazily_compiled(
    rb"[A-Za-z0-9_-]*(?:[A-Za-z_-][0-9]+[A-Za-z_-]|[0-9][A-Za-z_-]+[0-9])[A-Za-z0-9_-]*"
    rb"[ \t]*(?:%b|[ \t][ \t]|[ \t][<>+]|\r?\n|$)" % _BAR
)
_LEAST = 6
_LOOSE = b"0123456789 \t"
_OFFSET = lazy_regex(rb"[0-9a-fA-F]{4,16}(?=[: ])")


class Chain(NamedTuple):
    """The pieces of what may be one key, how they were found, and whether more bytes could add another piece.

    `bare`: they may only be a known key without a prefix.
    """

    ranges: list[Span]
    way: str
    open: bool
    bare: bool = False


def whole_keys(data: bytes, chain: Chain, find: Callable[[bytes], list[Match]]) -> Iterator[Match]:
    """Yield the matches in the joined pieces of a chain that no single piece contains."""
    if len(chain.ranges) < 2:
        return
    pieces = Pieces(chain.ranges)
    text = pieces.joined(data)
    for match in find(text):
        match = whole_rows(match, pieces)  # noqa: PLW2901
        spans = tuple(span for first, last in match.spans for span in pieces.place(first, last))
        if len(spans) < 2:
            continue
        certain = match.known or aisa_shaped(match.secret.reveal()) or chain.way == "joined"
        if certain or not complete_before(match, spans[-1], text, find):
            yield match.at(spans, (chain.way, *match.encodings))


def chains(data: bytes, hits: Hits, prefixes: Container[int]) -> Iterator[Chain]:
    """Yield the chains that begin at the keywords and marks of keys."""
    places = [start for word, start in hits.words if word in prefixes]
    places += hits.needles.get(NeedleKind.MARK, ())
    if not places:
        return
    others = frozenset(key_start(data, place) for place in places)
    done = -1
    for place in sorted(set(places)):
        if place < done:
            continue
        ranges, is_open = rest_apart(data, place, others)
        if len(ranges) > 1 or is_open:
            at_end = data[ranges[0][1] : ranges[0][1] + 2].strip(b"\r")[:1] in {b"\n", b""}
            yield Chain(ranges, "wrapped" if at_end else "apart", is_open)
        if inside_word(data, place):
            continue
        start, end = key_start(data, place), row_end(data, place, _KEY_BYTES)
        done = end
        if end - start >= AISA_KEY_LENGTH and aisa_shaped(data[start:end].decode("latin-1")):
            continue
        for chain in (
            literals(data, start, end, others),
            cells(data, start, end, others),
            lines(data, start, end, others),
        ):
            if len(chain.ranges) > 1 or chain.open:
                yield chain


def bare_chains(data: bytes, begin: int, longest: int) -> Iterator[Chain]:
    """Yield the chains of pieces from `begin` on that may be known keys without a prefix, of at most `longest` characters."""
    for ranges in halves_on_a_line(data, begin, longest):
        yield Chain(ranges, "apart", open=False, bare=True)
    done = -1
    for piece in _LITERAL.finditer(data, begin):
        if piece.start() >= done and piece.end() - piece.start() < longest:
            chain = literals(data, *piece.span(), (), _BARE_RUN)
            if len(chain.ranges) > 1 or chain.open:
                done = chain.ranges[-1][0]
                yield chain._replace(bare=True)
    at = begin
    while found := _FRAGMENT.search(data, at):
        run = _BARE_RUN.match(data, found.start())
        at = max(found.start() + 1, run.end() if run else 0)
        if not run or not _LEAST <= len(run[0]) < longest or not has_mixed_characters(run[0]):
            continue
        for follow in (cells, lines):
            chain = follow(data, *run.span(), (), letters=_BARE_RUN, longest=longest)
            if len(chain.ranges) > 1 or chain.open:
                yield chain._replace(bare=True)


def known_in(data: bytes, chain: Chain, known: Callable[[bytes], Match | None]) -> Match | None:
    """Return the known key that the first pieces of a chain are; `known` looks up a text."""
    text = data[slice(*chain.ranges[0])]
    for count, (start, end) in enumerate(chain.ranges[1:], 2):
        text += data[start:end]
        if match := known(text):
            return match.at(tuple(chain.ranges[:count]), (chain.way,))
    return None


def literals(
    data: bytes, start: int, end: int, others: Container[int] = (), letters: re.Pattern[bytes] = KEY_RUN
) -> Chain:
    """Follow a key from one literal to the next."""
    ranges = [(start, end)]
    while len(ranges) < _ROWS:
        if data[end - 1 : end] == b"=" and data[end : end + 2].strip(b"\r")[:1] == b"\n":
            end -= 1  # quoted-printable
            ranges[-1] = (ranges[-1][0], end)
        join = _JOIN.match(data, end)
        if not join:
            rest = (_JOIN_NEXT if _may_go_on(data[start:end], letters) else _JOIN_OPEN).match(data, end)
            return Chain(ranges, "joined", rest is not None and rest.end() == len(data))
        if b"\n" in join[0] and not _may_go_on(data[start:end], letters) and not _JOIN_OPEN.match(data, end):
            return Chain(ranges, "joined", open=False)
        run = letters.match(data, join.end())
        if not run or not run[0] or run.start() in others:
            return Chain(ranges, "joined", join.end() == len(data))
        ranges.append(run.span())
        end = run.end()
    return Chain(ranges, "joined", open=False)


def _may_go_on(text: bytes, letters: re.Pattern[bytes]) -> bool:
    return letters is KEY_RUN or (len(text) >= _LEAST and has_mixed_characters(text))


def cells(
    data: bytes,
    start: int,
    end: int,
    others: Container[int],
    *,
    letters: re.Pattern[bytes] = KEY_RUN,
    longest: int = _KEY_BYTES,
) -> Chain:
    """Follow a key down a column of a table or through the rows of a pane."""
    chain = Chain([(start, end)], "column", open=False)
    line = data.rfind(b"\n", max(0, start - _ROW_BYTES), start) + 1
    if start - line > _ROW_BYTES or not _CELL_RIGHT.match(data, end):
        return chain
    left = _CELL_LEFT.match(data, line, start)
    cell = left.end() if left else line
    at = data.find(b"\n", end, end + _ROW_BYTES) + 1
    if not at or (cell == line and not data[end:at].strip()):
        return chain  # a wrapped line, not a column
    column = len(data[line:cell].decode("utf-8", "surrogateescape"))
    bar = left.span("bar") if left and left["bar"] else None
    barrier = len(data[line : bar[0]].decode("utf-8", "surrogateescape")) if bar else None
    ranges = chain.ranges
    length = end - start
    while length < longest and len(ranges) < _ROWS and at < len(data):
        line_end = data.find(b"\n", at, at + _ROW_BYTES)
        row = data[at : line_end if line_end >= 0 else min(len(data), at + _ROW_BYTES)]
        offset = _byte_at(row, column)
        if offset is None or (barrier is not None and not _BARRIER.match(row, _byte_at(row, barrier) or 0)):
            return chain
        run = letters.match(data, at + offset, at + len(row))
        if not run or not run[0] or run.start() in others or begins_other_text(data, run.start()):
            return chain
        if not _CELL_RIGHT.match(data, run.end()) or not any(byte > 47 for byte in run[0]):
            return chain
        ranges.append(run.span())
        length += len(run[0])
        if line_end < 0:
            return chain
        at = line_end + 1
    return chain._replace(open=at >= len(data) and length < longest)


def _byte_at(row: bytes, column: int) -> int | None:
    """Return the offset of a column's first byte, if a cell begins there."""
    if row.isascii():
        offset = column
    else:
        text = row.decode("utf-8", "surrogateescape")
        offset = len(text[:column].encode("utf-8", "surrogateescape"))
    if offset >= len(row):
        return None
    return offset


def lines(
    data: bytes,
    start: int,
    end: int,
    others: Container[int],
    *,
    letters: re.Pattern[bytes] = KEY_RUN,
    longest: int = _KEY_BYTES,
) -> Chain:
    """Follow a key through lines that begin like its own: with a time, a name, a number, a sign of a diff."""
    chain = Chain([(start, end)], "wrapped", open=False)
    line = data.rfind(b"\n", max(0, start - _ROW_BYTES), start) + 1
    if (
        start - line > _ROW_BYTES
        or (start == line and letters is KEY_RUN)
        or data[end : end + 2].strip(b"\r")[:1] not in {b"\n", b""}
    ):
        return chain
    before = data[line:start]
    at = data.find(b"\n", end) + 1
    ranges = chain.ranges
    length = end - start
    while length < longest and len(ranges) < _ROWS and 0 < at < len(data):
        line_end = data.find(b"\n", at, at + _ROW_BYTES)
        stop = line_end if line_end >= 0 else min(len(data), at + _ROW_BYTES)
        head = same_beginning(before, data[at:stop], letters)
        if head is None or at + head in others or begins_other_text(data, at + head):
            return chain
        run = letters.match(data, at + head, stop)
        if not run or not run[0] or data[run.end() : stop].strip():
            return chain
        ranges.append(run.span())
        length += len(run[0])
        if line_end < 0:
            return chain
        at = line_end + 1
    return chain._replace(open=at >= len(data) and length < longest)


def same_beginning(before: bytes, line: bytes, letters: re.Pattern[bytes] = KEY_RUN) -> int | None:
    """Return where the rest of `line` begins after the part that is like `before`, where numbers may differ.

    None when `line` does not begin like it, or when its rest is not one run of key characters.
    """
    cuts = [] if letters is KEY_RUN else [0, len(line) - len(line.lstrip(b" \t"))]
    one = two = 0
    first, second = _OFFSET.match(before), _OFFSET.match(line)
    if first and second and len(first[0]) == len(second[0]):
        one, two = first.end(), second.end()
    while one < len(before) and two < len(line):
        if before[one] in _LOOSE:
            while one < len(before) and before[one] in _LOOSE:
                one += 1
            while two < len(line) and line[two] in _LOOSE:
                two += 1
                if line[two - 1] in b" \t":
                    cuts.append(two)
            continue
        if before[one] != line[two]:
            break
        one, two = one + 1, two + 1
        if not (48 <= line[two - 1] <= 57 or 65 <= line[two - 1] <= 90 or 97 <= line[two - 1] <= 122):
            cuts.append(two)
    rest = line.rstrip()
    for cut in reversed(cuts):
        if cut < len(rest) and letters.fullmatch(rest, cut):
            return cut
    return None
