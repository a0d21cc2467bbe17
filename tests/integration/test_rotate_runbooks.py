"""The runbooks of docs/rotate.md, step by step: each command as it stands there, each line of output as it is printed.

What a person does between the steps (deliver, revoke in the console, make another key) is done here where the text says so.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from rotatecraft import Fleet
from test_readme_tour import matches

from provision.aisa.simulator import Simulator
from provision.cli.main import run

PAGE = (Path(__file__).parents[2] / "docs" / "rotate.md").read_text()


def runbook(title: str) -> list[tuple[str, list[str]]]:
    """The commands of a section, each with the lines that it prints."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    steps: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("it$ "):
                steps.append((line.removeprefix("it$ "), []))
            else:
                steps[-1][1].append(line)
    return steps


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def play(fleet: Fleet, step: tuple[str, list[str]], capfd: pytest.CaptureFixture[str], expect: int = 0) -> str:
    command, expected = step
    program, *arguments = shlex.split(command)
    assert program == "provision"
    capfd.readouterr()
    code = run(["--workspace", str(fleet.root), *arguments])
    said = capfd.readouterr()
    printed = (said.err + said.out).splitlines()
    assert code == expect, (command, code, printed)
    assert matches(expected, printed), (command, expected, printed)
    return said.err + said.out


def test_a_scheduled_rotation(
    tmp_path: Path, sim: Simulator, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(tmp_path, sim, ["ada", "bob"])
    monkeypatch.chdir(tmp_path)
    keys = fleet.new_keys()
    fleet.keys_file(keys)
    plan, start, *resumes, proof, finish = runbook("A scheduled rotation")
    assert len(resumes) == 2
    play(fleet, plan, capfd)
    assert not fleet.journals()
    play(fleet, (start[0] + " --idle-for 0", start[1]), capfd)
    assert fleet.poll() == 1
    play(fleet, resumes[0], capfd)
    assert fleet.poll() == 1
    # an hour later (here: no time at all), and once more for the second wave
    said = play(fleet, resumes[1], capfd)
    assert fleet.listed() == {fleet.keys["ada"]}
    assert f"…{fleet.keys['ada'][-4:]}" in said
    fleet.revoke_listed()
    fleet.nobody_without_a_key()
    assert fleet.provision("rotate", "resume") == 0
    assert fleet.revoke_listed() == {fleet.keys["bob"]}
    play(fleet, proof, capfd)
    play(fleet, finish, capfd)
    fleet.nobody_without_a_key()
    assert {user: machine.key for user, machine in fleet.machines.items()} == keys
    assert fleet.stages("ada") == fleet.stages("bob") == ["retired", "current"]


def test_a_leak(
    tmp_path: Path, sim: Simulator, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(tmp_path, sim, ["ada", "bob"])
    monkeypatch.chdir(tmp_path)
    leaked, proof, supply, installed, finish = runbook("A leak")
    said = play(fleet, leaked, capfd, expect=10)
    assert f"…{fleet.keys['ada'][-4:]}" in said
    assert fleet.revoke_listed() == {fleet.keys["ada"]}
    play(fleet, proof, capfd)
    assert fleet.stages("ada") == ["retired"]
    keys = fleet.new_keys("ada")
    fleet.keys_file(keys, "another.csv")
    play(fleet, supply, capfd)
    assert fleet.poll() == 1
    play(fleet, installed, capfd)
    (ada,) = fleet.status()["users"]  # type: ignore[misc]
    assert isinstance(ada["seconds_to_dead"], int)  # type: ignore[index]
    play(fleet, finish, capfd)
    assert fleet.machines["ada"].key == keys["ada"]
    assert fleet.machines["bob"].key == fleet.keys["bob"]
    fleet.nobody_without_a_key()
