"""The files for GitHub Actions: they can be read, cover the systems of the docs, and name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_runs_or_uses_something(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    named = {name for step in steps for name in re.findall(r"tests/[\w/.]+", step.get("run", ""))}
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_matrix_is_that_of_the_docs() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "systems.yml").read_text("utf-8"))["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "windows", "macos"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
