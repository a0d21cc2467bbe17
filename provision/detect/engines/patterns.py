"""Compile expressions in RE2's syntax over bytes: by RE2, or by Python where no wheel of RE2 exists.

Both find the same. Python's `re` reads another syntax, so `_translated` writes each expression in it and refuses what it cannot
write. It backtracks: what RE2 reads in linear time can take it much longer on hostile input.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from provision.lazy_regex import LazyRegex, lazy_regex

try:
    import re2
except ImportError:  # google-re2 has no wheel for this system or Python
    re2 = None

RE2_INSTALLED = re2 is not None
_PIECE = lazy_regex(
    rb"(?P<escape>\{(?=,\d*\})|\\(?:x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|[0-7]{1,3}|.))|(?P<set>\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])"
    rb"|\(\?(?P<flags>[ims]*(?:-[ims]+)?)(?P<scope>[:)])|(?P<name>\(\?P?<[A-Za-z_]\w*>)|(?P<group>\((?!\?))|(?P<end>\))|(?P<or>\|)"
    rb"|(?P<line>\$)|(?P<times>[*+?]|\{\d+(?:,\d*)?\})(?P<lazy>\??)(?P<more>[*+?]?)|(?P<other>[^()\\\[])",
    re.DOTALL,
)
_MEMBER = lazy_regex(
    rb"\[:(?P<class>\^?\w+):\]|(?P<escape>\\(?:x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|.))|(?P<other>.)", re.DOTALL
)
_SPACE, _NO_SPACE = rb"\t\n\f\r ", rb"\x00-\x08\x0b\x0e-\x1f\x21-\xff"
"""RE2's \\s has no vertical tab."""
_NAMED = {
    b"alnum": rb"0-9A-Za-z", b"alpha": rb"A-Za-z", b"ascii": rb"\x00-\x7f", b"blank": rb"\t ", b"digit": rb"0-9",
    b"lower": rb"a-z", b"upper": rb"A-Z", b"space": rb"\t\n\v\f\r ", b"word": rb"\w", b"xdigit": rb"0-9A-Fa-f",
    b"cntrl": rb"\x00-\x1f\x7f", b"graph": rb"!-~", b"print": rb"\x20-~", b"punct": rb"!-/:-@\[-`{-~",
}  # fmt: skip
_ESCAPES = b"abfnrtvABdDwW"
_END_OF_TEXT = rb"\Z"


class InvalidPatternError(ValueError):
    """The expression is invalid, or only RE2 reads it."""


def compiled(pattern: bytes, *, memory_bytes: int = 8 << 20, longest_run: int | None = None) -> Any:
    """Compile an RE2 expression over bytes (Latin-1: one byte is one character).

    The result has the methods of Python's, and `groupindex` with names as bytes. Python may give up a run (`*`, `+`) longer
    than `longest_run`, for patterns that are tried at every offset. Raises InvalidPatternError.
    """
    if not RE2_INSTALLED:
        return PythonPattern(pattern, longest_run)
    try:
        return re2.compile(pattern, _options(memory_bytes))
    except re2.error as error:
        said = error.args[0] if error.args else ""
        raise InvalidPatternError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None


def lazily_compiled(pattern: bytes, *, memory_bytes: int = 8 << 20) -> Any:
    """Compile it at its first use. A test compiles each: see `lazy_regex`."""
    return LazyRegex(lambda: compiled(pattern, memory_bytes=memory_bytes))


@functools.cache  # the library's wrapper needs longer for options than for most patterns
def _options(memory_bytes: int) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = memory_bytes
    options.log_errors = False
    return options


class PythonPattern:
    """An RE2 expression that Python's `re` searches for."""

    def __init__(self, pattern: bytes, longest_run: int | None = None) -> None:
        text = _translated(pattern, longest_run)
        try:
            self._pattern = re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise InvalidPatternError(str(error)) from None
        self._asks_what_follows = any(mark in text for mark in (rb"\b", rb"\B", _END_OF_TEXT, b"$"))
        self.groups, self.match = self._pattern.groups, self._pattern.match
        self.split, self.finditer = self._pattern.split, self._pattern.finditer
        self.groupindex = {name.encode(): at for name, at in self._pattern.groupindex.items()}

    def search(self, data: bytes, start: int = 0, end: int | None = None) -> re.Match[bytes] | None:
        """Return the first match between `start` and `end`. As with RE2, `\\b` and `$` at `end` go by the byte that follows."""
        stop = len(data) if end is None else min(end, len(data))
        while found := self._pattern.search(data, start, stop):
            if found.end() < stop or stop == len(data) or not self._asks_what_follows:
                return found
            longer = self._pattern.match(data, found.start(), stop + 1)
            if longer and longer.end() <= stop:
                return longer
            start = found.start() + 1
        return None


