"""Values for unit tests of the audit: matches, raw findings, and a detector that finds one kind of literal text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from provision.audit.finding import Location, RawFinding
from provision.audit.leaks import LeakContext
from provision.audit.locations import MachineLayout
from provision.containers.blob import ContentKind
from provision.detect.known_key import KnownKey
from provision.detect.match import Confidence, FindingSeverity, Match
from provision.detect.secret import Secret

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SALT = b"s" * 16
LITERAL = re.compile(rb"LEAK-[0-9a-f]{16}")


def literal(number: int) -> bytes:
    """A text that `LiteralDetector` finds."""
    return b"LEAK-%016x" % (0xFEDCBA9876543210 ^ number)


def known_key(user: str = "ada", stage: str = "current", created: datetime | None = None) -> KnownKey:
    """A key of the fleet."""
    return KnownKey(user, "fp_" + "a" * 16, stage, created)


def match(value: str, rule: str = "some-rule", start: int = 0, **fields: Any) -> Match:
    """A match of a secret at an offset."""
    severity = fields.pop("severity", FindingSeverity.MEDIUM)
    confidence = fields.pop("confidence", Confidence.HIGH)
    return Match(rule, severity, confidence, ((start, start + len(value)),), Secret(value), **fields)


def raw(
    path: str, found: Match, where: str | None = None, kind: ContentKind = ContentKind.TEXT, **around: str
) -> RawFinding:
    """A raw finding in line 1."""
    return RawFinding(Location(path, 1, 1, where), found, kind, **around)


def context(layout: MachineLayout | None = None) -> LeakContext:
    """A context that leaves names as they are."""
    return LeakContext(layout or MachineLayout(), SALT, NOW, {"some-rule": "Some token"}, str, str)


class LiteralDetector:
    """Finds `literal` texts, as a `Detector` would."""

    def scan(self, data: bytes) -> list[Match]:
        """Every literal in `data`."""
        return [match(found[0].decode(), start=found.start()) for found in LITERAL.finditer(data)]

    def scan_chunks(self, chunks: Iterable[bytes]) -> Iterator[Match]:
        """Every literal in a stream."""
        yield from self.scan(b"".join(chunks))
