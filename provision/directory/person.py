"""A person as an export describes them, whatever its source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_GUID = re.compile(r"(?i)\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?")


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


def external_key(external_id: str) -> str:
    """An external id as it is compared: some tools write GUIDs in capital letters or in braces; other ids keep their case."""
    realm, _, value = external_id.partition(":")
    return f"{realm}:{value.strip('{}').casefold()}" if _GUID.fullmatch(value) else external_id