def _translated(pattern: bytes, longest_run: int | None) -> bytes:  # noqa: C901, PLR0912  one branch per kind of piece
    """Write an RE2 expression for Python's `re`: flags inside an expression, `$`, `\\z`, `\\s`, names of classes."""
    written: list[bytes] = []
    scopes: list[
        tuple[bytes, bool]
    ] = []  # what `)` closes: the flags set inside so far, and whether `$` ends lines there
    inside, lines, at = b"", False, 0
    while at < len(pattern):
        piece = _PIECE.match(pattern, at)
        if piece is None or piece["more"]:
            raise InvalidPatternError(f"cannot be read from character {at + 1} on without the package google-re2")
        at = piece.end()
        if (flags := piece["flags"]) is not None:
            on, _, off = flags.partition(b"-")
            if piece["scope"] == b":":
                scopes.append((inside, lines))
                inside = b""
                written.append(piece[0])
            elif flags:  # to the end of the group, also behind each `|`
                inside += b"(?" + flags + b":"
                written.append(b"(?" + flags + b":")
            lines = (lines or b"m" in on) and b"m" not in off
        elif piece["group"] or piece["name"]:
            scopes.append((inside, lines))
            inside = b""
            written.append(piece[0].replace(b"(?<", b"(?P<"))
        elif piece["end"]:
            if not scopes:
                raise InvalidPatternError("unexpected )")
            written.append(b")" * inside.count(b"(") + b")")
            inside, lines = scopes.pop()
        elif piece["or"]:
            written.append(b")" * inside.count(b"(") + b"|" + inside)
        elif longest_run and piece["times"] in {b"*", b"+"}:
            written.append(b"{%d,%d}" % (piece["times"] == b"+", longest_run) + piece["lazy"])
        elif piece["line"]:
            written.append(b"$" if lines else _END_OF_TEXT)
        else:
            written.append(_class(piece["set"]) if piece["set"] else _escape(piece["escape"]) or piece[0])
    if scopes:
        raise InvalidPatternError("missing )")
    return b"".join(written) + b")" * inside.count(b"(")


def _escape(text: bytes | None) -> bytes:
    """An escape outside of a class; nothing for a piece that is none."""
    if not text:
        return b""
    special = {
        b"{": rb"\{",
        rb"\z": _END_OF_TEXT,
        rb"\s": b"[" + _SPACE + b"]",
        rb"\S": b"[" + _NO_SPACE + b"]",
        rb"\C": rb"[\x00-\xff]",
    }
    return special.get(text) or _byte(text)


def _byte(text: bytes) -> bytes:
    """An escape that both write alike, or one byte by its number."""
    kind = text[1:2]
    if kind == b"x":
        number = int(text[2:].strip(b"{}"), 16)
        if number > 255:
            raise InvalidPatternError(f"{text.decode()}: no such byte")
        return b"\\x%02x" % number
    if kind == b"0" or (kind.isdigit() and len(text) > 2 and kind < b"8"):
        return b"\\x%02x" % (int(text[1:], 8) & 255)
    if (kind.isalnum() and kind not in _ESCAPES) or not kind.isascii():
        raise InvalidPatternError(f"{text.decode('latin-1')}: cannot be read without the package google-re2")
    return text


def _class(text: bytes) -> bytes:
    """A class of bytes; what Python warns of is escaped."""
    negated = text.startswith(b"[^")
    written = [b"[^" if negated else b"["]
    for member in _MEMBER.finditer(text, len(written[0]), len(text) - 1):
        if name := member["class"]:
            if name not in _NAMED:
                raise InvalidPatternError(f"[:{name.decode()}:]: cannot be read without the package google-re2")
            written.append(_NAMED[name])
        elif escape := member["escape"]:
            if escape in {rb"\A", rb"\B", rb"\b"}:
                raise InvalidPatternError(f"{escape.decode()} in a class")
            written.append({rb"\s": _SPACE, rb"\S": _NO_SPACE}.get(escape) or _byte(escape))
        else:
            written.append(b"\\" + member[0] if member[0] in b"[]&|~" else member[0])
    return b"".join(written) + b"]"
