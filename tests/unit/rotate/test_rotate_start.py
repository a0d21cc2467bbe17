"""Leaked keys: which users are affected, and which new keys are accepted for them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import keysmith
import pytest
from rotate_memory import NOW, advance, context, entries, rotating, vault_with

from provision.detect.secret import Secret
from provision.errors import Place
from provision.keys.import_file import NewKey
from provision.keys.vault.ledger import Stage
from provision.keys.vault.vault import Vault
from provision.rotate.model import RotationKind
from provision.rotate.planning import RefusedKeysError
from provision.rotate.recorder import Recorder
from provision.rotate.start import add_new_keys, leaked_users
from provision.rotate.states import Course, RotationEvent, State

LEAK = {"kind": RotationKind.LEAK, "course": Course.LEAK}


def leaked(vault: Vault, *named: str, busy: dict[str, str] | None = None, users: str = "ada bob") -> Any:
    states = {user: SimpleNamespace(profile=SimpleNamespace(name="team")) for user in users.split()}
    return leaked_users(cast(Any, SimpleNamespace(vault=vault, states=states)), named, busy or {}, NOW)


def test_a_shared_key_affects_all_its_users() -> None:
    vault = keysmith.vault(ada="one")
    vault.add("bob", Secret("one"), now=NOW, allow_shared=True)
    people, aside = leaked(vault, "ada")
    assert [(p.user, p.course, p.state) for p in people] == [(u, Course.LEAK, State.EXPOSED) for u in ("ada", "bob")]
    assert aside == []


def test_a_replaced_key_needs_no_new_one_and_a_retired_key_nothing() -> None:
    vault = keysmith.vault(ada="one")
    old = vault.current("ada")
    assert old is not None
    vault.add("ada", Secret("two"), now=NOW)
    people, _ = leaked(vault, old.fingerprint)
    assert [(p.course, p.other) for p in people] == [(Course.SPARE, old.fingerprint)]
    vault.set_stage("ada", 1, Stage.RETIRED)
    people, aside = leaked(vault, old.fingerprint)
    assert (people, [why for _, why in aside]) == ([], ["it is already proved dead"])


def test_a_user_outside_the_inventory_gets_no_new_key() -> None:
    people, _ = leaked(keysmith.vault(eve="one"), "eve")
    assert [(p.course, p.profile) for p in people] == [(Course.SPARE, "")]


def test_a_user_in_another_rotation_is_left_to_it() -> None:
    people, aside = leaked(keysmith.vault(ada="one"), "ada", busy={"ada": "2026-06-01-01"})
    assert people == []
    assert "2026-06-01-01" in aside[0][1]


def test_all_unknown_names_are_reported_together() -> None:
    with pytest.raises(RefusedKeysError) as caught:
        leaked(keysmith.vault(ada="one"), "zoe", "ada", "fp_aaaaaaaaaaaaaaaa")
    assert [problem.rule for problem in caught.value.problems] == ["unknown-key", "unknown-key"]


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
