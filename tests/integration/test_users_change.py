"""`users add|move|rename|list|show` and `machines lost`, over a real workspace with a gateway and machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rotatecraft import Fleet, Machine

from provision.aisa.simulator import Simulator
from provision.signing.sshsig import public_line


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Simulator() as running:
        yield Fleet(tmp_path, running, ("ada", "bob"))


def listed(fleet: Fleet, *arguments: str) -> dict[str, dict[str, Any]]:
    assert fleet.provision("users", "list", "--format", "json", *arguments) == 0
    return {row["id"]: row for row in json.loads(fleet.out)["users"]}


def entries(fleet: Fleet) -> dict[str, dict[str, Any]]:
    return {entry["id"]: entry for entry in yaml.safe_load((fleet.root / "inventory.yaml").read_text())["users"]}


def test_a_user_is_added_moved_and_listed(fleet: Fleet) -> None:
    (fleet.root / "profiles" / "sales.yaml").write_text("extends: team\nmodel: gpt-5.4-mini\n")
    assert fleet.provision("users", "add", "eve", "--profile", "team", "--email", "eve@example.com", "--dry-run") == 0
    assert "eve" not in entries(fleet)
    assert fleet.provision("users", "add", "eve", "--profile", "team", "--email", "eve@example.com") == 0
    assert fleet.provision("users", "add", "eve", "--profile", "team") == 2
    assert fleet.provision("users", "add", "Eve", "--profile", "team") == 2
    assert fleet.provision("users", "add", "eva", "--profile", "tema") == 1
    assert fleet.provision("users", "move", "eve", "--profile", "sales") == 0
    assert fleet.provision("users", "move", "evi", "--profile", "sales") == 3
    assert fleet.provision("users", "move", "eve", "--profile", "nobodys") == 1
    assert entries(fleet)["eve"] == {"id": "eve", "profile": "sales", "email": "eve@example.com", "recipients": []}
    found = listed(fleet)
    assert (found["eve"]["state"], found["ada"]["state"]) == ("not enrolled", "enrolled")
    assert found["ada"]["key"].startswith("fp_")
    assert fleet.provision("users", "show", "eve") == 0
    assert "eve@example.com" in fleet.out
    assert fleet.provision("users", "show", "evi") == 3


def test_what_the_inventory_says_about_machines_is_set(fleet: Fleet) -> None:
    before = entries(fleet)["ada"]
    assert (
        fleet.provision("machines", "set", "ada/laptop", "--host", "ada-mbp.corp.example", "--platform", "macos") == 0
    )
    assert fleet.provision("machines", "set", "ada", "--name", "desk", "--host", "desk.corp.example", "--dry-run") == 0
    assert "machine" not in entries(fleet)["ada"]
    assert fleet.provision("machines", "set", "ada", "--name", "desk", "--host", "desk.corp.example") == 0
    assert fleet.provision("machines", "set", "ada/laptop", "--home", "/opt/hermes") == 0
    laptop = {"name": "laptop", "recipients": [], "host": "ada-mbp.corp.example", "platform": "macos"}
    wanted = {"machine": "desk", "host": "desk.corp.example", "machines": [laptop | {"hermes_home": "/opt/hermes"}]}
    assert entries(fleet)["ada"] == before | wanted
    for refused, code in (
        (("eve", "--host", "x"), 3),
        (("ada", "--name", "other"), 2),
        (("ada/laptop",), 2),
        (("ada/laptop", "--platform", "vax"), 1),
        (("bob", "--host", "desk.corp.example"), 1),
    ):
        assert fleet.provision("machines", "set", *refused) == code
    assert fleet.provision("machines", "lost", "ada/laptop", "--yes") == 4
    assert fleet.provision("machines", "set", "ada/laptop", "--host", "x") == 3


def test_a_user_who_left_comes_back_without_old_machines_and_old_proofs(fleet: Fleet) -> None:
    keys = entries(fleet)["ada"]
    fleet.write_inventory(ada={"machines": [{"name": "desk", "recipients": keys["recipients"]}]})
    accepted = ("--accept", "ada=reimaged", "--accept", "ada/desk=reimaged")
    fleet.sim.revoke(fleet.keys["ada"])
    assert fleet.provision("users", "leave", "ada", "--yes", *accepted) == 0
    assert fleet.provision("users", "add", "ada", "--profile", "team") == 2, "asks for --rejoin"
    assert fleet.provision("users", "add", "bob", "--rejoin") == 2
    assert fleet.provision("users", "add", "ada", "--rejoin", "--dry-run") == 0
    assert "left" in entries(fleet)["ada"]
    assert fleet.provision("users", "add", "ada", "--rejoin") == 0
    assert fleet.provision("check") == 0
    entry = entries(fleet)["ada"]
    assert "left" not in entry
    assert "endpoint_key" not in entry
    assert (entry["recipients"], entry["machines"][0]["recipients"], entry["profile"]) == ([], [], "team")
    fleet.write_inventory()
    assert fleet.provision("users", "leave", "ada", "--yes", "--format", "json") == 4
    (user,) = json.loads(fleet.out)["users"]
    assert [step["step"] for step in user["steps"] if not step["proved"]] == ["machine"], "reimaged once, not again"


def test_a_renamed_user_keeps_key_and_machine(fleet: Fleet) -> None:
    key = listed(fleet)["ada"]["key"]
    assert fleet.provision("users", "rename", "ada", "ada.king", "--email", "ada.king@example.com") == 0
    assert fleet.provision("check") == 0
    found = listed(fleet)
    assert "ada" not in found
    assert (found["ada.king"]["key"], found["ada.king"]["state"]) == (key, "enrolled")
    assert fleet.vault().key("ada.king").reveal() == fleet.keys["ada"]  # type: ignore[union-attr]
    assert fleet.provision("render") == 0
    machine = fleet.machines["ada"]
    machine.user, machine.generation = "ada.king", 0
    assert machine.poll(fleet.root / "dist", fleet.drop), "the machine opens the bundle under the new name"
    assert machine.key == fleet.keys["ada"]
    assert (fleet.drop / "ada.receipt").exists()
    assert fleet.provision("receipts", "import", str(fleet.drop)) == 0, "a receipt of the old name fails no import"
    assert (fleet.root / "receipts" / "ada.king.receipt").exists()
    assert fleet.provision("users", "rename", "ada", "ada.king") == 0, "a repeated run has nothing to do"
    assert fleet.provision("users", "rename", "ada.king", "bob") == 2
    assert fleet.provision("keys", "log", "--verify") == 0


def test_a_lost_machine_gets_no_bundle_and_is_not_believed(fleet: Fleet, tmp_path: Path) -> None:
    laptop = Machine("ada")
    fleet.write_inventory(
        ada={
            "machines": [
                {
                    "name": "laptop",
                    "recipients": [str(laptop.identity.to_public())],
                    "endpoint_key": public_line(laptop.signer.public_key()),
                    "host": "ada-mbp",
                }
            ]
        }
    )
    assert fleet.provision("render") == 0
    assert laptop.poll(fleet.root / "dist", tmp_path / "drop2")
    assert fleet.provision("receipts", "import", str(tmp_path / "drop2")) == 0
    assert fleet.provision("machines", "lost", "ada", "--yes") == 3, "which of two?"
    assert fleet.provision("machines", "lost", "ada/laptop", "--yes", "--dry-run") == 0
    assert fleet.provision("machines", "lost", "ada/laptop", "--yes", "--reason", "train") == 4
    text = (fleet.root / "inventory.yaml").read_text()
    assert str(laptop.identity.to_public()) not in text
    assert public_line(laptop.signer.public_key()).split()[1] not in text
    assert [m["state"][:4] for m in listed(fleet)["ada"]["machines"]] == ["enro", "lost"]
    assert not (fleet.root / "receipts" / "ada@laptop.receipt").exists()

    laptop.certify(tmp_path / "drop2")
    assert fleet.provision("receipts", "import", str(tmp_path / "drop2")) == 4
    assert fleet.provision("render") == 0
    with pytest.raises(Exception, match=r"No matching keys|decrypt"):
        laptop.poll(fleet.root / "dist", tmp_path / "drop2")

    (new,) = fleet.new_keys("ada").values()
    fleet.sim.revoke(fleet.keys["ada"])
    key = listed(fleet)["ada"]["key"]
    fleet.provision("rotate", "leaked", key, "--from", fleet.keys_file({"ada": new}))
    fleet.poll()
    fleet.provision("rotate", "resume", "--receipts", str(fleet.drop))
    assert listed(fleet)["ada"]["key"] != key
    assert fleet.provision("machines", "lost", "ada/laptop", "--yes") == 0
