"""Find the rest of a gateway's key that was cut: behind a tag, in the next event, cell or message.

    data: {"delta":"sk-aisa-AbC"}          <tspan>sk-aisa-AbC</tspan><tspan dy="1em">dEf</tspan>
    data: {"delta":"dEf"}

Such keys all have one length. So their rest is text that looks random and has just the missing length; it may be in several
pieces, if nothing else that looks random is between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.engines.patterns import lazily_compiled
from provision.detect.shapes import AISA_KEY_LENGTH
from provision.detect.views.split_keys import has_mixed_characters
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from provision.detect.match import Span

_PREFIX = b"sk-aisa-"
_RUN = lazy_regex(rb"[A-Za-z0-9_-]+")
_WORD = lazy_regex(rb"(?:\\[nrt]|(?:\x1b|\^\[)\[[0-9;?]{0,12}[A-Za-z])?(?P<word>[A-Za-z0-9_-]{6,})")
"""A word, without the end of an escape or of a terminal's sequence."""
_SEQUENCE = lazy_regex(rb"(?:\x1b|\^\[)\[\??\Z")
_ENDS_SEQUENCE = lazy_regex(rb"[0-9]{0,4}[A-Za-z]")
_MIXED = lazily_compiled(rb"[A-Za-z0-9_-]*(?:[A-Za-z_-][0-9]+[A-Za-z_-]|[0-9][A-Za-z_-]+[0-9])[A-Za-z0-9_-]*")
_SHORTEST_HEAD, _SHORTEST_REST = len(_PREFIX) + 4, 6
_ESCAPE = lazy_regex(rb"\\[ux]|%[0-9A-Fa-f]")
_AHEAD_BYTES, _AHEAD_LINES = 512, 6
_BETWEEN_BYTES = 64


def rest_apart(data: bytes, start: int, others: Container[int]) -> tuple[list[Span], bool]:
    """Return the ranges of the key at `start` and its rest, and whether more bytes could add the rest."""
    if data[start : start + len(_PREFIX)].lower() != _PREFIX:
        return [], False
    head = _RUN.match(data, start)
    if not head or _ESCAPE.match(data, head.end()):
        return [], False
    missing = AISA_KEY_LENGTH - len(head[0])
    if not _SHORTEST_REST <= missing <= AISA_KEY_LENGTH - _SHORTEST_HEAD:
        return [], False
    last = _last_line(data, head.end())
    run: list[Span] = []
    for word in _WORD.finditer(data, head.end(), min(last, len(data))):
        if word.start("word") in others:
            break
        if not has_mixed_characters(word["word"]):
            continue
        if len(word["word"]) == missing:
            return [head.span(), word.span("word")], False
        run.append(word.span("word"))
        if sum(end - start for start, end in run) == missing:
            return [head.span(), *run], False
    return [head.span()], last >= len(data)


def halves_on_a_line(data: bytes, begin: int, length: int) -> Iterator[list[Span]]:
    """Yield pairs of words from `begin` on that together have `length`: halves of what may be a known key without a prefix.

    They are on one line: any word may be such a half, so a stream cannot wait for the next lines.
    """
    recent: list[Span] = []
    at, line_end = begin, -1
    while found := _MIXED.search(data, at):
        at = end = found.end()
        start = found.start() + _end_of_escape(data, found.start())
        if start > line_end:
            recent = []
            line_end = data.find(b"\n", end)
            line_end = line_end if line_end >= 0 else len(data)
        missing = length - (end - start)
        for first, last in recent:
            if last - first == missing and start - last <= _BETWEEN_BYTES:
                yield [(first, last), (start, end)]
        if missing >= _SHORTEST_REST and end - start >= _SHORTEST_REST:
            recent = [(start, end), *recent[:3]]


def _end_of_escape(data: bytes, at: int) -> int:
    """Return how many bytes at the beginning of a word end an escape (`\\n`) or a terminal's sequence."""
    if data[at - 1 : at] == b"\\":
        return 1
    ends = _ENDS_SEQUENCE.match(data, at) if _SEQUENCE.search(data, max(at - 4, 0), at) else None
    return len(ends[0]) if ends else 0


def _last_line(data: bytes, at: int) -> int:
    """Return where the lines end in which a rest may be."""
    limit = at + _AHEAD_BYTES
    for _ in range(_AHEAD_LINES):
        at = data.find(b"\n", at, limit) + 1
        if not at:
            return limit
    return at
