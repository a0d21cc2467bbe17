"""Follow a private key line by line: which bytes of each line belong to it, and after which line it ends.

Logs, quotes, diffs and listings put something before each line (`2026-06-12 10:00:01 app[7]: `, `app | `, `> `, `+`), so a line
is compared with what stood before the key's first line; numbers and blanks may differ. A key ends at its END line, at the first
line that cannot be part of it, or after `MOST_LINES`. So a BEGIN line in prose hides nothing of what follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from provision.detect.entropy import word_share
from provision.lazy_regex import lazy_regex

MOST_LINES = 200
"""Lines of one key, headers included: an RSA key of 16,384 bits has 193."""
BEGIN = lazy_regex(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|^Private-Lines: \d{1,3}", re.MULTILINE)
END = lazy_regex(rb"-----END [A-Z0-9 ]{0,40}PRIVATE KEY|Private-MAC:")
FIRST_CHARACTERS = (
    r"(?:b3BlbnNzaC1rZXktdjE"  # openssh-key-v1
    r"|MII[A-Za-z0-9+/]{3}IB(?:ADANBgkqhkiG9w0B|AAK[BC])"  # PKCS #8 of an RSA key, PKCS #1, DSA
    r"|MI[GH][A-Za-z0-9+/]AgEAMB[AM]GByqGSM49|M[A-Z][A-Za-z0-9+/]CAQAwEwYHKoZIzj0"  # PKCS #8 of an EC key
    r"|M[CEF][A-Za-z0-9+/]CAQ[AE]wBQYDK2V"  # Ed25519, X25519, Ed448, X448
    r"|MHcCAQEEI|MIGkAgEBBD|MIHcAgEBBEI"  # SEC 1, three curves
    r"|MII[A-Za-z0-9+/]{5}(?:BgkqhkiG9w0BBQ0w|BgoqhkiG9w0BDAE)"  # PKCS #8, encrypted, by the length of the key: PBES2, PBES1
    r"|MI[GH][A-Za-z0-9+/]M[A-Za-z0-9+/]{2}G(?:CSqGSIb3DQEFDT|CiqGSIb3DQEMAQ)"
    r"|M[A-Z][A-Za-z0-9+/]{2}M?[A-Za-z0-9+/]{0,2}Y(?:JKoZIhvcNAQUNM|KKoZIhvcNAQwB))"
)
"""How the base64 of a private key begins, encrypted or not, so that it is recognised without its BEGIN line."""
_LEAST = 24
"""Shortest first line."""
_SURE = lazy_regex(FIRST_CHARACTERS.encode())
_HEADER = lazy_regex(
    rb"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID|Subject|X-[\w-]{1,40}): [^\r\n]{0,200}"
)
_QUOTED = rb"[ \t>|#*\"'/`]{0,40}(?:\xe2\x94\x82[ \t]{0,8})?[\"']?"
_BEFORE_ANY = lazy_regex(rb"(?:.*[^A-Za-z0-9+/=])?\+?")
_AFTER = rb"(?P<after>(?:[ \t\"'`,;+)|]|\\[nr]?|\xe2\x94\x82|<br ?/?>){0,40})\r?\n?"
_BODY = rb"(?P<body>[A-Za-z0-9+/]{1,8192}={0,2}|=[A-Za-z0-9+/]{4})"
_PLAIN = lazy_regex(_QUOTED + _BODY + _AFTER)
_LAST_RUN = lazy_regex(rb"(?P<before>(?:.*[^A-Za-z0-9+/=\r\n])?)" + _BODY + _AFTER, re.DOTALL)
_BLANK = lazy_regex(rb"(?:\\[nr]|[ \t>|#*\"',+]|\xe2\x94\x82){0,40}\r?\n?")
_CHANGING = lazy_regex(rb"[0-9]+|[ \t]+")


class KeyLine(Enum):
    """What a line is to a private key. BODY has bytes of it, BETWEEN none; END and OTHER end the key."""

    BODY = "body"
    BETWEEN = "between"
    END = "end"
    OTHER = "other"


@dataclass(slots=True)
class PrivateKeyLines:
    """A private key of which the first line was seen. `before` are the bytes in front of it in that line."""

    before: bytes
    width: int = 0
    """Characters of the key's first line of base64; 0 before it."""
    lines: int = 0
    shorter: bool = False
    """Whether a line was shorter than the first, so that it may have been the last."""

    @classmethod
    def begun(cls, line: bytes, start: int) -> PrivateKeyLines:
        """A key without BEGIN line, whose base64 begins at `start` in its first line."""
        found = cls(line[:start])
        found._take(line[start:])
        return found

    def take(self, line: bytes) -> tuple[KeyLine, tuple[int, int]]:
        """Return what the next line is, and the range in it that belongs to the key."""
        self.lines += 1
        if self.lines > MOST_LINES:
            return KeyLine.OTHER, (0, 0)
        if END.search(line):
            return KeyLine.END, (0, 0)
        found = self._after_same(line) or _PLAIN.fullmatch(line) or (None if self.width else self._first(line))
        if found and self._belongs(found["body"]):
            self._take(found["body"])
            return KeyLine.BODY, found.span("body")
        if not self.width and _HEADER.search(line):
            return KeyLine.BETWEEN, (0, 0)
        rest = line[len(self.before) :] if _shape(line).startswith(_shape(self.before).rstrip()) else line
        if not self.shorter and _BLANK.fullmatch(rest if not rest.strip() else line):
            return KeyLine.BETWEEN, (0, 0)
        return KeyLine.OTHER, (0, 0)

    def _take(self, body: bytes) -> None:
        length = len(body.strip(b" \t\r\n\"',;\\"))
        self.shorter = bool(self.width) and length < self.width
        self.width = self.width or length

    def _after_same(self, line: bytes) -> re.Match[bytes] | None:
        """Match a line with the same text before it, apart from numbers and blanks."""
        if not self.before.strip():
            return None
        pieces = (
            rb"[0-9]+" if piece[:1].isdigit() else rb"[ \t]*" if not piece.strip() else re.escape(piece)
            for piece in re.split(rb"([0-9]+|[ \t]+)", self.before)
            if piece
        )
        return re.fullmatch(b"".join(pieces) + _BODY + _AFTER, line)

    def _first(self, line: bytes) -> re.Match[bytes] | None:
        """Match the first line of base64; what is before it replaces what was before BEGIN: `INFO key: -----BEGIN`."""
        found = _LAST_RUN.fullmatch(line)
        if found is None or not _shape(self.before).startswith(_shape(found["before"]).rstrip()):
            return None
        self.before = found["before"]
        return found

    def _belongs(self, body: bytes) -> bool:
        text = body.decode("ascii")
        if not self.width or self.shorter or len(text) > self.width:
            return (
                _is_checksum(text) if self.width and text[:1] == "=" else len(text) >= _LEAST and _is_random(body, text)
            )
        return len(text) == self.width or not _is_word(text)


