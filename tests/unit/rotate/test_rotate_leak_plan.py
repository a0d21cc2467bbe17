"""Leaked keys: which keys are meant, which users are affected, and what a user is taken over with, for every state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import keysmith
import pytest
from rotate_memory import NOW

from provision.detect.secret import Secret
from provision.keys.vault.ledger import KeyVersion, Stage
from provision.keys.vault.vault import Vault
from provision.rotate.leak_plan import LeakChoice, LeakPlan, UnnamedLeakError, leaked_keys, plan_leak
from provision.rotate.model import RotationUser
from provision.rotate.planning import RefusedKeysError
from provision.rotate.states import Course, State

USERS: Any = {user: SimpleNamespace(profile=SimpleNamespace(name="team")) for user in ("ada", "bob")}


def rotation(*people: RotationUser) -> Any:
    return cast(Any, SimpleNamespace(id="2026-06-01-01", people={person.user: person for person in people}))


def leaked(vault: Vault, *named: str, rotations: tuple[Any, ...] = (), **more: Any) -> LeakPlan:
    keys = leaked_keys(LeakChoice(named, **more), vault, rotations)
    return plan_leak(keys, vault, USERS, rotations, NOW)


def replaced() -> tuple[Vault, KeyVersion, KeyVersion]:
    """A vault in which ada's key was replaced."""
    vault = keysmith.vault(ada="one")
    vault.add("ada", Secret("two"), now=NOW)
    return vault, *vault.versions("ada")  # type: ignore[return-value]


def test_a_shared_key_affects_all_its_users() -> None:
    vault = keysmith.vault(ada="one")
    vault.add("bob", Secret("one"), now=NOW, allow_shared=True)
    plan = leaked(vault, "ada")
    assert [(p.user, p.course, p.state) for p in plan.people] == [
        (u, Course.LEAK, State.EXPOSED) for u in ("ada", "bob")
    ]
    assert plan.aside == ()


def test_a_replaced_key_needs_no_new_one_and_a_retired_key_nothing() -> None:
    vault, old, _ = replaced()
    assert [(p.course, p.other) for p in leaked(vault, old.fingerprint).people] == [(Course.SPARE, old.fingerprint)]
    vault.set_stage("ada", 1, Stage.RETIRED)
    plan = leaked(vault, old.fingerprint)
    assert (plan.people, [each.why for each in plan.aside]) == ((), ["it is already proved dead"])
    assert not plan.aside[0].revoke


def test_a_user_outside_the_inventory_gets_no_new_key() -> None:
    assert [(p.course, p.profile) for p in leaked(keysmith.vault(eve="one"), "eve").people] == [(Course.SPARE, "")]


def test_of_several_keys_the_leaked_one_must_be_named() -> None:
    vault, old, new = replaced()
    with pytest.raises(UnnamedLeakError) as caught:
        leaked(vault, "ada")
    assert f"--key {new.fingerprint}   --key {old.fingerprint}   --all" in caught.value.hint
    (one,) = leaked(vault, "ada", keys=[old.fingerprint]).people
    assert one.others == (old.fingerprint,)
    (both,) = leaked(vault, "ada", all_keys=True).people
    assert (both.course, set(both.others)) == (Course.LEAK, {old.fingerprint, new.fingerprint})
    (by_key,) = leaked(vault, keys=[new.fingerprint]).people
    assert (by_key.course, by_key.others, by_key.target) == (Course.LEAK, (new.fingerprint,), "")
    vault.set_stage("ada", 1, Stage.RETIRED)
    assert leaked(vault, "ada").people[0].others == (new.fingerprint,)


def test_all_unknown_names_are_reported_together() -> None:
    with pytest.raises(RefusedKeysError) as caught:
        leaked(keysmith.vault(ada="one"), "zoe", "ada", "fp_aaaaaaaaaaaaaaaa")
    assert [problem.rule for problem in caught.value.problems] == ["unknown-key", "unknown-key"]


