"""Whose key a known key is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class KnownKey:
    """Whose key it is and which one: what the vault says of it."""

    user: str
    fingerprint: str
    stage: str
    created: datetime | None = None
    label: str = ""
