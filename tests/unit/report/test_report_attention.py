"""What needs attention: every cause from what shows it, and nothing from what is in order."""

from __future__ import annotations

import pytest

from provision.receipts.fleet import Standing
from provision.report.attention import Attention, AttentionCause, counted, in_rotation, in_standings
from provision.rotate.model import Blocker, Grade, RotationKind, RotationUser, Terms, moment
from provision.rotate.rotation import Rotation
from provision.rotate.states import Course, State

AT = moment("2026-06-01T12:00:00Z")


def rotation(*states: State, budget: int = 9, **more: object) -> Rotation:
    terms = Terms("2026-06-01-01", RotationKind.SCHEDULED, "op", AT, "v")
    people = {}
    for number, state in enumerate(states):
        user = f"u{number}"
        people[user] = RotationUser(user, "team", 0, Course.LEAK, "", "fp_old", state, AT, AT)
    return Rotation(terms, 1, budget, people, begun=True, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("standing", list(Standing))
def test_every_standing_is_a_cause(standing: Standing) -> None:
    (found,) = in_standings("ada", [standing])
    assert (found.cause.value, found.user) == (standing.value, "ada")


def test_a_rotation_that_waits_needs_no_attention() -> None:
    assert list(in_rotation(rotation(State.DELIVERED, State.LISTED, State.CURRENT))) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rotation(State.EXPOSED), {"leaked": 1}),
        (rotation(State.BARE), {"no key": 1}),
        (rotation(State.REJECTED), {"rotation failed": 1}),
        (rotation(State.REJECTED, budget=0), {"rotation halted": 1, "rotation failed": 1}),
        (rotation(State.DELIVERED, paused="rolling back"), {"rotation halted": 1}),
        (rotation(State.REJECTED, State.EXPOSED, budget=0, ended=AT), {}),
    ],
)
def test_what_a_rotation_shows(given: Rotation, expected: dict[str, int]) -> None:
    assert counted(in_rotation(given)) == expected


def test_a_user_is_counted_once_per_cause_and_others_are_left_out() -> None:
    halted = rotation(State.REJECTED, State.DELIVERED, budget=0)
    halted.people["u0"].trouble = Blocker("x", "the gateway refused it", "try another", Grade.FAILED)
    assert counted(in_rotation(halted, {"u1"})) == {"rotation halted": 1}, "u1 waits for the end of the halt"
    assert counted(in_rotation(halted, {"zoe"})) == {}
    twice = [Attention(AttentionCause.LEAKED, "ada", "here"), Attention(AttentionCause.LEAKED, "ada", "there")]
    assert counted(twice) == {"leaked": 1}
