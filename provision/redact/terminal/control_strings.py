"""Control strings in terminal output that hold more than text: copied text (OSC 52), pictures (sixel, kitty, iTerm2).

A copied text is decoded and searched. Pictures, and what another program would unpack, are not read. What holds a secret or is
not read is covered: not shown by a running command, starred in a recording.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from provision.redact.masks import masked_already
from provision.redact.notes import Remark

if TYPE_CHECKING:
    from provision.redact.session import Session

LIMIT_CHARACTERS = 1 << 20
"""A longer copied text is not read."""
_START = re.compile(
    r"\x1b(?:[\]PX^_]|\Z)|[\x9d\udc9d](?:52;|1337;|5522;|[0-9]{0,4}\Z)|[\x90\udc90](?:tmux;|t?m?u?x?\Z|[0-9;]*(?:[qp]|\Z))|[\x9f\udc9f](?:G|\Z)"
)
"""Introducers of one character (C1) count only before what is known here: in a text of another encoding they are letters."""
_OSC, _DCS, _APC = r"(?:\x1b\]|[\x9d\udc9d])", r"(?:\x1bP|[\x90\udc90])", r"(?:\x1b_|[\x9f\udc9f])"
_INTRODUCER = re.compile(r"\x1b.?|.")
_END = re.compile(r"\x1b\\|[\x9c\udc9c]|(?=[\x18\x1a])|(?=\x1b[^\\])")
_OSC_END = re.compile(r"\x07|" + _END.pattern)
_TMUX_END = re.compile(r"(?<!\x1b)\x1b\\|[\x9c\udc9c]")
_NOT_READ = re.compile(
    rf"(?P<head>{_DCS}[0-9;]*[qp]|{_APC}G[^;\x1b\x9c]*;?|{_OSC}(?:1337;(?:Multipart)?File(?:Part)?=[^:\x07\x1b\x9c]*:?))"
    rf"|(?P<other>{_DCS}tmux;|{_OSC}5522;)"
)
_COPIED = re.compile(
    rf"(?P<head>{_OSC}(?:52;[^;\x07\x1b\x9c]*;|1337;Copy=[^:\x07\x1b\x9c]*:))(?P<data>[^\x07\x1b\x9c\udc9c]*)"
)
_HEADER_CHARACTERS = 256
_QUERY = re.compile(_APC + r"G(?:[^;]*,)?a=[qd]\b")
_CURE = "redact it as a file of its own"


class StringPart(NamedTuple):
    """A part of the output. `covered`: it must not be shown; its first `head` characters say only what it is."""

    text: str
    covered: bool = False
    head: int = 0

    def stars(self) -> str:
        """Return a text of the same length that does nothing: a terminal takes it for a string that it cannot read."""
        end = re.search(r"(?:\x07|\x1b\\?|[\x9c\udc9c])?\Z", self.text)
        stop = max(end.start() if end else len(self.text), self.head)
        return self.text[: self.head] + "*" * (stop - self.head) + self.text[stop:]


class ControlStrings:
    """Divides output into what can be passed on and what is covered, wherever it is cut. Notes what it covers, once a kind."""

    def __init__(self, session: Session, name: str) -> None:
        self._session, self._name = session, name
        self._held = ""
        self._covering: re.Pattern[str] | None = None
        self._said: set[str] = set()

    def take(self, text: str, *, last: bool = False) -> list[StringPart]:
        """Take output and return its parts in order. The beginning of a string waits for its end, except at the `last`."""
        text, self._held = self._held + text, ""
        parts: list[StringPart] = []
        at = 0
        while at < len(text):
            if self._covering:
                at = self._covered(text, at, at, 0, parts, last=last)
                continue
            start = _START.search(text, at)
            if not start:
                parts.append(StringPart(text[at:]))
                break
            parts.append(StringPart(text[at : start.start()]))
            at = self._string(text, start.start(), parts, last=last)
        return [part for part in parts if part.text]

    def _string(self, text: str, start: int, parts: list[StringPart], *, last: bool) -> int:
        """Handle the string that begins at `start`; return where it ends."""
        unread = _NOT_READ.match(text, start)
        introducer = _INTRODUCER.match(text, start)
        body = introducer.end() if introducer else start + 1
        ends = (
            _OSC_END
            if text[start:body] in {"\x1b]", "\x9d", "\udc9d"}
            else _TMUX_END
            if unread and unread["other"]
            else _END
        )
        end = ends.search(text, body)
        waits = not end and not last and len(text) - start <= LIMIT_CHARACTERS
        decided = unread and (end or last or unread.end() < len(text) or len(text) - start > _HEADER_CHARACTERS)
        if unread and decided and not (waits and text[unread.end() : unread.end() + 1] in {"*", "\x1b"}):
            if end and not text[unread.end() : end.start()].strip("*\x07\x1b\x9c\udc9c"):  # redacted before
                parts.append(StringPart(text[start : end.end()]))
                return end.end()
            if not _QUERY.match(text, start):
                self._say("a picture" if unread["head"] else "data for another program", "is not read")
            self._covering = ends
            return self._covered(text, start, unread.end(), unread.end() - start, parts, last=last)
        if end:
            parts.append(self._copied(text[start : end.end()]))
            return end.end()
        if waits:
            self._held = text[start:]
        elif _COPIED.match(text, start):
            self._say("a copied text", "is too long or has no end, and is not read")
            self._covering = ends
            return self._covered(text, start, body, body - start, parts, last=last)
        else:
            parts.append(StringPart(text[start:]))
        return len(text)

    def _covered(self, text: str, at: int, search: int, head: int, parts: list[StringPart], *, last: bool) -> int:
        """Cover up to the end of the string, or everything if it is not there yet."""
        ends = self._covering or _END
        end = ends.search(text, search)
        if end:
            self._covering = None
            stop = end.end()
        elif text.endswith("\x1b") and not last:
            self._held, stop = "\x1b", len(text) - 1
        else:
            stop = len(text)
        parts.append(StringPart(text[at:stop], covered=True, head=head))
        return stop + len(self._held)

    def _copied(self, string: str) -> StringPart:
        found = _COPIED.match(string)
        if not found or not found["data"].strip("*?!"):
            return StringPart(string)
        try:
            data = base64.b64decode(found["data"] + "=" * (-len(found["data"]) % 4), validate=True)
        except (binascii.Error, ValueError):
            self._say("a copied text", "is not base64, and is not read")
            return StringPart(string, covered=True, head=len(found["head"]))
        matches = [each for each in self._session.detector.scan(data) if not masked_already(each.secret.reveal())]
        for match in matches:
            self._session.note(self._name, "copied text", match)
        if matches:
            self._say("a copied text (OSC 52)", "holds a secret")
        return StringPart(string, covered=bool(matches), head=len(found["head"]))

    def _say(self, what: str, why: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._session.notes.left_out.append(Remark(self._name, "output", f"{what} {why}", _CURE))
