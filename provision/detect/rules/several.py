"""Several values below one name: lists, maps, blocks of YAML, sections, and values with commas between them.

All members of what is called `passwords` or `api_keys` are secrets. What is called `secrets`, `tokens` or `credentials` also
holds names, counts and settings; there, and below the name of one secret, only a member that looks like a credential counts.
"""

from __future__ import annotations

from string import ascii_lowercase
from types import MappingProxyType
from typing import TYPE_CHECKING

from provision.detect.engines.patterns import lazily_compiled
from provision.detect.rule import NamedValue
from provision.detect.rules.beside import each, found_by
from provision.detect.rules.columns import OpenTable
from provision.detect.rules.pieces import ALNUM, BLANK, example
from provision.detect.secret_names import KEYS_OF
from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping

    from provision.detect.match import Span

_NAMES = rf"(?:(?:{'|'.join(sorted(KEYS_OF))})[_.-]?keys?|secrets?|tokens?|passw(?:or)?ds?|passphrases?|credentials?)"
_OPENS = rf"{_NAMES}[\"']?(?:[ \t]{{0,4}}(?::=|=>|[:=])[ \t]{{0,4}}(?:[\[({{]|\r?\n)|[ \t]?\][ \t]{{0,8}}\r?\n)"
"""The end of a name and what opens several values."""
_OUTSIDE = rf"{BLANK}\"',;|"
_IN_ONE_LINE = (
    rf"{_NAMES}[\"']?[ ]?[:=][ ]?[\"']?[^{_OUTSIDE}]{{8,200}}(?:[ ]?[,;|][ ]?[^{_OUTSIDE}]{{8}}"
    rf"|\s[^{_OUTSIDE}]{{0,60}}[0-9])"
)
"""The same with the first two values."""
_OPENED = lazily_compiled(rf"(?i)(?:{_OPENS}|{_IN_ONE_LINE})".encode())
_NAME = lazy_regex(
    rb"(?P<name>[\w.-]{1,80})[\"']?[ \t]{0,4}"
    rb"(?:(?P<section>\])[ \t]{0,8}(?=\r?\n)|(?::=|=>|[:=])[ \t]{0,4}(?P<open>[\[({](?!(?i:redacted))|(?=\r?\n))?)"
)
_BEFORE_BLOCK = lazy_regex(rb"[ \t]*(?:-[ \t]+)*[\"']?")
_BEFORE_SECTION = lazy_regex(rb"[ \t]*\[[ \t\"']*")
_VALUE = (
    rb"(?:[bru]?(?:\"(?P<double>[^\"'\r\n]{0,250})\"|'(?P<single>[^\"'\r\n]{0,250})')"
    rb"|(?P<bare>[^\s\"'`,;\[\](){}<>]{1,250}))"
)
_MEMBER = rb"[\"']?(?P<member>[\w.@-]{1,60})[\"']?[ \t]{0,4}(?:=>|[:=])[ \t]{0,4}"
_IN_LIST = lazy_regex(rb"\s{0,200}%b(?:\s{0,40}(?P<last>[\])])|\s{0,40}[,;]|\s)" % _VALUE)
_IN_MAP = lazy_regex(rb"\s{0,200}%b%b(?:\s{0,40}(?P<last>\})|\s{0,40}[,;]|[ \t]{0,8}(?=[\r\n]))" % (_MEMBER, _VALUE))
_IN_LINE = lazy_regex(
    rb"(?P<bare>[^\s\"',;|]{1,250})(?:[ ]?[,;|][ ]?|(?P<apart>[ ])(?=[^\s\"',;|]{0,60}[0-9])|(?P<last>[\"'\s]|\Z))"
)
_IN_QUOTES = lazy_regex(rb"[\s,;|]{0,40}(?P<bare>[^\s\"',;|]{1,250})(?=[\s,;|]|(?P<last>[\"'`]))")
_QUOTE = lazy_regex(rb"[\"']")
_LINE = lazy_regex(
    rb"\r?\n(?:[ \t]{0,40}(?:\#[^\r\n]{0,200})?\r?\n){0,9}(?P<indent>[ \t]{0,40})(?:(?P<dash>-)[ \t]{1,8}|%b)%b"
    rb"[ \t]{0,8}(?:[;#][^\r\n]{0,200})?(?=\r?\n|\r?\Z)" % (_MEMBER, _VALUE)
)
_FORMS = MappingProxyType({b"[": _IN_LIST, b"(": _IN_LIST, b"{": _IN_MAP})
_IN_NAMES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_LONGEST_NAME = 60
_ALL_SECRET = lazy_regex(
    rb"(?i)(?:passw(?:or)?ds|passphrases|[\w.-]{0,40}(?:api|secret|access|private|auth)[_.-]?keys)"
)
_SHORTEST = 4
_PLURALS = ("_keys", "-keys", "apikeys", "accesskeys", "secretkeys", "secrets", "tokens", "passwords", "passphrases")
_SIGNS = ("=", ": ", " = ", '": "', "': '")
_TOKENS = (
    "\ntokens",
    "export tokens",
    *(f"{which}_tokens" for which in ("api", "auth", "access", "bearer", "bot", "service")),
)
"""Not `tokens` before a digit: many logs have `tokens=12` in each line."""
_ENDS = (
    *_PLURALS,
    "_key",
    "-key",
    "apikey",
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "credentials",
)
_BEGINNINGS = tuple(
    quote + sign + opens
    for quote in ("", '"', "'")
    for sign in (":", ": ", "=", " = ", " => ", "=>", " := ")
    for opens in ("[", "(", "{")
)


