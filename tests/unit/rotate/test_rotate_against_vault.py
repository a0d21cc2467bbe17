"""What a journal says about a user's keys must be so in the vault."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from keysmith import NOW, vault

from provision.detect.secret import Secret
from provision.keys.vault.ledger import Stage
from provision.rotate.against_vault import contradictions
from provision.rotate.model import RotationUser
from provision.rotate.states import Course, State


def _said(state: State, *stages: Stage, target_known: bool = True, course: Course = Course.SCHEDULED) -> list[str]:
    """What is said of a user with an old and a new key in these stages, in a rotation at that state."""
    made = vault(ada="old")
    other = made.versions("ada")[0].fingerprint
    target = made.fingerprint(Secret("new"))
    if target_known:
        made.add("ada", Secret("new"), now=NOW, stage=Stage.PENDING)
    for version, stage in enumerate(stages, 1):
        made.set_stage("ada", version, stage)
    person = RotationUser("ada", "team", 0, course, target, other, state, NOW, NOW)
    rotation: Any = SimpleNamespace(id="2026-03-01-01", people={"ada": person})
    return list(contradictions([rotation], made))


@pytest.mark.parametrize(
    ("state", "stages"),
    [
        (State.PENDING, (Stage.CURRENT, Stage.PENDING)),
        (State.CONFIRMED, (Stage.PREVIOUS, Stage.CURRENT)),  # saved, and killed before the journal said so
        (State.CURRENT, (Stage.PREVIOUS, Stage.CURRENT)),
        (State.DEAD, (Stage.RETIRED, Stage.CURRENT)),
    ],
)
def test_what_agrees_is_silent(state: State, stages: tuple[Stage, ...]) -> None:
    assert _said(state, *stages) == []


def test_a_plan_whose_keys_are_not_in_the_vault_yet_is_silent() -> None:
    assert _said(State.PLANNED, target_known=False) == []


@pytest.mark.parametrize(
    ("state", "stages", "said"),
    [
        (State.LISTED, (Stage.CURRENT, Stage.PENDING), "still has the old key"),
        (State.CURRENT, (Stage.PREVIOUS, Stage.PREVIOUS), "no current key"),
        (State.PROBED, (Stage.CURRENT, Stage.RETIRED), "as retired"),
    ],
)
def test_what_disagrees_names_rotation_user_and_key(state: State, stages: tuple[Stage, ...], said: str) -> None:
    (found,) = _said(state, *stages)
    assert said in found
    assert "2026-03-01-01" in found
    assert "ada" in found


def test_a_key_that_the_vault_never_had_is_named() -> None:
    (found,) = _said(State.RELEASED, target_known=False)
    assert "does not have the new key" in found
