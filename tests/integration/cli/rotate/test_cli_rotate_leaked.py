"""`provision rotate leaked`: when to stop waiting, and the exit code."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from provision.cli.rotate import leaked
from provision.errors import Exit, UsageError
from provision.rotate import runner
from provision.rotate.model import RotationKind, RotationUser, Terms
from provision.rotate.rotation import Rotation, plan_entries, replay
from provision.rotate.states import Course, State

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TERMS = Terms("2026-06-01-01", RotationKind.LEAK, "ada@desk", NOW, "0" * 32)


def rotation(state: State) -> Rotation:
    user = RotationUser("ada", "team", 0, Course.LEAK, "fp_new", "fp_old", state, NOW, NOW)
    found = replay(iter([TERMS.entry(3), *plan_entries([user], TERMS)]), Path("journal"))
    assert found is not None
    found.people["ada"].state = state
    return found


@pytest.mark.parametrize(
    ("state", "refused", "code"),
    [
        (State.EXPOSED, False, Exit.FINDINGS),
        (State.EXPOSED, True, Exit.FINDINGS),
        (State.BARE, False, Exit.FINDINGS),
        (State.RETIRED, False, Exit.OK),
        (State.RETIRED, True, Exit.PARTIAL),
    ],
)
def test_exit_codes(state: State, refused: bool, code: Exit) -> None:
    assert leaked._exit_code(rotation(state), refused=refused) is code


def test_waiting_ends_with_the_last_dead_key(monkeypatch: pytest.MonkeyPatch) -> None:
    found = rotation(State.EXPOSED)
    recorder = cast(Any, SimpleNamespace(rotation=found, held={"ada"}, unsure=["doubt"]))
    passes = []

    def run_pass(seen: Any) -> None:
        assert (seen.held, seen.unsure) == (set(), []), "each pass starts without the doubts of the one before"
        passes.append(seen)
        if len(passes) == 2:
            found.people["ada"].state = State.RETIRED

    monkeypatch.setattr(runner, "run_pass", run_pass)
    monkeypatch.setattr(leaked, "_POLL_EVERY_S", 0.0)
    leaked._wait(recorder, "10m")
    assert len(passes) == 2


def test_an_invalid_time_to_wait() -> None:
    with pytest.raises(UsageError, match="invalid duration 'long' for --wait"):
        leaked._wait(cast(Any, SimpleNamespace(rotation=rotation(State.EXPOSED))), "long")
