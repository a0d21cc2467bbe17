"""Masks: the text that replaces a secret.

A mask names the rule and carries a tag. Equal secrets have equal tags within one run. The tag is a keyed hash; its key
is random, made for the run and then discarded, so a tag reveals nothing about the value and cannot be compared between
runs. Masks are never detected as secrets: redaction is idempotent.
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
    """The form of masks."""

    TAG = "tag"
    STARS = "stars"
    FIXED = "fixed"
    LENGTH = "length"


class Masker:
    """Makes the masks of one run. `run_key` is random, at least 16 bytes, and not kept after the run."""

    def __init__(self, style: MaskStyle, run_key: bytes) -> None:
        self._style = style
        self._run_key = run_key

    def tag(self, value: str) -> str:
        """Return four hexadecimal digits, equal for equal values in one run."""
        return hmac.digest(self._run_key, value.encode("utf-8", "surrogatepass"), "sha256")[:2].hex()

    def text(self, rule: str, value: str, width: int) -> str:
        """Return the mask of a value that a rule found and that took `width` bytes."""
        match self._style:
            case MaskStyle.TAG:
                return f"[REDACTED:{rule}#{self.tag(value)}]"
            case MaskStyle.FIXED:
                return "[REDACTED]"
            case MaskStyle.STARS:
                return "*" * _STARS
            case MaskStyle.LENGTH:
                return "*" * width

    def mask(self, match: Match, span: bytes, *, first: bool) -> bytes:
        """Return the replacement of one span of a match. Later spans of a divided key are removed, or become stars."""
        if masked_already(match.secret.reveal()):
            return span
        if not first and self._style is not MaskStyle.LENGTH:
            return b""
        wide = "utf-16" in match.encodings
        text = self.text(match.rule, match.secret.reveal(), len(span) // 2 if wide else len(span))
        if not wide:
            return text.encode()
        return text.encode("utf-16-be" if span[:1] == b"\0" else "utf-16-le")

    def fit(self, rule: str, value: str, width: int) -> str:
        """Return a mask of exactly `width` characters, for layouts that must not change; stars if the mask is too long."""
        text = self.text(rule, value, width)
        return text.ljust(width, "*") if len(text) <= width else "*" * width


def masked_already(value: str) -> bool:
    """Whether a value consists only of masks of an earlier run."""
    rest, masks = MASK.subn("", value)
    return bool(masks) and bool(_NOTHING_LEFT.fullmatch(rest))
