"""The table itself: what can follow what, and what can never come before something else."""

from __future__ import annotations

import pytest

from provision.rotate.states import (
    INSTALLED,
    OVER,
    TRANSITIONS,
    UNDER_WAY,
    WAITS_FOR,
    Course,
    RotationEvent,
    State,
    advance,
)

FIRST = {Course.SCHEDULED: State.PLANNED, Course.LEAK: State.EXPOSED, Course.SPARE: State.EXPOSED}


def reachable(
    course: Course, start: State, without: State | None = None, skip: frozenset[RotationEvent] = frozenset()
) -> set[State]:
    """States that can be reached without passing through another."""
    found, new = {start}, [start]
    while new:
        here = new.pop()
        for (state, event), after in TRANSITIONS[course].items():
            if state is here and after not in found and after is not without and event not in skip:
                found.add(after)
                new.append(after)
    return found


@pytest.mark.parametrize("course", Course)
def test_every_state_of_a_course_can_be_reached_and_can_end(course: Course) -> None:
    states = {state for state, _ in TRANSITIONS[course]} | set(TRANSITIONS[course].values())
    assert reachable(course, FIRST[course]) == states
    for state in states - OVER:
        ends = reachable(course, state, skip=frozenset({RotationEvent.EXCEPTED})) & OVER
        assert ends, f"{state} leads nowhere"


@pytest.mark.parametrize("state", [State.CURRENT, State.LISTED, State.DEAD, State.RETIRED])
def test_nothing_goes_before_its_successor_is_confirmed(state: State) -> None:
    assert state in reachable(Course.SCHEDULED, State.PLANNED)
    assert state not in reachable(Course.SCHEDULED, State.PLANNED, without=State.CONFIRMED)


def test_in_a_leak_nothing_is_installed_before_the_old_key_is_dead() -> None:
    for state in (State.PENDING, *UNDER_WAY):
        assert state not in reachable(Course.LEAK, State.EXPOSED, without=State.DEAD)


def test_what_is_over_stays_over() -> None:
    left = {(course, state, event) for course, table in TRANSITIONS.items() for state, event in table if state in OVER}
    assert left == {(Course.SCHEDULED, State.REJECTED, RotationEvent.EXCEPTED)}


def test_every_state_says_what_it_waits_for_or_is_done() -> None:
    assert set(WAITS_FOR) == set(State) - {State.RETIRED, State.EXCEPTED}
    assert not UNDER_WAY & INSTALLED


def test_a_step_out_of_turn_is_a_bug() -> None:
    assert advance(Course.SCHEDULED, State.DELIVERED, RotationEvent.CONFIRMED) is State.CONFIRMED
    with pytest.raises(RuntimeError, match="'listed' cannot happen to a user who is 'delivered'"):
        advance(Course.SCHEDULED, State.DELIVERED, RotationEvent.LISTED)


@pytest.mark.parametrize("state", [State.DEAD, State.RETIRED, State.REJECTED])
def test_nobody_turns_back_to_a_dead_key(state: State) -> None:
    assert (state, RotationEvent.TURNED) not in TRANSITIONS[Course.SCHEDULED]