def is_one_key(block: bytes) -> bool:
    """Return whether the lines from a BEGIN line on all belong to one key, up to its END or to the end of the block."""
    first, *rest = block.splitlines()
    found = next((found for line in rest if (found := _LAST_RUN.fullmatch(line)) and _is_random_line(found)), None)
    lines = PrivateKeyLines(found["before"] if found else b"")
    kinds = [lines.take(line)[0] for line in rest]
    until = kinds.index(KeyLine.END) if KeyLine.END in kinds else len(kinds)
    return bool(END.search(first)) or KeyLine.OTHER not in kinds[:until]


def _is_random_line(found: re.Match[bytes]) -> bool:
    body = found["body"]
    return len(body) >= _LEAST and _is_random(body, body.decode("ascii"))


def _shape(text: bytes) -> bytes:
    return _CHANGING.sub(lambda found: b" " if not found[0].strip() else b"0", text)


def _is_checksum(text: str) -> bool:
    return len(text) == len("=abcd")


def _is_random(body: bytes, text: str) -> bool:
    if _SURE.match(body):
        return True
    letters = any(map(str.islower, text)) and any(map(str.isupper, text))
    return letters and word_share(text) < 0.4 and (any(map(str.isdigit, text)) or len(text) >= 40)


def _is_word(text: str) -> bool:
    """Return whether a short line is a word or a number, not the end of a key."""
    return text.isdigit() or (text.isalpha() and (text.islower() or text.isupper() or text.istitle()))
