"""The changes that a rotation makes in the vault, each of them twice."""

from __future__ import annotations

import keysmith
from rotate_memory import NOW, advance, rotating, vault_with

from provision.detect.secret import Secret
from provision.errors import Place
from provision.keys.import_file import NewKey
from provision.keys.vault.ledger import Stage
from provision.rotate.states import RotationEvent
from provision.rotate.vault_steps import (
    add_pending_keys,
    demote_pending,
    has_targets,
    is_overtaken,
    promote,
    retire,
    shared_with,
)


def stages(vault: keysmith.Vault, user: str) -> list[Stage]:
    return [known.stage for known in vault.versions(user)]


def test_new_keys_become_pending_and_an_abandoned_pending_key_previous() -> None:
    vault = keysmith.vault(ada="old-ada")
    vault.add("ada", Secret("abandoned"), now=NOW, stage=Stage.PENDING)
    people = list(rotating(vault, "ada").rotation.people.values())
    assert not has_targets(vault, people)
    for _ in range(2):
        add_pending_keys(vault, people, {"ada": NewKey("ada", Secret("new-ada"), "laptop", Place("new.csv"))}, NOW)
        assert stages(vault, "ada") == [Stage.CURRENT, Stage.PREVIOUS, Stage.PENDING]
    assert has_targets(vault, people)
    assert vault.versions("ada")[-1].label == "laptop"


def test_promotion_makes_the_target_current_once() -> None:
    vault = vault_with("ada")
    people = list(rotating(vault, "ada").rotation.people.values())
    for _ in range(2):
        promote(vault, people)
        assert stages(vault, "ada") == [Stage.PREVIOUS, Stage.CURRENT]


def test_a_promoted_rollback_leaves_no_pending_key() -> None:
    vault = vault_with("ada")
    recorder = advance(rotating(vault, "ada"), RotationEvent.SEALED, RotationEvent.TURNED)
    promote(vault, recorder.rotation.people.values())
    assert stages(vault, "ada") == [Stage.CURRENT, Stage.PREVIOUS]


def test_a_third_key_overtakes_a_rotation() -> None:
    vault = vault_with("ada")
    person = rotating(vault, "ada").rotation.people["ada"]
    assert not is_overtaken(vault, person)
    vault.add("ada", Secret("third"), now=NOW)
    assert is_overtaken(vault, person)


def test_retiring_and_demoting_touch_only_the_named_key() -> None:
    vault = vault_with("ada")
    old, new = (known.fingerprint for known in vault.versions("ada"))
    demote_pending(vault, "ada", old)
    assert stages(vault, "ada") == [Stage.CURRENT, Stage.PENDING], "a current key is not demoted"
    demote_pending(vault, "ada", new)
    for _ in range(2):
        retire(vault, [("ada", old), ("eve", old), ("ada", "fp_unknown")])
        assert stages(vault, "ada") == [Stage.RETIRED, Stage.PREVIOUS]


def test_a_shared_key_names_its_other_users_while_they_use_it() -> None:
    vault = vault_with("ada")
    vault.add("bob", Secret("old-ada"), now=NOW, allow_shared=True)
    person = rotating(vault, "ada").rotation.people["ada"]
    assert shared_with(vault, person) == ["bob"]
    vault.set_stage("bob", 1, Stage.PREVIOUS)
    assert shared_with(vault, person) == []