def several_values(data: bytes, left: int, right: int) -> Iterator[NamedValue]:
    """Yield the members of each list, map, block and section in this range that has the name of secrets; they may be below it."""
    for head, members in _opened(data, left, right):
        for member in members:
            texts = member.groupdict()
            begin, end = member.span(next(each for each in ("double", "single", "bare") if texts.get(each) is not None))
            if end - begin >= _SHORTEST:
                yield NamedValue(begin, end, _name(head["name"], texts), in_table=True)


def open_members(data: bytes, ranges: Iterable[Span], since: int) -> OpenTable | None:
    """Return what opens the members at `since`, with the first of them after it, of all that is opened in `ranges`."""
    for left, right in ranges:
        for head, members in _opened(data, left, right):
            for member in members:
                if member.start() >= since and (head["section"] or head["open"] is not None):
                    line = data.rfind(b"\n", 0, head.start()) + 1
                    return OpenTable(data[line : head.end()], member.start())
    return None


def _opened(data: bytes, left: int, right: int) -> Iterator[tuple[re.Match[bytes], list[re.Match[bytes]]]]:
    """Yield each beginning with its members. The search goes on behind the last of them."""
    at = left
    while opened := _OPENED.search(data, at, right):
        at = opened.end()
        start = opened.start()
        while start > left and opened.start() - start < _LONGEST_NAME and data[start - 1] in _IN_NAMES:
            start -= 1
        if head := _NAME.match(data, start):
            members = list(_opened_by(head, data))
            yield head, members
            at = max(at, members[-1].end() if members else at)


def _opened_by(head: re.Match[bytes], data: bytes) -> Iterator[re.Match[bytes]]:
    at, end = head.end(), len(data)
    if form := _FORMS.get(head["open"]):
        return _members(data, at, end, form)
    line = data.rfind(b"\n", 0, head.start()) + 1
    if head["section"]:
        return _lines(data, at, end, -1) if _BEFORE_SECTION.fullmatch(data, line, head.start()) else iter(())
    if head["open"] is None:
        quote = _QUOTE.match(data, at)
        return _members(data, quote.end(), end, _IN_QUOTES) if quote else _members(data, at, end, _IN_LINE)
    begins = _BEFORE_BLOCK.fullmatch(data, line, head.start())
    return _lines(data, at, end, len(begins[0].rstrip(b"\"'").expandtabs())) if begins else iter(())


def _members(data: bytes, at: int, end: int, form: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    while found := form.match(data, at, end):
        yield found
        if found["last"]:
            return
        at = found.end()


def _lines(data: bytes, at: int, end: int, outer: int) -> Iterator[re.Match[bytes]]:
    """Yield the lines of a block that is indented by more than `outer`; the dashes of a list may stand right below the name."""
    while found := _LINE.match(data, at, end):
        indent = len(found["indent"].expandtabs())
        if indent < outer or (indent == outer and not found["dash"]):
            return
        yield found
        at = found.end()


def _name(name: bytes, member: Mapping[str, bytes | None]) -> bytes:
    """Return what to call a member: a name that does not name a secret lets only what looks like a credential count.

    Words with only a blank between them may be a sentence.
    """
    if _ALL_SECRET.fullmatch(name) and not member.get("apart"):
        return name[:-1]
    return member.get("member") or name + b" item"


RULES = (
    found_by(
        "several",
        "One of several values below the name of secrets",
        several_values,
        rf"(?i){_OPENS}",
        example("api_keys:\n- ", ALNUM, 24, "\n"),
        example("tokens:\n  ada: ", ALNUM, 24, "\n"),
        example("[passwords]\nada = ", ALNUM, 14, "\n"),
        keywords=(*each(_ENDS, _BEGINNINGS), *each(_ENDS, (":\n", ":\r\n", "]\n", "]\r\n"))),
        not_found=(
            "tokens = ['the', 'quick1']",
            "secrets:\n  - db_password\n",
            "[secrets]\nfile = /run/secrets/db1\n",
            "api_keys: [${FIRST}, <second>]",
        ),
        reach=600,
    ),
    found_by(
        "several-in-one-line",
        "One of several values on one line after the name of secrets",
        several_values,
        rf"(?i){_IN_ONE_LINE}",
        example("API_KEYS=first1st,", ALNUM, 24, "\n"),
        example('API_KEYS="first1st ', ALNUM, 24, '"\n'),
        example("api_keys: first1st | ", ALNUM, 24, "\n"),
        keywords=(
            *each((name for name in _PLURALS if name != "tokens"), _SIGNS),
            *each(_TOKENS, ("=", ": ", " = ")),
            *each(("tokens=", "tokens: "), ascii_lowercase),
            *each(("tokens",), ('="', "='", ': "', ": '", ' = "', " = '", '": "')),
        ),
        not_found=(
            "SECRETS=first_secret,second_secret1",
            "API_KEYS=$FIRST_KEY,$SECOND_KEY",
            "secrets: these are stored in version2 only",
            'tokens = "some words2 in a sentence3"',
        ),
        reach=600,
    ),
)
