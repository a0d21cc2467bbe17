"""Which new keys are accepted for leaked ones."""

from __future__ import annotations

import keysmith
import pytest
from rotate_memory import advance, context, entries, rotating, vault_with

from provision.detect.secret import Secret
from provision.errors import Place
from provision.keys.import_file import NewKey
from provision.keys.vault.ledger import Stage
from provision.rotate.model import RotationKind
from provision.rotate.planning import RefusedKeysError
from provision.rotate.recorder import Recorder
from provision.rotate.start import add_new_keys
from provision.rotate.states import Course, RotationEvent

LEAK = {"kind": RotationKind.LEAK, "course": Course.LEAK}


def new_key(user: str, value: str) -> NewKey:
    return NewKey(user, Secret(value), "", Place("new.csv", 1))


def leak() -> Recorder:
    recorder = rotating(keysmith.vault(ada="old-ada", bob="old-bob"), "ada", **LEAK)  # type: ignore[arg-type]
    return advance(recorder, RotationEvent.PROVED, RotationEvent.FILED)


def test_a_new_key_for_a_leaked_one_becomes_pending_and_the_target() -> None:
    recorder = leak()
    add_new_keys(recorder, [new_key("ada", "new-ada")])
    vault = context(recorder).vault
    added = vault.in_stage("ada", Stage.PENDING)
    assert added is not None
    assert recorder.rotation.people["ada"].target == added.fingerprint


@pytest.mark.parametrize(
    ("user", "value", "rule"),
    [("bob", "new-bob", "not-wanted"), ("ada", "old-ada", "key-unchanged"), ("ada", "old-bob", "key-of-another")],
)
def test_an_unusable_new_key_changes_nothing(user: str, value: str, rule: str) -> None:
    recorder = leak()
    entries(recorder).clear()
    with pytest.raises(RefusedKeysError) as caught:
        add_new_keys(recorder, [new_key(user, value)])
    assert [problem.rule for problem in caught.value.problems] == [rule]
    assert entries(recorder) == []
    assert context(recorder).edits == []


def test_a_second_new_key_waits_for_the_first() -> None:
    recorder = leak()
    add_new_keys(recorder, [new_key("ada", "new-ada")])
    with pytest.raises(RefusedKeysError) as caught:
        add_new_keys(recorder, [new_key("ada", "another")])
    assert [problem.rule for problem in caught.value.problems] == ["has-key"]


def test_a_scheduled_rotation_takes_no_keys_for_leaks() -> None:
    recorder = advance(rotating(vault_with("ada"), "ada"), RotationEvent.SEALED)
    with pytest.raises(RefusedKeysError):
        add_new_keys(recorder, [new_key("ada", "another")])
