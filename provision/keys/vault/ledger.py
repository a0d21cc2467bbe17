"""What may be known of the vault's keys without opening it: who has which version, in which stage, since when.

Pure values. No secret is in here; fingerprints name keys, labels say what the console calls them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime


class Stage(StrEnum):
    """Where a key version stands; the labels are those of AWS Secrets Manager, and `retired` for keys proved dead."""

    PENDING = "pending"
    CURRENT = "current"
    PREVIOUS = "previous"
    RETIRED = "retired"


STAGES_HELD_ONCE = (Stage.PENDING, Stage.CURRENT)
"""A user has at most one version in each of these."""


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
        """Whether this is a demo key whose last day is over."""
        return self.demo_until is not None and today > self.demo_until

    def age_days(self, now: datetime) -> int:
        """Whole days since it came into the vault; never negative, whatever the clock says."""
        return max(0, (now - self.created).days)


class VaultLine(NamedTuple):
    """A line of the vault: what may be known, and the sealed key as it stands in the file (base64)."""

    known: KeyVersion
    sealed: str


class Ledger:
    """The versions of all users, sorted by user and version. Both forms of the vault, sealed and opened, are one."""

    def __init__(self, lines: dict[str, tuple[VaultLine, ...]]) -> None:
        self._lines = lines
        self._by_fingerprint: dict[str, list[tuple[str, int]]] | None = None

    def __len__(self) -> int:
        return sum(len(lines) for lines in self._lines.values())

    def __bool__(self) -> bool:
        return True  # a vault is there even when it is empty; and asking must not count all its lines

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
        """Everybody who has or had a key, sorted."""
        return tuple(sorted(self._lines))

    def versions(self, user: str) -> tuple[KeyVersion, ...]:
        """All versions of a user, oldest first; empty for a user without keys."""
        return tuple(line.known for line in self._lines.get(user, ()))

    def in_stage(self, user: str, stage: Stage) -> KeyVersion | None:
        """The newest version of a user in a stage."""
        for line in reversed(self._lines.get(user, ())):
            if line.known.stage is stage:
                return line.known
        return None

    def current(self, user: str) -> KeyVersion | None:
        """The version that the user's bundle gets."""
        return self.in_stage(user, Stage.CURRENT)

    def version_of(self, user: str, fingerprint: str) -> KeyVersion | None:
        """The newest version of a user that is this key."""
        for line in reversed(self._lines.get(user, ())):
            if line.known.fingerprint == fingerprint:
                return line.known
        return None

    def find(self, fingerprint: str) -> tuple[KeyVersion, ...]:
        """Every version with this key, of anybody; more than one when a key is shared."""
        if self._by_fingerprint is None:
            self._by_fingerprint = {}
            for known in self:
                self._by_fingerprint.setdefault(known.fingerprint, []).append((known.user, known.version))
        named = self._by_fingerprint.get(fingerprint, ())
        return tuple(line.known for user, version in named if (line := self._line(user, version)))

    def _line(self, user: str, version: int) -> VaultLine | None:
        return next((line for line in self._lines.get(user, ()) if line.known.version == version), None)
