"""A rotation of a user with two machines: the old key is listed only when both confirmed the new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rotatecraft import Fleet, Machine

from provision.aisa.simulator import Simulator
from provision.signing.sshsig import public_line


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def test_every_machine_confirms_before_the_old_key_is_listed(tmp_path: Path, sim: Simulator) -> None:
    fleet, laptop = Fleet(tmp_path, sim, ("ada",)), Machine("ada")
    further = {
        "name": "laptop",
        "recipients": [str(laptop.identity.to_public())],
        "endpoint_key": public_line(laptop.signer.public_key()),
    }
    fleet.write_inventory(ada={"machines": [further]})
    assert fleet.provision("render") == 0

    new = fleet.new_keys()
    start = (
        "rotate",
        "start",
        "--from",
        fleet.keys_file(new),
        "--yes",
        "--idle-for",
        "0",
        "--receipts",
        str(fleet.drop),
    )
    assert fleet.provision(*start) == 0
    assert fleet.poll() == 1
    assert fleet.provision("rotate", "resume", "--receipts", str(fleet.drop)) == 0
    assert fleet.states() == {"ada": "delivered"}, "only one of two machines has the new key"

    laptop.route = "no"
    assert laptop.poll(fleet.root / "dist", tmp_path / "laptop"), "the bundle is sealed to both machines"
    assert laptop.key == new["ada"]
    assert fleet.provision("rotate", "resume", "--receipts", str(tmp_path / "laptop")) == 10
    assert "ada/laptop: the new key is installed, but" in fleet.status()["users"][0]["trouble"]["message"]  # type: ignore[index]

    laptop.route = "yes"
    laptop.certify(tmp_path / "laptop")
    assert fleet.provision("rotate", "resume", "--receipts", str(tmp_path / "laptop")) == 0
    assert fleet.states()["ada"] in {"current", "listed"}
