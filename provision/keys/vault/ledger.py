"""The public data of the vault, readable without an identity: versions of keys by user, with stage and creation time.

Pure values without secrets: fingerprints name the keys, labels are their names in the console.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime


class Stage(StrEnum):
    """The stage of a key version. The names are those of AWS Secrets Manager, plus `retired` for dead keys."""

    PENDING = "pending"
    CURRENT = "current"
    PREVIOUS = "previous"
    RETIRED = "retired"


STAGES_HELD_ONCE = (Stage.PENDING, Stage.CURRENT)
"""Stages with at most one version per user."""


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of one user's key. `created` is UTC, whole seconds; `demo_until` is the last day of a demo key."""

    user: str
    version: int
    stage: Stage
    fingerprint: str
    created: datetime
    label: str = ""
    demo_until: date | None = None

    def expired(self, today: date) -> bool:
        """Whether this is an expired demo key."""
        return self.demo_until is not None and today > self.demo_until

    def age_days(self, now: datetime) -> int:
        """Whole days since the key was added to the vault. Never negative."""
        return max(0, (now - self.created).days)


class VaultLine(NamedTuple):
    """A line of the vault: the public data, and the encrypted key in base64."""

    known: KeyVersion
    sealed: str


class Ledger:
    """The versions of all users, sorted by user and version. The base of the sealed and the opened vault."""

    def __init__(self, lines: dict[str, tuple[VaultLine, ...]]) -> None:
        self._lines = lines
        self._by_fingerprint: dict[str, list[tuple[str, int]]] | None = None

    def __len__(self) -> int:
        return sum(len(lines) for lines in self._lines.values())

    def __bool__(self) -> bool:
        return True  # an empty vault is true too, and this avoids counting all lines

    def __iter__(self) -> Iterator[KeyVersion]:
        for user in sorted(self._lines):
            for line in self._lines[user]:
                yield line.known

    @property
    def lines(self) -> dict[str, tuple[VaultLine, ...]]:
        """A copy of the table of lines, by user."""
        return dict(self._lines)

    @property
    def users(self) -> tuple[str, ...]:
        """All users who have or had a key, sorted."""
        return tuple(sorted(self._lines))

    def versions(self, user: str) -> tuple[KeyVersion, ...]:
        """All versions of a user, oldest first."""
        return tuple(line.known for line in self._lines.get(user, ()))

    def in_stage(self, user: str, stage: Stage) -> KeyVersion | None:
        """The newest version of a user in a stage."""
        for line in reversed(self._lines.get(user, ())):
            if line.known.stage is stage:
                return line.known
        return None

    def current(self, user: str) -> KeyVersion | None:
        """The version for the user's bundle."""
        return self.in_stage(user, Stage.CURRENT)

    def version_of(self, user: str, fingerprint: str) -> KeyVersion | None:
        """The user's newest version with this fingerprint."""
        for line in reversed(self._lines.get(user, ())):
            if line.known.fingerprint == fingerprint:
                return line.known
        return None

    def find(self, fingerprint: str) -> tuple[KeyVersion, ...]:
        """All versions of any user with this fingerprint. More than one if the key is shared."""
        if self._by_fingerprint is None:
            self._by_fingerprint = {}
            for known in self:
                self._by_fingerprint.setdefault(known.fingerprint, []).append((known.user, known.version))
        named = self._by_fingerprint.get(fingerprint, ())
        return tuple(line.known for user, version in named if (line := self._line(user, version)))

    def _line(self, user: str, version: int) -> VaultLine | None:
        return next((line for line in self._lines.get(user, ()) if line.known.version == version), None)
