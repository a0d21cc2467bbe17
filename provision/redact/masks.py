"""What is written where a secret stood.

A mask says which rule it was and, by its tag, whether it is the same secret as another one in this run; the tag is a
keyed hash under a key that is drawn for the run and forgotten, so it tells nothing about the value and cannot be
compared between runs. A mask is never found again: redacting twice gives what redacting once gave.
"""

from __future__ import annotations

import hmac
import re
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.detect.match import Match

MASK = re.compile(r"\[REDACTED(?::[a-z0-9_.-]+(?:#[0-9a-f]{4})?)?\]\**|\*{4,}")
_NOTHING_LEFT = re.compile(r"[\s\"'`,;:=/@.|&?%\\+-]*")
_STARS = 8


class MaskStyle(StrEnum):
    """What masks look like."""

    TAG = "tag"
    STARS = "stars"
    FIXED = "fixed"
    LENGTH = "length"


class Masker:
    """Makes the masks of one run. `run_key` is random, at least 16 bytes, and forgotten afterwards."""

    def __init__(self, style: MaskStyle, run_key: bytes) -> None:
        self._style = style
        self._run_key = run_key

    def tag(self, value: str) -> str:
        """Four hexadecimal digits, the same for the same value in one run."""
        return hmac.digest(self._run_key, value.encode("utf-8", "surrogatepass"), "sha256")[:2].hex()

    def text(self, rule: str, value: str, width: int) -> str:
        """The mask of a value that was found by a rule and took `width` bytes."""
        match self._style:
            case MaskStyle.TAG:
                return f"[REDACTED:{rule}#{self.tag(value)}]"
            case MaskStyle.FIXED:
                return "[REDACTED]"
            case MaskStyle.STARS:
                return "*" * _STARS
            case MaskStyle.LENGTH:
                return "*" * width

    def mask(self, match: Match, stood: bytes, *, first: bool) -> bytes:
        """What replaces `stood`, one span of a match; the later spans of a broken key vanish, or become stars of their length."""
        if masked_already(match.secret.reveal()):
            return stood
        if not first and self._style is not MaskStyle.LENGTH:
            return b""
        wide = "utf-16" in match.encodings
        text = self.text(match.rule, match.secret.reveal(), len(stood) // 2 if wide else len(stood))
        if not wide:
            return text.encode()
        return text.encode("utf-16-be" if stood[:1] == b"\0" else "utf-16-le")

    def fit(self, rule: str, value: str, width: int) -> str:
        """A mask of exactly `width` characters, for screens and byte counts that must not change; stars when it is too long."""
        text = self.text(rule, value, width)
        return text.ljust(width, "*") if len(text) <= width else "*" * width


def masked_already(value: str) -> bool:
    """Whether a value is nothing but masks of an earlier run."""
    rest, masks = MASK.subn("", value)
    return bool(masks) and bool(_NOTHING_LEFT.fullmatch(rest))
