"""`users leave`: everything is taken, each step proved by what is seen, and repeated until it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from rotatecraft import Fleet

from provision.aisa.simulator import Reply, Simulator
from provision.keys.vault.ledger import Stage


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, sim: Simulator) -> Fleet:
    return Fleet(tmp_path, sim)


def leave(fleet: Fleet, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and for each step whether it is proved."""
    code = fleet.provision("users", "leave", *arguments, "--yes", "--format", "json")
    found = json.loads(fleet.out)
    assert found["schema"] == "provision/users-leave/v1"
    (user,) = found["users"]
    return code, {step["step"]: step for step in user["steps"]}


def open_steps(steps: dict[str, Any]) -> set[str]:
    return {name for name, step in steps.items() if not step["proved"]}


def test_a_leaver_until_everything_is_proved(fleet: Fleet, sim: Simulator) -> None:
    assert fleet.provision("publish", str(fleet.folder / "feed")) == 0
    folders = set((fleet.folder / "feed" / "e").iterdir())
    sealed = (fleet.root / "dist" / "ada" / ".env.age").read_bytes()

    code, steps = leave(fleet, "ada", "--dry-run")
    assert (code, (fleet.root / "dist" / "ada").exists()) == (4, True)
    assert open_steps(steps) == {"record", "bundle", "feed", "key", "machine", "receipts"}

    code, steps = leave(fleet, "ada", "--reason", "HR-7", "--feed", str(fleet.folder / "feed"))
    assert code == 4
    assert open_steps(steps) == {"key", "machine"}
    assert "no order to uninstall: this workspace has no trust list" in steps["machine"]["what"]
    assert "still works" in steps["key"]["what"]
    assert fleet.keys["ada"][-4:] in steps["key"]["what"]
    assert (
        'left: "' in (fleet.root / "inventory.yaml").read_text()
        or "left: '" in (fleet.root / "inventory.yaml").read_text()
    )
    assert not (fleet.root / "dist" / "ada").exists()
    assert len(folders - set((fleet.folder / "feed" / "e").iterdir())) == 1
    assert [path.name for path in (fleet.root / "receipts" / "left").iterdir()] == ["ada.receipt"]
    assert steps["receipts"]["what"] == "put away in receipts/left/"
    (fleet.root / "receipts" / "left" / "ada.receipt").rename(fleet.root / "kept.receipt")
    _, steps = leave(fleet, "ada", "--feed", str(fleet.folder / "feed"))
    assert steps["receipts"]["what"] == "none in receipts/", "nothing is put away"
    (fleet.root / "kept.receipt").rename(fleet.root / "receipts" / "left" / "ada.receipt")

    sim.script(Reply(reset=True))
    code, steps = leave(fleet, "ada", "--feed", str(fleet.folder / "feed"))
    assert (code, "unknown" in steps["key"]["what"]) == (4, True), "a silent gateway proves nothing"
    sim.clear_faults()

    sim.revoke(fleet.keys["ada"])
    code, steps = leave(fleet, "--resume", "--feed", str(fleet.folder / "feed"), "--accept", "ada=laptop came back")
    assert (code, open_steps(steps)) == (0, set())
    assert fleet.stages("ada") == [Stage.RETIRED.value]
    before = (fleet.root / "keys.vault").read_bytes()
    code, steps = leave(fleet, "ada", "--feed", str(fleet.folder / "feed"))
    assert (code, open_steps(steps)) == (0, set())
    assert (fleet.root / "keys.vault").read_bytes() == before

    # what the person could still open or spend
    env = pyrage.decrypt(sealed, [fleet.machines["ada"].identity]).decode()
    (key,) = (line.partition("=")[2] for line in env.splitlines() if line.startswith("AISA_API_KEY="))
    assert sim._gateway.keys[key].state != "valid", "an old bundle opens, but its key is dead"
    assert fleet.provision("render") == 0
    assert fleet.provision("publish", str(fleet.folder / "feed")) == 0
    assert not (fleet.root / "dist" / "ada").exists()
    for path in (fleet.root / "dist").rglob(".env.age"):
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(path.read_bytes(), [fleet.machines["ada"].identity])
    fleet.machines["ada"].certify(fleet.drop)
    assert fleet.provision("receipts", "import", str(fleet.drop / "ada.receipt")) == 0
    assert "left" in fleet.out
    assert not (fleet.root / "receipts" / "ada.receipt").exists()
    assert fleet.provision("keys", "log") == 0
    assert "user left" in fleet.out
    assert fleet.provision("check") == 0


def test_a_401_proves_nothing_while_the_gateway_refuses_all_keys(fleet: Fleet, sim: Simulator) -> None:
    for key in fleet.keys.values():
        sim.revoke(key)
    code, steps = leave(fleet, "ada")
    assert code == 4
    assert "key" in open_steps(steps)
    assert fleet.stages("ada") == [Stage.CURRENT.value]


def test_a_key_that_another_user_has_is_not_retired(fleet: Fleet, sim: Simulator) -> None:
    assert fleet.provision(
        "keys", "import", str(fleet.file("shared.csv", f"bob,{fleet.keys['ada']},shared\n")), "--allow-shared"
    ) == 0  # fmt: skip
    _, steps = leave(fleet, "ada")
    assert "also the key of bob" in steps["key"]["what"]


def test_a_user_in_a_rotation_has_to_be_taken_out_of_it(fleet: Fleet) -> None:
    new = fleet.keys_file(fleet.new_keys())
    fleet.provision("rotate", "start", "--from", new, "--yes", "--idle-for", "0")
    _, steps = leave(fleet, "ada")
    assert "rotation" in open_steps(steps)
    assert "rotate finish" in steps["rotation"]["hint"]


def test_names_that_are_not_in_the_inventory(fleet: Fleet) -> None:
    assert fleet.provision("users", "leave", "adda", "--yes") == 3
    assert fleet.provision("users", "leave") == 2
    assert fleet.provision("users", "leave", "--resume") == 3
    shutil.rmtree(fleet.root / "dist")
    assert fleet.provision("users", "leave", "ada", "--accept", "x", "--yes") == 2
