"""From a workspace's files to desired states with origins, or to problems: one folder per case."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.errors import Problem
from provision.fleet.desired import DesiredState
from provision.fleet.load import load_fleet
from provision.fleet.workspace import read_workspace

HERE = Path(__file__).parent
CASES = sorted(path.name for path in HERE.glob("fleet_*"))


def stated(state: DesiredState) -> dict[str, Any]:
    profile = {name: getattr(state.profile, name) for name in state.profile.__slots__}
    own = {name: getattr(state, name) for name in state.__slots__ if name not in {"profile", "origins", "place"}}
    origins = {path: str(state.origin(path)) for path in sorted(state.origins)}
    return {**own, "place": str(state.place), "profile": profile, "origins": origins}


def written(problem: Problem) -> str:
    return str(problem)


@pytest.mark.parametrize("case", CASES)
def test_fleet(case: str, golden: Callable[[Path, bytes], None]) -> None:
    folder = HERE / case
    workspace, problems = read_workspace(folder)
    fleet = load_fleet(workspace)
    result = {
        "states": [stated(state) for state in fleet.states],
        "refused": fleet.refused,
        "problems": [written(p) for p in (*problems, *fleet.problems)],
    }
    data = json.dumps(result, indent=1, ensure_ascii=False, default=dict) + "\n"
    golden(folder / "expected.json", data.encode())
