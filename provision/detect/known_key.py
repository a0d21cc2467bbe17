"""What is known of a key of the fleet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class KnownKey:
    """The owner and identity of a key, as recorded in the vault."""

    user: str
    fingerprint: str
    stage: str
    created: datetime | None = None
    label: str = ""
