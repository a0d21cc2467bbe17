"""The values of a rotation: users with their keys and states, blockers, terms. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from provision.rotate.states import INSTALLED, OVER, Course, State

SCHEMA = "provision/rotation/v1"


class RotationKind(StrEnum):
    SCHEDULED = "scheduled"
    LEAK = "leak"


class Grade(StrEnum):
    """The grade of a blocker. `failed` and `unreachable` count against the failure budget, `waiting` is normal."""

    FAILED = "failed"
    UNREACHABLE = "unreachable"
    UNSURE = "unknown"
    WAITING = "waiting"


_COUNTED = frozenset({Grade.FAILED, Grade.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why a user cannot go on. `cause` is a stable id; docs/rotate.md lists the causes with their fixes."""

    cause: str
    message: str
    cure: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Usage:
    """The number of requests with a key since a day (UTC), as the gateway reported it at `at`."""

    since: str
    total: int
    at: datetime


@dataclass(slots=True)
class RotationUser:
    """One user in a rotation. Keys by fingerprint: `target` is the key to use, `other` the key to revoke."""

    user: str
    profile: str
    wave: int
    course: Course
    target: str
    other: str
    state: State
    since: datetime
    began: datetime
    generation: int = 0
    back: bool = False
    trouble: Blocker | None = None
    usage: Usage | None = None
    idle: str = ""
    reason: str = ""
    dead_at: datetime | None = None
    also: tuple[str, ...] = ()
    """Further leaked keys to revoke, besides `other`."""
    taken_from: str = ""
    """The rotation from which a leak took the user over."""

    @property
    def others(self) -> tuple[str, ...]:
        """All keys to revoke."""
        return (self.other, *self.also)

    @property
    def wants_key(self) -> bool:
        """Whether this rotation takes a new key for this user (`resume --from`)."""
        return self.course is Course.LEAK and self.state in {State.EXPOSED, State.DEAD, State.BARE}

    @property
    def over(self) -> bool:
        """Whether the user may enter another rotation."""
        return self.state in OVER

    @property
    def failed(self) -> bool:
        """Whether this user counts against the failure budget."""
        return self.state is State.REJECTED or (self.trouble is not None and self.trouble.grade in _COUNTED)

    @property
    def settled(self) -> bool:
        """Whether the next wave may start without this user."""
        return self.state in INSTALLED or self.failed


@dataclass(frozen=True, slots=True)
class Terms:
    """The parameters of a rotation. Durations in seconds. `resume` can change the last two and the probes."""

    id: str
    kind: RotationKind
    who: str
    at: datetime
    vault: str
    waves: tuple[str, ...] = ("100%",)
    probes: tuple[str, ...] = ("key", "models")
    deploy: bool = False
    max_failures: int = 0
    confirm_within_s: int = 7 * 86400
    idle_for_s: int = 3600

    def entry(self, generation: int) -> dict[str, Any]:
        """The journal's first line."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "kind": self.kind.value,
            "who": self.who,
            "at": stamp(self.at),
            "vault": self.vault,
            "generation": generation,
            "waves": list(self.waves),
            "probes": list(self.probes),
            "deploy": self.deploy,
            "max_failures": self.max_failures,
            "confirm_within_s": self.confirm_within_s,
            "idle_for_s": self.idle_for_s,
        }

    def changed(self, terms: dict[str, Any]) -> Terms:
        """The terms after an entry of the journal that changes some. Raises KeyError, TypeError or ValueError."""
        if not terms or terms.keys() - {"probes", "confirm_within_s", "idle_for_s"}:
            raise ValueError("unknown terms")
        return replace(
            self,
            probes=tuple(terms.get("probes", self.probes)),
            confirm_within_s=int(terms.get("confirm_within_s", self.confirm_within_s)),
            idle_for_s=int(terms.get("idle_for_s", self.idle_for_s)),
        )

    @staticmethod
    def of(entry: dict[str, Any]) -> Terms:
        """Parse the output of `entry`. Raises KeyError, TypeError or ValueError."""
        if entry["schema"] != SCHEMA:
            raise ValueError("another version")
        return Terms(
            id=entry["id"],
            kind=RotationKind(entry["kind"]),
            who=entry["who"],
            at=moment(entry["at"]),
            vault=entry["vault"],
            waves=tuple(entry["waves"]),
            probes=tuple(entry["probes"]),
            deploy=bool(entry["deploy"]),
            max_failures=int(entry["max_failures"]),
            confirm_within_s=int(entry["confirm_within_s"]),
            idle_for_s=int(entry["idle_for_s"]),
        )


def stamp(moment: datetime) -> str:
    """Format a time as journals store it: UTC, whole seconds."""
    return moment.isoformat()[:19] + "Z"


def moment(text: str) -> datetime:
    """Parse the output of `stamp`."""
    return datetime.fromisoformat(text)
