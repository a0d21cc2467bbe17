"""Needles: short byte patterns that match a keyword after it was encoded, all searched for in one pass.

A pattern is a sequence of byte classes, one for each byte. So all spellings of a keyword (upper and lower case, the three
alignments and two alphabets of base64) need a handful of patterns instead of thousands of literals. A hit only means that
the bytes around it should be decoded.
"""

from __future__ import annotations

import functools
import itertools
import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ByteClass = frozenset[int]
"""The bytes allowed at one position."""

_ANY: ByteClass = frozenset(range(256))
_PRINTABLE: ByteClass = frozenset(range(0x20, 0x80))
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE = {ord("+"): ord("-"), ord("/"): ord("_")}
_COLOUR_MARKS = (b"\x1b", b"\\u001b", b"\\u001B", b"\\x1b", b"\\x1B", b"\\033", b"\\e")
ATOM = lazy_regex(rb"(?:\[(?:\\.|[^\]\\])*\]|\\x[0-9a-f]{2}|\\.|[^\\\[])(?:\{(\d+)\})?", re.DOTALL)
"""One class of a needle, perhaps several times."""
_CODE: ByteClass = frozenset(b"[](")
_OF_KEYS = b"[A-Za-z0-9_-]"
_OF_KEYS_IN_HEX = b"(?:2[dD]|3[0-9]|[46][1-9a-fA-F]|5[0-9aAfF]|7[0-9aA])"
_LONGEST_ENCODED_MARK = 32
"""Bytes. A longer mark is searched for as it is only, on one line: rows of classes in base64 doubled the pass over logs."""
_EVENT_MARKS = (b'"]\n[', b'"]\r\n[')


class NeedleKind(StrEnum):
    """How the bytes around a hit are encoded."""

    BASE64_0 = "base64 from the first byte of three"
    BASE64_1 = "base64 from the second"
    BASE64_2 = "base64 from the third"
    HEX = "hex digits"
    UTF16 = "two bytes a character"
    URL = "percent signs"
    JSON = "backslash u, backslash x"
    BROKEN = "a keyword with a line break inside"
    MARK = "the beginning of a key that has no keyword"
    SIGN = "a sign inside a word that a reader does not see, or a look-alike"
    LIST = "bytes or characters one by one"
    ROW = "the beginning of a row of a dump"
    PACKED = "compressed data in base64, base32, ascii85, uuencode"
    WIDE = "four bytes a character"
    COLOUR = "the beginning of a colour code, or of the next event of a terminal recording"


BASE64_KINDS = (NeedleKind.BASE64_0, NeedleKind.BASE64_1, NeedleKind.BASE64_2)


class Needle(NamedTuple):
    """A regular expression that matches exactly `length` bytes, in the syntax that RE2 and Hyperscan share."""

    kind: NeedleKind
    pattern: bytes
    length: int


def make_needles(
    keywords: tuple[str, ...], prefixes: tuple[str, ...], nested: tuple[str, ...] = (), thrice: tuple[str, ...] = ()
) -> tuple[Needle, ...]:
    """Return the needles for these keywords.

    `prefixes` begin a key, so a line break may split them; `nested` are searched for in two encodings on top of each other,
    `thrice` in three.
    Of keywords that contain each other only the shortest is used.
    """
    every = itertools.chain(
        *(_encoded(_either_cases(keyword)) for keyword in minimal_words(keywords)),
        (
            _needle(NeedleKind.URL, _punctuation_escaped(_either_cases(each), b"%"))
            for each in _with_punctuation(keywords)
        ),
        *(_encoded_twice(_either_cases(keyword)) for keyword in minimal_words(nested)),
        *(_encoded_thrice(_either_cases(keyword)) for keyword in minimal_words(thrice)),
        *(_broken(_either_cases(keyword)) for keyword in minimal_words(prefixes)),
        (_needle(NeedleKind.COLOUR, [*_exactly(mark), _CODE]) for mark in _COLOUR_MARKS),
        (_needle(NeedleKind.COLOUR, _exactly(mark)) for mark in _EVENT_MARKS),
        *itertools.starmap(
            _escaped_letters, ((NeedleKind.URL, b"%"), (NeedleKind.JSON, b"\\u00"), (NeedleKind.JSON, b"\\x"))
        ),
    )
    return tuple(dict.fromkeys(every))


def mark_needles(marks: Iterable[tuple[str, int]], *, decode: bool) -> Iterator[Needle]:
    """Yield the needles for the marks of rules, with `decode` also in other encodings and across a line end.

    Raises ValueError for a mark that is not one class, or one letter, for each of its bytes.
    """
    for mark, length in marks:
        yield Needle(NeedleKind.MARK, mark.encode("latin-1"), length)
        classes = [
            frozenset(byte for byte in range(128) if re.fullmatch(each, chr(byte)))
            for each in re.findall(r"\[[^\]]+\]|\w", mark)
        ]
        if len(classes) != length:
            raise ValueError("a mark must be one class for each of its bytes")
        if decode and length <= _LONGEST_ENCODED_MARK:
            yield from _encoded(classes)
            yield from _broken(classes)


def _needle(kind: NeedleKind, classes: list[ByteClass]) -> Needle:
    return Needle(kind, b"".join(map(_class, classes)), len(classes))


def _in_base64(word: list[ByteClass]) -> Iterator[Needle]:
    for shift, kind in enumerate(BASE64_KINDS):
        yield _needle(kind, base64_classes(word, shift))


def _encoded(word: list[ByteClass]) -> Iterator[Needle]:
    yield from _in_base64(word)
    yield _needle(NeedleKind.HEX, _hex(word))
    yield _needle(NeedleKind.UTF16, _wide(word))


