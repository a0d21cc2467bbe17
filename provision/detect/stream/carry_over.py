"""What one line leaves open for the next: a key that may go on, a private key that is not over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret
from provision.detect.shapes import AISA_KEY_LENGTH, aisa_shaped
from provision.detect.views.split_keys import has_mixed_characters

if TYPE_CHECKING:
    from provision.detect.detector import Detector

CUT_RULE = "key-cut-by-line-end"
_PEM_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A key that may go on in the next line: its characters so far, the width of its rows, and whether it is whole by itself."""

    text: bytes
    width: int
    rows: int
    match: Match | None
    whole: bool


@dataclass(slots=True)
class OpenPrivateKey:
    """A private key whose end has not come; it is given up after `left` more bytes."""

    match: Match
    left: int = _PEM_BYTES


@dataclass(slots=True)
class CarryOver:
    """What lines leave open; `sure` are the indices of keywords that stand in nothing but a key."""

    detector: Detector
    sure: frozenset[int]
    open: OpenKey | None = None
    pem: OpenPrivateKey | None = None


def continues_key(opened: OpenKey, head: bytes, content: int, follows: bytes) -> bool:
    """Whether `head` belongs to a key that was whole without it: see `broken.goes_on`."""
    if aisa_shaped((opened.text + head).decode("latin-1")[-AISA_KEY_LENGTH:]):
        return True
    if content > opened.width + 1 or follows in {b"=", b":", b"("}:
        return False
    return opened.rows > 1 or (opened.width >= 16 and has_mixed_characters(head))


def partial_match(text: bytes) -> Match:
    """The match for a key of which only the beginning is there."""
    secret = Secret(text.decode("latin-1"))
    return Match(CUT_RULE, FindingSeverity.HIGH, Confidence.MEDIUM, ((0, len(text)),), secret, ("wrapped",))
