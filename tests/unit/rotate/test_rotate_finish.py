"""Rolling back and finishing."""

from __future__ import annotations

import pytest
from rotate_memory import ACCEPTED, NOW, REFUSED, advance, context, entries, probe_all_with, rotating, vault_with

from provision.aisa.answers import GatewayAnswer
from provision.detect.secret import Secret
from provision.errors import NothingMatchedError
from provision.keys.vault.ledger import Stage
from provision.rotate import finish as module
from provision.rotate.finish import exclude, finish, roll_back, split_exceptions
from provision.rotate.recorder import Recorder
from provision.rotate.states import RotationEvent, State

DELIVERED = (RotationEvent.SEALED, RotationEvent.TAKEN, RotationEvent.BUILT, RotationEvent.HANDED)


def recorder_at(*events: RotationEvent, users: tuple[str, ...] = ("ada",)) -> Recorder:
    recorder = advance(rotating(vault_with(*users), *users), *events)
    entries(recorder).clear()
    return recorder


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(REFUSED, "the gateway refuses it"), (GatewayAnswer(301), "unknown whether"), (ACCEPTED, "")],
)
def test_a_rollback_needs_an_old_key_that_is_accepted_now(
    monkeypatch: pytest.MonkeyPatch, answer: GatewayAnswer, reason: str
) -> None:
    recorder = recorder_at(*DELIVERED)
    ada = recorder.rotation.people["ada"]
    old, new = ada.other, ada.target
    monkeypatch.setattr(module, "probe_all", probe_all_with(**{"old-ada": answer}))
    refused = roll_back(recorder, [ada])
    if reason:
        assert [reason in each.why for each in refused] == [True]
        assert (ada.state, ada.target) == (State.DELIVERED, new)
    else:
        assert refused == []
        assert (ada.state, ada.target, ada.other, ada.back) == (State.PROBED, old, new, True)


def test_users_without_a_way_back_are_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "probe_all", probe_all_with())
    recorder = recorder_at()
    ada = recorder.rotation.people["ada"]
    assert "no old key to roll back to" in roll_back(recorder, [ada])[0].why
    ada.state = State.DEAD
    assert "the old key is dead" in roll_back(recorder, [ada])[0].why
    ada.back = True
    assert "already being rolled back" in roll_back(recorder, [ada])[0].why
    assert entries(recorder) == []


def test_the_first_matching_pattern_gives_the_reason_and_the_rest_blocks() -> None:
    recorder = recorder_at(*DELIVERED, users=("ada", "bob", "cyd"))
    people = recorder.rotation.people
    people["cyd"].state = State.RETIRED
    reasons, blocking = split_exceptions(list(people.values()), [("a*", "lost"), ("ada", "second")])
    assert (reasons, [person.user for person in blocking]) == ({"ada": "lost"}, ["bob"])


def test_a_pattern_without_a_user_is_an_error() -> None:
    people = list(recorder_at(*DELIVERED, users=("ada", "bob")).rotation.people.values())
    people[0].state = State.RETIRED
    assert split_exceptions(people, [("ada", "was retired in time")])[1] == [people[1]]
    with pytest.raises(NothingMatchedError, match="adda"):
        split_exceptions(people, [("bob", "left"), ("adda", "left")])


def test_excluded_users_keep_the_key_of_their_bundle_and_no_pending_key() -> None:
    released = recorder_at(*DELIVERED)
    exclude(released, {"ada": "laptop lost"})
    assert [known.stage for known in context(released).vault.versions("ada")] == [Stage.PREVIOUS, Stage.CURRENT]
    early = recorder_at(RotationEvent.SEALED)
    exclude(early, {"ada": "left"})
    assert early.rotation.ended is None
    finish(early)
    assert [known.stage for known in context(early).vault.versions("ada")] == [Stage.CURRENT, Stage.PREVIOUS]
    assert early.rotation.people["ada"].reason == "left"
    assert early.rotation.ended_as == "finished"
    assert [what for what, *_ in context(early).events] == ["left out of a rotation", "rotation finished"]


def test_an_excluded_user_keeps_a_key_that_became_current_in_the_meantime() -> None:
    recorder = recorder_at(*DELIVERED)
    vault = context(recorder).vault
    vault.add("ada", Secret("third"), now=NOW)
    exclude(recorder, {"ada": "overtaken"})
    assert [known.stage for known in vault.versions("ada")] == [Stage.PREVIOUS, Stage.PREVIOUS, Stage.CURRENT]
