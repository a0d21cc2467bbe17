"""A person as an export describes them, whatever its source."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PersonStatus(StrEnum):
    """What the export says of an account. Blank, missing and unexpected values are UNKNOWN, never one of the others."""

    ACTIVE = "active"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Device:
    """A computer of an export of machines: its name there, and the platform if provision knows it."""

    name: str
    platform: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """One row. `external_id` never changes for a person, `login` and `email` may. `why` explains the status.

    `teams` are what a profile can be chosen by: the department, groups and organizational units, the nearest first.
    `broken` says why the row cannot be used.
    """

    line: int
    external_id: str
    login: str
    email: str
    status: PersonStatus
    why: str = ""
    teams: tuple[str, ...] = ()
    device: Device | None = None
    wanted_id: str = ""
    broken: str = ""
    is_person: bool = True

    @property
    def label(self) -> str:
        """How messages call the row."""
        device = self.device.name if self.device else ""
        return self.login or self.email or device or self.external_id or f"row {self.line}"