def test_a_planned_key_that_never_reached_the_vault_is_named_with_its_rotation() -> None:
    vault = keysmith.vault(ada="one")
    planned = RotationUser("ada", "team", 0, Course.SCHEDULED, "fp_new", "fp_old", State.PLANNED, NOW, NOW)
    with pytest.raises(RefusedKeysError) as caught:
        leaked(vault, "fp_new", rotations=(rotation(planned),))
    assert "finish 2026-06-01-01 --except 'ada=" in caught.value.problems[0].hint


OLD, NEW, BOTH = "old", "new", "old new"


@pytest.mark.parametrize(
    ("state", "leak", "course", "replacement"),
    [
        (State.PENDING, OLD, Course.LEAK, NEW),
        (State.PENDING, NEW, Course.SPARE, ""),
        (State.PENDING, BOTH, Course.LEAK, ""),
        (State.PROBED, OLD, Course.LEAK, NEW),
        (State.PROBED, NEW, Course.LEAK, OLD),
        (State.RELEASED, OLD, Course.LEAK, NEW),
        (State.RELEASED, NEW, Course.LEAK, OLD),
        (State.DELIVERED, OLD, Course.LEAK, NEW),
        (State.DELIVERED, NEW, Course.LEAK, OLD),
        (State.DELIVERED, BOTH, Course.LEAK, ""),
        (State.CONFIRMED, OLD, Course.LEAK, NEW),
        (State.CONFIRMED, NEW, Course.LEAK, OLD),
        (State.CURRENT, OLD, Course.SPARE, ""),
        (State.CURRENT, NEW, Course.LEAK, OLD),
        (State.CURRENT, BOTH, Course.LEAK, ""),
        (State.LISTED, OLD, Course.SPARE, ""),
        (State.LISTED, NEW, Course.LEAK, OLD),
    ],
)
def test_a_user_is_taken_over_in_every_state(state: State, leak: str, course: Course, replacement: str) -> None:
    vault, old, new = replaced()
    if state not in {State.CURRENT, State.LISTED}:
        vault.set_stage("ada", 2, Stage.PREVIOUS)
        vault.set_stage("ada", 2, Stage.PENDING)
        vault.set_stage("ada", 1, Stage.CURRENT)
    names = {OLD: old.fingerprint, NEW: new.fingerprint, "": ""}
    busy = RotationUser("ada", "team", 0, Course.SCHEDULED, new.fingerprint, old.fingerprint, state, NOW, NOW)
    plan = leaked(vault, *(names[each] for each in leak.split()), rotations=(rotation(busy),))
    (person,) = plan.people
    assert (person.course, person.target, person.taken_from) == (course, names[replacement], "2026-06-01-01")
    assert set(person.others) == {names[each] for each in leak.split()}


def test_a_second_leak_of_the_same_key_only_repeats_what_to_revoke() -> None:
    vault = keysmith.vault(ada="one")
    (exposed,) = leaked(vault, "ada").people
    plan = leaked(vault, "ada", rotations=(rotation(exposed),))
    assert plan.people == ()
    assert [(each.revoke, "rotate resume 2026-06-01-01" in each.why) for each in plan.aside] == [(True, True)]


def test_a_second_leaked_key_keeps_the_first_to_be_revoked() -> None:
    vault, old, new = replaced()
    (exposed,) = leaked(vault, new.fingerprint).people
    (again,) = leaked(vault, old.fingerprint, rotations=(rotation(exposed),)).people
    assert set(again.others) == {old.fingerprint, new.fingerprint}
    assert (again.course, again.taken_from) == (Course.LEAK, "2026-06-01-01")


def test_an_older_key_leaves_the_rotation_of_the_others_alone() -> None:
    vault, old, new = replaced()
    vault.add("ada", Secret("three"), now=NOW, stage=Stage.PENDING)
    third = vault.versions("ada")[2].fingerprint
    busy = RotationUser("ada", "team", 0, Course.SCHEDULED, third, new.fingerprint, State.DELIVERED, NOW, NOW)
    (person,) = leaked(vault, old.fingerprint, rotations=(rotation(busy),)).people
    assert (person.course, person.taken_from) == (Course.SPARE, "")
