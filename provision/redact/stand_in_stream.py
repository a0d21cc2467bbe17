"""Put stand-ins into a stream of bytes as it arrives. The result does not depend on chunk borders.

Only the last word is held back, and what may become a value of several words. In words that are longer than `LONGEST_WORD`
(base64, binary data) nothing is replaced, so memory is bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.redact.stand_ins import Found, StandIns

LONGEST_WORD = 4096
_WORD = rb"[A-Za-z0-9_.@:/\\~+%\x80-\xff-]"
_LONG_WORD = re.compile(rb"(%s{%d,})" % (_WORD, LONGEST_WORD + 1))
_NO_WORD = re.compile(rb"[^A-Za-z0-9_.@:/\\~+%\x80-\xff-]")


class StandInStream:
    """Takes bytes and returns them with stand-ins; `on_found` is called for each with its line, counted from 0."""

    def __init__(self, stand_ins: StandIns, on_found: Callable[[Found, int], None]) -> None:
        self._stand_ins = stand_ins
        self._spaced = [each.encode("utf-8", "surrogateescape") for each in stand_ins.spaced]
        self._on_found = on_found
        self._held = b""
        self._before = ""
        self._in_long = False
        self._line = 0

    def feed(self, data: bytes) -> bytes:
        """Return what is settled now."""
        out = b""
        if self._in_long:
            end = _NO_WORD.search(data)
            cut = end.start() if end else len(data)
            out, data = self._passed(data[:cut]), data[cut:]
            self._in_long = end is None
        text = self._held + data
        cut = len(text)
        last = text[-LONGEST_WORD - 1 :]
        places = [found.end() for found in _NO_WORD.finditer(last)]
        if places:
            cut = len(text) - len(last) + places[-1]
        elif len(last) <= LONGEST_WORD:
            cut = 0
        else:
            self._in_long = bool(text)
        if not self._in_long:
            cut = min([cut, *(_begun(text, value) for value in self._spaced)])
        self._held = text[cut:]
        return out + self._replaced(text[:cut])

    def finish(self) -> bytes:
        """Return the rest, before a mask or at the end."""
        held, self._held = self._held, b""
        self._in_long = False
        return self._replaced(held)

    def skip(self, data: bytes) -> None:
        """Take bytes that a mask took the place of."""
        self._line += data.count(b"\n")
        self._before = " "

    def _replaced(self, data: bytes) -> bytes:
        parts = _LONG_WORD.split(data)
        return b"".join(self._passed(part) if at % 2 else self._short(part) for at, part in enumerate(parts))

    def _short(self, data: bytes) -> bytes:
        if not data:
            return b""
        text = self._before + data.decode("utf-8", "surrogateescape")
        at, out, line = len(self._before), [], self._line
        for found in self._stand_ins.find(text, at):
            line += text.count("\n", at, found.start)
            self._on_found(found, line)
            out += [text[at : found.start], self._stand_ins.stand_in(found)]
            at = found.end
        out.append(text[at:])
        self._before = text[-1]
        self._line += data.count(b"\n")
        return "".join(out).encode("utf-8", "surrogateescape") if len(out) > 1 else data

    def _passed(self, data: bytes) -> bytes:
        self._before = "x" if data else self._before
        return data


def _begun(text: bytes, value: bytes) -> int:
    """Return where a value of several words may begin at the end of a text; its length if nowhere. Letters may be capital."""
    for length in range(min(len(value), len(text)), 0, -1):
        if text[-length:].lower() == value[:length].lower():
            return len(text) - length
    return len(text)
