"""Old keys: idle, busy, shared, dead."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rotate_memory import ACCEPTED, NOW, REFUSED, advance, context, entries, probe_all_with, rotating, vault_with

from provision.aisa.answers import GatewayAnswer
from provision.detect.secret import Secret
from provision.keys.vault.ledger import Stage
from provision.rotate import revocation
from provision.rotate.model import Blocker, Usage
from provision.rotate.recorder import Recorder
from provision.rotate.states import RotationEvent, State

CURRENT = (
    RotationEvent.SEALED, RotationEvent.TAKEN, RotationEvent.BUILT, RotationEvent.HANDED, RotationEvent.CONFIRMED,
    RotationEvent.PROMOTED,
)  # fmt: skip


def current() -> Recorder:
    return advance(rotating(vault_with("ada"), "ada"), *CURRENT)


def check(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder, old: GatewayAnswer, new: GatewayAnswer = ACCEPTED
) -> None:
    monkeypatch.setattr(revocation, "probe_all", probe_all_with(**{"old-ada": old, "new-ada": new}))
    revocation.check_old_keys(recorder, list(recorder.rotation.people.values()))


def usage(count: int) -> GatewayAnswer:
    return GatewayAnswer(200, body=b'{"data": [{"requests": %d}]}' % count)


@pytest.mark.parametrize(
    ("seconds", "count", "state", "cause"),
    [(3600, 5, State.LISTED, ""), (3599, 5, State.CURRENT, ""), (3600, 6, State.CURRENT, "old-key-busy")],
)
def test_a_key_is_idle_when_its_count_has_not_changed_for_long_enough(
    monkeypatch: pytest.MonkeyPatch, seconds: int, count: int, state: State, cause: str
) -> None:
    recorder = current()
    ada = recorder.rotation.people["ada"]
    check(monkeypatch, recorder, usage(5))
    assert (ada.state, ada.usage) == (State.CURRENT, Usage("2026-06-01", 5, NOW))
    context(recorder).time = NOW + timedelta(seconds=seconds)
    check(monkeypatch, recorder, usage(count))
    assert (ada.state, ada.trouble.cause if ada.trouble else "") == (state, cause)


def test_a_key_without_usage_is_listed_as_unknown_after_the_idle_time(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = current()
    ada = recorder.rotation.people["ada"]
    check(monkeypatch, recorder, GatewayAnswer(404))
    assert ada.state is State.CURRENT
    context(recorder).time = NOW + timedelta(hours=1)
    check(monkeypatch, recorder, GatewayAnswer(404))
    assert (ada.state, ada.idle) == (State.LISTED, "unknown")


def test_a_shared_key_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = current()
    context(recorder).vault.add("bob", Secret("old-ada"), now=NOW, allow_shared=True)
    check(monkeypatch, recorder, usage(5))
    context(recorder).time = NOW + timedelta(hours=2)
    check(monkeypatch, recorder, usage(5))
    ada = recorder.rotation.people["ada"]
    assert ada.state is State.CURRENT
    assert isinstance(ada.trouble, Blocker)
    assert (ada.trouble.cause, "bob" in ada.trouble.message) == ("shared-key", True)


def test_a_refused_key_beside_an_accepted_one_is_proved_dead_and_then_retired(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = current()
    check(monkeypatch, recorder, REFUSED)
    ada = recorder.rotation.people["ada"]
    assert ada.state is State.DEAD
    revocation.retire_dead_keys(recorder, [ada])
    assert ada.state is State.RETIRED
    assert context(recorder).vault.versions("ada")[0].stage is Stage.RETIRED
    assert context(recorder).events[-1][:2] == ("old key proved dead", "ada")


def test_two_refused_keys_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = current()
    entries(recorder).clear()
    check(monkeypatch, recorder, REFUSED, REFUSED)
    ada = recorder.rotation.people["ada"]
    assert ada.state is State.CURRENT
    assert ada.trouble is not None
    assert ada.trouble.cause == "both-refused"
