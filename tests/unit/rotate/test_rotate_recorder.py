"""What a recorder writes: together, once, and never back in time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rotate_memory import NOW, advance, context, entries, rotating, vault_with

from provision.rotate.journal import StoppedError
from provision.rotate.model import Blocker, Grade
from provision.rotate.states import RotationEvent, State

BLOCKER = Blocker("unconfirmed", "no receipt", "wait", Grade.WAITING)


def test_events_of_users_are_written_together_at_the_flush() -> None:
    recorder = advance(rotating(vault_with("ada", "bob"), "ada", "bob"), RotationEvent.SEALED)
    before = len(entries(recorder))
    for person in recorder.rotation.people.values():
        recorder.event(RotationEvent.TAKEN, person)
    assert len(entries(recorder)) == before
    assert recorder.rotation.in_state(State.PROBED) == []
    recorder.flush()
    assert [entry["users"] for entry in entries(recorder)[before:]] == [["ada", "bob"]]
    assert len(recorder.rotation.in_state(State.PROBED)) == 2


def test_an_unchanged_blocker_is_written_once_and_holds_the_user_in_each_pass() -> None:
    recorder = rotating(vault_with("ada"), "ada")
    ada = recorder.rotation.people["ada"]
    for _ in range(2):
        recorder.held.clear()
        recorder.trouble(BLOCKER, ada)
        recorder.flush()
        assert recorder.held == {"ada"}
    assert ada.trouble == BLOCKER
    assert [entry["trouble"] for entry in entries(recorder)] == ["unconfirmed"]
    recorder.fine(ada)
    recorder.flush()
    assert ada.trouble is None


def test_users_who_were_not_reached_leave_no_entry() -> None:
    recorder = rotating(vault_with("ada"), "ada")
    recorder.hold(BLOCKER, recorder.rotation.people.values())
    recorder.flush()
    assert (recorder.held, recorder.unsure, entries(recorder)) == ({"ada"}, [BLOCKER], [])


def test_an_action_has_an_intent_before_it_and_an_outcome_only_if_it_succeeds() -> None:
    recorder = rotating(vault_with("ada"), "ada")
    with pytest.raises(OSError, match="full"), recorder.act("promote", recorder.rotation.people.values()):
        raise OSError("full")
    assert [entry.get("intent") for entry in entries(recorder)] == ["promote"]
    with recorder.act("promote", recorder.rotation.people.values()):
        pass
    assert [entry.get("did") for entry in entries(recorder)[1:]] == [None, "promote"]


def test_time_never_goes_back_and_a_clock_far_behind_stops() -> None:
    recorder = advance(rotating(vault_with("ada"), "ada"), RotationEvent.SEALED)
    context(recorder).time = NOW - timedelta(seconds=600)
    assert recorder.now() == NOW
    context(recorder).time = NOW - timedelta(seconds=601)
    with pytest.raises(StoppedError, match="behind the journal") as caught:
        recorder.now()
    assert "set the clock" in caught.value.hint
