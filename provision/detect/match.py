"""What a detector found: where, by which rule, how sure, and whose key it is.

A match never says more than that to a log: the value is a `Secret`, and the spans are byte ranges of what was scanned.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.detect.known_key import KnownKey
    from provision.detect.secret import Secret


class Confidence(StrEnum):
    """How sure a rule is that what it found is a secret at all."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class FindingSeverity(StrEnum):
    """How bad it is if it is one."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Match:
    """One secret in the scanned bytes.

    `spans` are the half-open byte ranges, in order, that hold the secret and must be masked: several when line wraps or
    colour codes stand inside it. `secret` is the decoded value. `encodings` names what had to be undone, outermost first:
    `("base64", "json")` is a JSON escape inside base64; `()` is plain text.
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
        """Offset behind the last byte that holds the secret."""
        return self.spans[-1][1]

    def moved(self, by: int) -> Match:
        """The same match with its offsets moved: from a chunk's own to the whole file's."""
        return self.at(tuple((start + by, end + by) for start, end in self.spans), self.encodings)

    def at(self, spans: tuple[Span, ...], encodings: tuple[str, ...]) -> Match:
        """The same secret as it stands in another text."""
        return Match(self.rule, self.severity, self.confidence, spans, self.secret, encodings, self.known, self.key)
