"""Mask the end of a private key with which a text begins: a log or a paste that was cut inside of a key.

Its lines are any base64, so only the END line shows what they are. It is searched in the beginning of a text, as forms are; a
text that begins with lines of base64 waits for it. The end of a key further down, behind other lines, stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from provision.detect.entropy import word_share
from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.private_key import BEGIN, END
from provision.detect.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.detect.match import Span
    from provision.redact.session import Session

RULE = "private-key-tail"
_LINE = re.compile(rb"(?P<before>(?:[^\n]{0,200}[ \t|>])?)(?P<body>[A-Za-z0-9+/]{1,80}={0,2})[ \t\"',;\\]{0,4}\r?")
_SHORTEST, _SHORTEST_REST = 40, 8
_MOST_WORDS = 0.4


class _BodyLine(NamedTuple):
    span: Span
    body: bytes


def may_be_key_tail(begun: bytes) -> bool:
    """Return whether `mask_key_tail` may find something when more follows."""
    *lines, _ = begun.split(b"\n")
    found = list(map(_LINE.fullmatch, lines))
    if not lines or not all(found):
        return False
    first, *more = (each for each in found if each)
    return _may_begin(first) and all(len(each["body"]) >= _SHORTEST for each in more)


def mask_key_tail(begun: bytes, file: str, session: Session) -> bytes:
    """Return the beginning of a text without the end of a private key that it begins with."""
    lines = list(_body_lines(begun))
    first = _LINE.fullmatch(begun, 0, max(begun.find(b"\n"), 0))
    long = [each for each in lines if len(each.body) >= _SHORTEST]
    if not long or not first or not _may_begin(first) or not all(_is_random(each.body) for each in long):
        return begun
    value = b"".join(each.body for each in lines).decode()
    match = Match(
        RULE,
        FindingSeverity.CRITICAL,
        Confidence.MEDIUM,
        tuple(each.span for each in lines),
        Secret(value),
        (),
        None,
        None,
    )
    session.note(file, "line 1", match)
    out: list[bytes] = []
    at = 0
    for number, (span, body) in enumerate(lines):
        out += (begun[at : span[0]], session.masker.mask(match, body, first=number == 0))
        at = span[1]
    return b"".join((*out, begun[at:]))


def _body_lines(begun: bytes) -> Iterator[_BodyLine]:
    """Yield the lines of base64 before an END line; nothing if another line is between, or if the key begins here."""
    end = END.search(begun)
    if end is None or BEGIN.search(begun, 0, end.start()):
        return
    at = 0
    found: list[_BodyLine] = []
    last = begun.rfind(b"\n", 0, end.start()) + 1
    while at < last:
        line_end = begun.find(b"\n", at)
        line = _LINE.fullmatch(begun, at, line_end)
        if line is None:
            return
        found.append(_BodyLine(line.span("body"), line["body"]))
        at = line_end + 1
    if found and all(each.body.startswith(b"+") for each in found):  # added lines of a diff
        found = [_BodyLine((each.span[0] + 1, each.span[1]), each.body[1:]) for each in found]
    width = max((len(each.body) for each in found), default=0)
    is_word = bool(found) and found[-1].body.isalpha() and found[-1].body.islower()
    if width >= _SHORTEST and not is_word and all(len(each.body) == width for each in found[1:-1]):
        yield from found


def _may_begin(line: re.Match[bytes]) -> bool:
    """Return whether the first line may be the rest of a line of a key; behind other text only a whole line."""
    body, shortest = line["body"], _SHORTEST if line["before"].strip() else _SHORTEST_REST
    return len(body) >= shortest and _is_random(body) and any(byte in b"0123456789+/" for byte in body)


def _is_random(body: bytes) -> bool:
    text = body.decode()
    return any(map(str.islower, text)) and any(map(str.isupper, text)) and word_share(text) < _MOST_WORDS
