"""A rotation of a user with two machines: the old key is listed only when both confirmed the new one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from rotatecraft import Fleet, Machine

from provision.aisa.simulator import Simulator
from provision.enrolment.policy import key_fingerprint
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


@pytest.mark.parametrize("rendered", [False, True], ids=["accepted-before", "accepted-late"])
def test_a_machine_that_was_set_up_again_holds_its_own_key_back_until_it_is_accepted(
    tmp_path: Path, sim: Simulator, rendered: bool
) -> None:
    """It can neither open the bundle nor confirm; the old key is not listed meanwhile, and the other user goes on."""
    fleet = Fleet(tmp_path, sim, ("ada", "bob"))
    old, new = dict(fleet.keys), fleet.new_keys()
    again = fleet.machines["ada"] = Machine("ada")
    accepted = (str(again.identity.to_public()), public_line(again.signer.public_key()))
    snippet = json.dumps({"id": "ada", "recipients": accepted[:1], "endpoint_key": accepted[1]})
    prints = "".join(f"ada {key_fingerprint(key)}\n" for key in accepted)
    sent = ("enroll", "--batch", str(fleet.file("ada.json", snippet)), "--yes")
    batch = (*sent, "--fingerprints", str(fleet.file("prints", prints)))
    assert fleet.provision(*batch) == 4, "other keys are not taken without --replace"
    if not rendered:
        assert fleet.provision(*batch, "--replace") == 0
    start = ("rotate", "start", "--from", fleet.keys_file(new), "--yes", "--waves", "100%", "--idle-for", "0")
    assert fleet.provision(*start) == 0
    if rendered:
        with pytest.raises(pyrage.DecryptError):
            fleet.poll()
        fleet.machines["bob"].poll(fleet.root / "dist", fleet.drop)
        again._manifest = (fleet.root / "dist" / "ada" / "manifest.json").read_bytes()
        again.certify(tmp_path / "new")  # what it would sign counts for nothing
        again._manifest = b""
        assert fleet.provision("rotate", "resume", "--receipts", str(tmp_path / "new")) == 4
        assert fleet.provision("rotate", "resume", "--receipts", str(fleet.drop)) in {0, 4}
        assert fleet.states()["ada"] == "delivered"
        assert old["ada"] not in fleet.listed()
        assert fleet.provision(*batch, "--replace") == 0
        assert fleet.provision("render") == 0
    assert fleet.machines["ada"].poll(fleet.root / "dist", fleet.drop)
    fleet.machines["bob"].poll(fleet.root / "dist", fleet.drop)
    assert again.key == new["ada"]
    for _ in range(2):
        assert fleet.provision("rotate", "resume", "--receipts", str(fleet.drop)) == 0
    assert fleet.listed() == set(old.values())
