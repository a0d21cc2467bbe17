"""A leak: one secret in one place, before it becomes a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provision.audit.finding import RawFinding
    from provision.audit.locations import LocationKind


@dataclass(slots=True)
class Leak:
    """One secret in one location: its first occurrence there, and the number of occurrences."""

    raw: RawFinding
    location_kind: LocationKind
    fingerprint: str | None
    times: int = 1
    in_use: bool = False
    """Whether a home on this machine reads the same key from its proper place."""
