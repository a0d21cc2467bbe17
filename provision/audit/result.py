"""A finished audit: what was found, where every Hermes home sends its requests, and what could not be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from provision.detect.match import Confidence, FindingSeverity

if TYPE_CHECKING:
    from provision.audit.finding import Finding

SEVERITIES = tuple(FindingSeverity)
"""The worst first."""
CONFIDENCES = tuple(Confidence)
"""The surest first."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be looked at: nothing may be concluded about it."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IgnoredFinding:
    """A finding that the baseline knows, and why it is let be."""

    finding: Finding
    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class HomeRoute:
    """Where one Hermes home would send its next request, and with whose key.

    `as_expected` compares it with the installed manifest: `not installed` when there is none.
    """

    home: str
    url: str | None
    model: str | None
    api_mode: str | None
    provider: str
    key_fingerprint: str | None
    key_owner: str | None
    key_stage: str | None
    key_source: str
    as_expected: Literal["yes", "no", "cannot tell", "not installed"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """What else was seen. `in_place` are secrets that lie where they belong, `allowed` those under an allow comment."""

    files: int = 0
    bytes: int = 0
    in_place: int = 0
    allowed: int = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """One run on one machine. `findings` are new, the worst first; `excused` are those that the baseline knows."""

    host: str
    started: str
    targets: tuple[str, ...]
    findings: tuple[Finding, ...]
    ignored: tuple[IgnoredFinding, ...] = ()
    routes: tuple[HomeRoute, ...] = ()
    unread: tuple[Unread, ...] = ()
    counts: Counts = field(default_factory=Counts)
    elapsed_s: float = 0.0
    user: str | None = None
    """Whose machine it is, when it is one of a fleet."""


def severity_order(finding: Finding) -> tuple[int, int, str, int, int]:
    """Sorts the worst and surest first, then by place."""
    place = finding.place
    return (
        SEVERITIES.index(finding.severity),
        CONFIDENCES.index(finding.confidence),
        place.path,
        place.line or 0,
        place.column or 0,
    )
