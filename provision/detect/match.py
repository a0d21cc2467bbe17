"""Matches: where a secret is, which rule found it, with which confidence, and whose key it is.

A match can be logged: its value is a `Secret`, and its spans are byte ranges of the scanned data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.detect.known_key import KnownKey
    from provision.detect.secret import Secret


class Confidence(StrEnum):
    """How likely it is that a match is a secret at all."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class FindingSeverity(StrEnum):
    """How serious the leak is if the match is a secret."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Match:
    """One secret in the scanned bytes.

    `spans` are the half-open byte ranges, in order, that hold the secret and must be masked; there are several when line
    breaks or colour codes split it. `secret` is the decoded value. `encodings` lists the encodings, outermost first:
    `("base64", "json")` is a JSON escape inside base64; `()` is plain text. `key` is the name it is assigned to.
    """

    rule: str
    severity: FindingSeverity
    confidence: Confidence
    spans: tuple[Span, ...]
    secret: Secret
    encodings: tuple[str, ...] = ()
    known: KnownKey | None = None
    key: str | None = None

    @property
    def start(self) -> int:
        """Offset of the first byte that holds the secret."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Offset after the last byte that holds the secret."""
        return self.spans[-1][1]

    def moved(self, by: int) -> Match:
        """Return the match with its offsets moved, from a chunk's to the whole file's."""
        return self.at(tuple((start + by, end + by) for start, end in self.spans), self.encodings)

    def at(self, spans: tuple[Span, ...], encodings: tuple[str, ...]) -> Match:
        """Return the match with other spans and encodings, as in another text."""
        return Match(self.rule, self.severity, self.confidence, spans, self.secret, encodings, self.known, self.key)
