"""The state machine of one user's rotation: the table TRANSITIONS and the function that reads it. Pure.

A new rotation stage is added here: a State, its events, its transitions, and what it waits for.

Three courses share most of their steps. *Scheduled*: the new key is installed and confirmed before the old one is listed for
revocation. *Leak*: the old key is revoked and proved dead first. *Spare*: a leaked key that is no longer in use gets no new key.
A rollback is not a separate course: it swaps the two keys and goes through the same steps.
"""

from __future__ import annotations

from enum import StrEnum


class Course(StrEnum):
    SCHEDULED = "scheduled"
    LEAK = "leak"
    SPARE = "spare"


class State(StrEnum):
    """The state of one user. *Target* is the key to use, *other* the key to revoke."""

    PLANNED = "planned"
    """The target is in the plan, but not in the vault yet."""
    PENDING = "pending"
    """The target is in the vault as `pending`. The gateway has not accepted it yet."""
    PROBED = "probed"
    """The gateway accepts the target."""
    RELEASED = "released"
    """dist/ has a bundle with the target, in a new generation."""
    DELIVERED = "delivered"
    """The bundle was pushed, or is ready to be fetched."""
    CONFIRMED = "confirmed"
    """The endpoint's signed receipt says that the target is installed and in use."""
    CURRENT = "current"
    """In the vault the target is `current` and the other key `previous`."""
    LISTED = "to revoke"
    """The other key is idle, or that is unknown. It is in the list of keys to revoke."""
    DEAD = "dead"
    """The gateway refused the other key with a 401."""
    RETIRED = "retired"
    """In the vault the other key is `retired`. Nothing is left to do."""
    EXPOSED = "exposed"
    """Leak: the other key is in the list of keys to revoke immediately."""
    BARE = "without a key"
    """Leak: the other key is dead, and the new key is missing."""
    REJECTED = "rejected"
    """The gateway refused the new key permanently. The old one stays in use."""
    EXCEPTED = "excepted"
    """Excluded from the rotation by an operator, with a recorded reason."""


class RotationEvent(StrEnum):
    SEALED = "sealed"
    TAKEN = "taken"
    REFUSED = "refused"
    BUILT = "built"
    HANDED = "handed over"
    CONFIRMED = "confirmed"
    PROMOTED = "promoted"
    LISTED = "listed"
    PROVED = "proved dead"
    FILED = "filed"
    SUPPLIED = "supplied"
    TURNED = "turned back"
    EXCEPTED = "excepted"


TransitionTable = dict[tuple[State, RotationEvent], State]

_INSTALL: TransitionTable = {
    (State.PENDING, RotationEvent.TAKEN): State.PROBED,
    (State.PROBED, RotationEvent.BUILT): State.RELEASED,
    (State.RELEASED, RotationEvent.HANDED): State.DELIVERED,
    (State.DELIVERED, RotationEvent.CONFIRMED): State.CONFIRMED,
    # a bundle that no longer matches the released one is built again
    (State.RELEASED, RotationEvent.BUILT): State.RELEASED,
    (State.DELIVERED, RotationEvent.BUILT): State.RELEASED,
}

_INSTALLING = (State.PENDING, State.PROBED, State.RELEASED, State.DELIVERED, State.CONFIRMED)

TRANSITIONS: dict[Course, TransitionTable] = {
    Course.SCHEDULED: {
        (State.PLANNED, RotationEvent.SEALED): State.PENDING,
        (State.PENDING, RotationEvent.REFUSED): State.REJECTED,
        **_INSTALL,
        (State.CONFIRMED, RotationEvent.PROMOTED): State.CURRENT,
        (State.CURRENT, RotationEvent.LISTED): State.LISTED,
        (State.CURRENT, RotationEvent.PROVED): State.DEAD,
        (State.LISTED, RotationEvent.PROVED): State.DEAD,
        (State.DEAD, RotationEvent.FILED): State.RETIRED,
        # nothing was released yet: the endpoint never got the new key, so the old one counts as confirmed
        (State.PENDING, RotationEvent.TURNED): State.CONFIRMED,
        (State.PROBED, RotationEvent.TURNED): State.CONFIRMED,
        (State.RELEASED, RotationEvent.TURNED): State.PROBED,
        (State.DELIVERED, RotationEvent.TURNED): State.PROBED,
        (State.CONFIRMED, RotationEvent.TURNED): State.PROBED,
        (State.CURRENT, RotationEvent.TURNED): State.PROBED,
        (State.LISTED, RotationEvent.TURNED): State.PROBED,
        **dict.fromkeys(
            (
                (state, RotationEvent.EXCEPTED)
                for state in (State.PLANNED, State.REJECTED, *_INSTALLING, State.CURRENT, State.LISTED, State.DEAD)
            ),
            State.EXCEPTED,
        ),
    },
    Course.LEAK: {
        (State.EXPOSED, RotationEvent.PROVED): State.DEAD,
        (State.DEAD, RotationEvent.FILED): State.BARE,
        (State.BARE, RotationEvent.SUPPLIED): State.PENDING,
        (State.PENDING, RotationEvent.REFUSED): State.BARE,
        **_INSTALL,
        (State.CONFIRMED, RotationEvent.PROMOTED): State.RETIRED,
        **dict.fromkeys(
            ((state, RotationEvent.EXCEPTED) for state in (State.EXPOSED, State.DEAD, State.BARE, *_INSTALLING)),
            State.EXCEPTED,
        ),
    },
    Course.SPARE: {
        (State.EXPOSED, RotationEvent.PROVED): State.DEAD,
        (State.DEAD, RotationEvent.FILED): State.RETIRED,
        (State.EXPOSED, RotationEvent.EXCEPTED): State.EXCEPTED,
        (State.DEAD, RotationEvent.EXCEPTED): State.EXCEPTED,
    },
}

OVER = frozenset({State.RETIRED, State.EXCEPTED, State.REJECTED})
"""States in which a user may enter another rotation."""
UNDER_WAY = frozenset({State.RELEASED, State.DELIVERED, State.CONFIRMED})
"""States in which the bundle in dist/ has the target while another key is current in the vault."""
INSTALLED = frozenset({State.CURRENT, State.LISTED, State.DEAD, State.RETIRED, State.EXCEPTED})
"""States that let the next wave start."""

WAITS_FOR: dict[State, str] = {
    State.PLANNED: "provision rotate start --from FILE, with the same keys",
    State.PENDING: "provision rotate resume",
    State.PROBED: "provision rotate resume",
    State.RELEASED: "provision rotate resume",
    State.DELIVERED: "the endpoint",
    State.CONFIRMED: "provision rotate resume",
    State.CURRENT: "the old key to be idle",
    State.LISTED: "you, in the console",
    State.DEAD: "provision rotate resume",
    State.EXPOSED: "you, in the console",
    State.BARE: "a new key",
    State.REJECTED: "another key",
}


def advance(course: Course, state: State, event: RotationEvent) -> State:
    """Return the state after an event. Raises RuntimeError for an impossible event: a bug, or an altered journal."""
    try:
        return TRANSITIONS[course][state, event]
    except KeyError:
        raise RuntimeError(f"{event.value!r} cannot happen to a user who is {state.value!r} ({course})") from None


def allowed(course: Course, state: State, event: RotationEvent) -> bool:
    """Whether an event is possible in this state."""
    return (state, event) in TRANSITIONS[course]
