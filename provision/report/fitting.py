"""Lines that fit a terminal: wrapped between words, with what must be whole in one piece.

Whole stay commands, texts in quotes or backticks, SSH keys and every word (a path, a fingerprint, an address). A piece that is
wider than the terminal has a line of its own: the terminal folds it without a newline, so that it can be copied.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from provision.lazy_regex import lazy_regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PROGRAMS = (
    r"provision(?= [a-z-])|git(?= (?:add|checkout|clone|commit|config|diff|init|log|pull|push|rm|status)\b)"
    r"|hermes(?= (?:chat|config|doctor|gateway|model|setup|update)\b)|(?:rm|age|kill)(?= -)"
    r"|(?:scp|ansible-galaxy|ansible-playbook|asciinema|chmod|chown|icacls|launchctl|pip|schtasks|ssh-keygen|sudo|systemctl|ulimit)"
    r"(?= [\w/-])"
)
_SSH_KEY = r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ AAAA\S+"
_QUOTED = r"`[^`]*`|(?<!\w)'[^']*'(?!\w)|(?<!\w)\"[^\"]*\"(?!\w)"
_END = r"[,;:.)]+(?:\s|$)| {2}| [(]"
_WHOLE = lazy_regex(rf"{_QUOTED}|{_SSH_KEY}|(?<![\w/.-])(?:{_PROGRAMS})(?:{_QUOTED}|(?!{_END}).)+")
_COLOUR = lazy_regex(r"\x1b\[[0-9;]*m")
_COLUMN = lazy_regex(r"(?<=\S) {2,}(?=\S)")


def display_width(text: str) -> int:
    """The columns that a terminal needs for printable text; colours need none."""
    text = _COLOUR.sub("", text) if "\x1b" in text else text
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def pieces_of(text: str) -> list[str]:
    """The text between the spaces at which it may be broken."""
    held = [found.span() for found in _WHOLE.finditer(text)]
    pieces, begin = [], 0
    for found in re.finditer(" ", text):
        at = found.start()
        if not any(start < at < end for start, end in held):
            pieces.append(text[begin:at])
            begin = at + 1
    return [*pieces, text[begin:]]


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns; a wider piece is a line of its own."""
    lines = [""]
    for piece in pieces_of(text):
        joined = f"{lines[-1]} {piece}" if lines[-1] else piece
        if display_width(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(piece)
    return lines


def fitted_line(line: str, width: int) -> str:
    """The line in `width` columns. What does not fit goes below its last column, or below the line's start, indented."""
    if display_width(line) <= width:
        return line
    text = line.lstrip(" ")
    indent = min(len(line) - len(text), width // 6)
    columns = list(_COLUMN.finditer(text))
    head, rest, hang = "", text, indent + 2
    if columns:
        hang = indent + display_width(text[: columns[-1].end()])
        head, rest = text[: columns[-1].end()], text[columns[-1].end() :]
        if hang > width // 2:  # too little room beside the columns: below them
            hang = width // 6
            head = f"{head.rstrip(' ')}\n{' ' * hang}"
    parts = wrapped(rest, width - hang) if columns else _hanging(text, width - indent)
    return " " * indent + head + f"\n{' ' * hang}".join(parts)


def _hanging(text: str, width: int) -> list[str]:
    """Lines of which all but the first have two columns less."""
    first = wrapped(text, width)[0]
    rest = text[len(first) :].lstrip(" ")
    return [first, *(wrapped(rest, width - 2) if rest else ())]


def fitted(pieces: Iterable[str], width: int) -> Iterator[str]:
    """Text that comes in pieces, each of its lines fitted."""
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            yield fitted_line(line, width) + "\n"
    if rest:
        yield fitted_line(rest, width)
