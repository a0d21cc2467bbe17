"""Several values that a sentence or a list of points says after their name: `the tokens are … and …`, `API keys:\n1. …\n2. …`."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

from provision.detect.engines.patterns import lazily_compiled
from provision.detect.rule import NamedValue
from provision.detect.rules.beside import each, found_by
from provision.detect.rules.pieces import ALNUM, BLANK, example
from provision.detect.rules.words import MARKS
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

_SEVERAL = r"(?:keys|tokens|passwords|secrets|passphrases|credentials)"
_ONE = r"(?:token|password|secret|passphrase)"
_POINT = r"(?:\r?\n){1,2}[ \t>]{0,8}(?:(?:[*+-]|[0-9]{1,2}[.)])[ ]{1,3})?"
_IS_POINT = lazy_regex(rb"[*+.)-][ ]{1,3}[^\n]*\Z")
_REST_OF_LINE = lazy_regex(rb"[ \t`\"']*\r?(?:\n|\Z)")
_LETTER = rf"[^{BLANK}\"'`<>|,;&(){{}}\\*]"
_WHICH = r"(?:(?:and|then)[ ])?(?:the[ ](?:(?:new|old|other|second|next|last)[ ](?:one[ ])?)?(?:is[ ]|was[ ])?)?"
_NEXT = (
    rf"[*_`\"')\]]{{0,4}}(?:,?[ ](?:and|or|then|und|oder|et|ou)[ ]{_WHICH}|[ ]?[,;/&|][ ]?(?:(?:and|or)[ ])?{_WHICH}|{_POINT})"
    rf"{MARKS}"
)
_ARE = r"(?:[ ](?:are|were)(?:[ ]now)?:?|:)"
_OPENS = (
    rf"(?:{_SEVERAL}{_ARE}(?:[ ]{{0,2}}|{_POINT}){MARKS}{_LETTER}{{0,60}}[0-9]"
    rf"|{_ONE}[ ](?:is|was):?[ ]{MARKS}{_LETTER}{{5,200}}[*_`\"')\]]{{0,4}}(?:,?[ ](?:and|or|then)|[ ]?[,/])[ ])"
)
_OPENED = lazily_compiled(rf"(?i){_OPENS}".encode())
_HEAD = lazy_regex(
    rf"(?i)(?:{_SEVERAL}|{_ONE})(?:[ ](?:are|were|is|was)(?:[ ]now)?)?:?(?:{_POINT}|[ ]{{0,2}}){MARKS}".encode()
)
_FOLLOWS = lazy_regex(rf"(?i){_NEXT}".encode())
_VALUE = lazy_regex(rf"{_LETTER}{{3,200}}(?<![.:?!])".encode())
_MOST = 60


def values_in_words(data: bytes, left: int, right: int) -> Iterator[NamedValue]:
    """Yield the values of each list that opens in this range."""
    at = left
    while opened := _OPENED.search(data, at, right):
        at = opened.start() + 1
        for value in _values(data, _HEAD.match(data, opened.start())):
            yield NamedValue(*value.span(), b"")
            at = max(at, value.end())


def _values(data: bytes, before: re.Match[bytes] | None) -> Iterator[re.Match[bytes]]:
    """Yield the values, the first of them behind `before`. One on a line without the sign of a point is alone on it."""
    count = 0
    while before and count < _MOST:
        value = _VALUE.match(data, before.end())
        alone = b"\n" in before[0] and not _IS_POINT.search(before[0])
        if not value or (alone and not _REST_OF_LINE.match(data, value.end())):
            return
        yield value
        before, count = _FOLLOWS.match(data, value.end()), count + 1


RULES = (
    found_by(
        "words-several",
        "One of several values in a sentence or a list of points after their name",
        values_in_words,
        rf"(?i){_OPENS}",
        example("The tokens are first1st and ", ALNUM, 24, "."),
        example("API keys:\n1. ", ALNUM, 32, "\n"),
        example("the old password was first1st, the new one is ", ALNUM, 20),
        keywords=(
            *each(("keys", "tokens", "passwords", "secrets", "passphrases", "credentials"), (" are", " were")),
            *each(
                ("api keys", "access keys", "secret keys", "passwords", "secrets", "credentials", "passphrases"), (":",)
            ),
            *each(("password", "token", "secret", "passphrase"), (" is", " was")),
            *each(("tokens:",), ("\n", "\r\n")),
            *each(("tokens: ",), ascii_lowercase),
            "\ntokens: ",
        ),
        not_found=(
            "The tokens are short and bound to a session",
            "the passwords are <first> and <second>",
            "the token is expired and must be renewed",
        ),
        reach=700,
    ),
)