def _encoded_twice(word: list[ByteClass]) -> Iterator[Needle]:
    yield from _in_base64(_wide(word))
    yield from _in_base64(_hex(word))
    for shift in range(3):
        yield _needle(NeedleKind.HEX, _hex(base64_classes(word, shift)))
    for shift in range(3):
        yield from _in_base64(base64_classes(word, shift))


def _encoded_thrice(word: list[ByteClass]) -> Iterator[Needle]:
    for one, two in itertools.product(range(3), repeat=2):
        yield from _in_base64(base64_classes(base64_classes(word, one), two))


def _broken(word: list[ByteClass]) -> Iterator[Needle]:
    for at in range(1, len(word)):
        for line_end in (b"\n", b"\r\n"):
            yield _needle(NeedleKind.BROKEN, [*word[:at], *_exactly(line_end), *word[at:]])


def _escaped_letters(kind: NeedleKind, mark: bytes) -> Iterator[Needle]:
    """Three escapes in a row, or an escaped key character beside a plain one: ordinary text has neither."""
    yield _needle(kind, _escaped([_PRINTABLE] * 3, mark))
    escape = re.escape(mark) + _OF_KEYS_IN_HEX
    for pattern in (_OF_KEYS + escape, escape + _OF_KEYS):
        yield Needle(kind, pattern, len(mark) + 3)
    if kind is NeedleKind.URL:  # percent signs that are escaped themselves
        yield Needle(kind, b"%25" + _OF_KEYS_IN_HEX + b"%25", 8)
        yield Needle(kind, _OF_KEYS + b"%252[dD]" + _OF_KEYS, 7)
        yield Needle(kind, b"%2525" + _OF_KEYS_IN_HEX, 7)


def _with_punctuation(keywords: tuple[str, ...]) -> list[str]:
    return [keyword for keyword in minimal_words(keywords) if not keyword.isalnum()]


def _either_cases(word: str) -> list[ByteClass]:
    return [_either_case(byte) for byte in word.encode()]


def _exactly(text: bytes) -> list[ByteClass]:
    return [frozenset((byte,)) for byte in text]


def minimal_words(keywords: tuple[str, ...]) -> list[str]:
    """Return the keywords that contain no other keyword: wherever a longer one occurs, its shorter part does."""
    return [word for word in dict.fromkeys(keywords) if not any(other in word for other in keywords if other != word)]


def _wide(word: list[ByteClass]) -> list[ByteClass]:
    """The word in UTF-16 of either byte order: a zero byte between any two."""
    return list(itertools.chain.from_iterable((each, frozenset((0,))) for each in word))[:-1]


def base64_classes(word: list[ByteClass], shift: int) -> list[ByteClass]:
    """The base64 characters that depend on `word` when `shift` unknown bytes precede it in its group of three."""
    stream = [_ANY] * shift + word + [_ANY] * (-(shift + len(word)) % 3)
    classes: list[ByteClass] = []
    for at in range(0, len(stream), 3):
        classes += _group(*stream[at : at + 3])
    everything = _letters(set(range(64)))
    while classes[-1] == everything:
        classes.pop()
    return classes[shift:]  # after one unknown byte the first character says nothing, after two the first two


@functools.cache  # the same triples occur in many keywords
def _group(one: ByteClass, two: ByteClass, three: ByteClass) -> tuple[ByteClass, ...]:
    """The four base64 characters of three bytes."""
    return (
        _letters({a >> 2 for a in one}),
        _letters({(a & 3) << 4 | b >> 4 for a in _low(one, 3) for b in _high(two, 4)}),
        _letters({(b & 15) << 2 | c >> 6 for b in _low(two, 15) for c in _high(three, 6)}),
        _letters({c & 63 for c in three}),
    )


def _low(byte: ByteClass, mask: int) -> set[int]:
    return {each & mask for each in byte}


def _high(byte: ByteClass, shift: int) -> set[int]:
    return {each >> shift << shift for each in byte}


def _letters(values: set[int]) -> ByteClass:
    plain = {_BASE64[value] for value in values}
    return frozenset(plain | {_URL_SAFE[each] for each in plain if each in _URL_SAFE})


@functools.cache
def _either_case(byte: int) -> ByteClass:
    return frozenset((ord(chr(byte).lower()), ord(chr(byte).upper()))) if byte < 128 else frozenset((byte,))


def _hex(word: list[ByteClass]) -> list[ByteClass]:
    digits: list[ByteClass] = []
    for each in word:
        for place in (0, 1):
            digits.append(frozenset(ord(case) for byte in each for case in _cases(f"{byte:02x}"[place])))
    return digits


def _cases(digit: str) -> str:
    return digit + digit.upper() if digit.isalpha() else digit


def _escaped(word: list[ByteClass], mark: bytes) -> list[ByteClass]:
    lead = _exactly(mark)
    pairs = _hex(word)
    return list(itertools.chain.from_iterable((*lead, *pairs[at : at + 2]) for at in range(0, len(pairs), 2)))


def _punctuation_escaped(word: list[ByteClass], mark: bytes) -> list[ByteClass]:
    parts = ([each] if len(each) > 1 or chr(min(each)).isalnum() else _escaped([each], mark) for each in word)
    return list(itertools.chain.from_iterable(parts))


@functools.cache
def _class(members: ByteClass) -> bytes:
    if len(members) == 1:
        return b"\\x%02x" % min(members)
    runs = []
    for _, group in itertools.groupby(enumerate(sorted(members)), lambda pair: pair[1] - pair[0]):
        run = [byte for _, byte in group]
        runs.append(b"\\x%02x-\\x%02x" % (run[0], run[-1]) if len(run) > 1 else b"\\x%02x" % run[0])
    return b"[" + b"".join(runs) + b"]"
