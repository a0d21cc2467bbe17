"""A finished audit: the findings, where every Hermes home sends its requests, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from provision.detect.match import Confidence, FindingSeverity

if TYPE_CHECKING:
    from provision.audit.finding import Finding

SEVERITIES = tuple(FindingSeverity)
"""The most severe first."""
CONFIDENCES = tuple(Confidence)
"""The most certain first."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read: an audit concludes nothing about it."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IgnoredFinding:
    """A finding that is listed in the baseline, and the reason it is ignored."""

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
    """What else was counted. `in_place` are secrets that are where they belong, `allowed` those under an allow comment,
    `unchanged` the files that were clean before and were not scanned again, `unchanged_objects` the same of git objects."""

    files: int = 0
    bytes: int = 0
    in_place: int = 0
    allowed: int = 0
    unchanged: int = 0
    unchanged_objects: int = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """One run on one machine. `findings` are new, the most severe first; `ignored` are listed in the baseline."""

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
    """The user of the machine, when it is one of a fleet."""


def severity_order(finding: Finding) -> tuple[int, int, str, int, int]:
    """Sort key: the most severe and most certain first, then by location."""
    place = finding.place
    return (
        SEVERITIES.index(finding.severity),
        CONFIDENCES.index(finding.confidence),
        place.path,
        place.line or 0,
        place.column or 0,
    )
