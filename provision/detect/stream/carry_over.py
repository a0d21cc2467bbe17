"""What a line carries over to the next: a key that may continue, a private key that is not finished."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret
from provision.detect.shapes import AISA_KEY_LENGTH, aisa_shaped
from provision.detect.views.split_keys import has_mixed_characters

if TYPE_CHECKING:
    from provision.detect.detector import Detector
    from provision.detect.private_key import PrivateKeyLines

CUT_RULE = "key-cut-by-line-end"


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A key that may continue in the next line: its characters so far, the width of its rows, and whether it is complete.

    `before` is what stands before it in its first line.
    """

    text: bytes
    width: int
    rows: int
    match: Match | None
    whole: bool
    before: bytes = b""


@dataclass(slots=True)
class OpenPrivateKey:
    """A private key without its end so far."""

    match: Match
    lines: PrivateKeyLines

    def copy(self) -> OpenPrivateKey:
        """Return a copy that can be continued on its own."""
        return OpenPrivateKey(self.match, replace(self.lines))


@dataclass(slots=True)
class CarryOver:
    """What lines carry over.

    `sure`: the indices of keywords that occur only in keys; `bare`: whether there are known keys without a prefix.
    """

    detector: Detector
    sure: frozenset[int]
    bare: bool = False
    open: OpenKey | None = None
    pem: OpenPrivateKey | None = None


def continues_key(opened: OpenKey, head: bytes, content: int, follows: bytes) -> bool:
    """Return whether `head` belongs to a key that is complete without it; see `split_keys.last_row_belongs`."""
    if aisa_shaped((opened.text + head).decode("latin-1")[-AISA_KEY_LENGTH:]):
        return True
    if content > opened.width + 1 or follows in {b"=", b":", b"("}:
        return False
    return opened.rows > 1 or (opened.width >= 16 and has_mixed_characters(head))


def partial_match(text: bytes) -> Match:
    """Return the match for a key of which only the beginning is known."""
    secret = Secret(text.decode("latin-1"))
    return Match(CUT_RULE, FindingSeverity.HIGH, Confidence.MEDIUM, ((0, len(text)),), secret, ("wrapped",))
