"""`users leave`: everything is taken, each step proved by what is seen, and repeated until it is."""

from __future__ import annotations

import contextlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyrage
import pytest
from rotatecraft import Fleet, Machine

from provision.aisa.simulator import Reply, Simulator
from provision.keys.age import NoIdentityError, load_identities
from provision.keys.vault.file import open_vault
from provision.keys.vault.ledger import Stage
from provision.receipts.store import key_blob
from provision.signing.allowed_signers import parse_allowed_signers
from provision.signing.sshsig import public_line


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


def test_what_a_leaver_can_still_open_sign_or_spend(fleet: Fleet, sim: Simulator) -> None:
    """With everything kept from before: a clone of the workspace, a copy of the feed, the machine's keys."""
    feed, kept, ada = fleet.folder / "feed", fleet.folder / "kept", fleet.machines["ada"]
    assert fleet.provision("publish", str(feed)) == 0
    shutil.copytree(fleet.root, kept / "workspace")
    shutil.copytree(feed, kept / "feed")
    assert len(opened(kept, ada)) == 2, "the bundle in dist/ and in the feed"
    assert leave(fleet, "ada", "--feed", str(feed), "--accept", "ada=gone")[0] == 4
    sim.revoke(fleet.keys["ada"])
    code, steps = leave(fleet, "ada", "--feed", str(feed))
    assert (code, open_steps(steps)) == (0, set())
    assert any("old versions of dist/ in git and copies of the feed" in each for each in fleet_remains(fleet))

    assert opened(fleet.root, ada) == opened(feed, ada) == set(), "nothing that is there now"
    assert len(opened(kept, ada)) == 2, "what was kept opens, as it says"
    for text in opened(kept, ada):
        (key,) = (line.partition("=")[2] for line in text.splitlines() if line.startswith("AISA_API_KEY="))
        answer = httpx.get(
            f"{sim.base_url}/credits/balance", headers={"Authorization": f"Bearer {key}"}, trust_env=False
        )
        assert answer.status_code == 401, "and its key buys nothing"
    (kept / "identity.txt").write_text(f"{ada.identity}\n")
    (kept / "identity.txt").chmod(0o600)
    with pytest.raises(NoIdentityError):
        open_vault(kept / "workspace" / "keys.vault", load_identities(kept / "identity.txt"))
    signers = parse_allowed_signers((fleet.root / "allowed_signers").read_text())
    assert key_blob(public_line(ada.signer.public_key())) not in {signer.blob for signer in signers}


def fleet_remains(fleet: Fleet) -> list[str]:
    remains: list[str] = json.loads(fleet.out)["remains"]
    return remains


def opened(folder: Path, machine: Machine) -> set[str]:
    """What a machine's identity opens of all sealed files in a folder, also in archives; with where it is."""
    files = {str(path): path.read_bytes() for path in folder.rglob("*.age")}
    for path in folder.rglob("*.tar"):
        with tarfile.open(path) as archive:
            sealed = [each for each in archive if each.name.endswith(".age")]
            files |= {str(path): archive.extractfile(each).read() for each in sealed}  # type: ignore[union-attr]
    texts = set()
    for name, data in files.items():
        with contextlib.suppress(pyrage.DecryptError):
            texts.add(f"# {name}\n" + pyrage.decrypt(data, [machine.identity]).decode())
    return texts


def test_a_leaver_who_opens_more_than_an_own_bundle(fleet: Fleet, sim: Simulator) -> None:
    """A shared machine, and an operator: open until both are taken away."""
    theirs = str(fleet.machines["ada"].identity.to_public())
    bob = str(fleet.machines["bob"].identity.to_public())
    fleet.write_inventory(bob={"recipients": [bob, theirs]})
    assert fleet.provision("operators", "add", "ada", theirs) == 0
    sim.revoke(fleet.keys["ada"])
    _, steps = leave(fleet, "ada", "--accept", "ada=gone")
    assert open_steps(steps) == {"shared", "operator"}
    assert steps["shared"]["what"] == "a machine of theirs opens the bundles of bob"
    assert steps["operator"]["what"] == "opens the vault or signs as ada"
    command = steps["operator"]["hint"].partition("provision ")[2].partition(";")[0]
    fleet.write_inventory(ada={"left": "2026-01-02"})
    assert fleet.provision(*command.split(), "--yes") in {0, 4}
    code, steps = leave(fleet, "ada", "--accept", "ada=gone")
    assert (code, open_steps(steps)) == (0, set())


def test_what_was_proved_when_the_same_user_left_before_proves_nothing(fleet: Fleet) -> None:
    leave(fleet, "ada", "--accept", "ada=reimaged")
    fleet.write_inventory(ada={"left": (datetime.now(UTC) + timedelta(days=3)).date().isoformat()})
    _, steps = leave(fleet, "ada")
    assert {"machine", "key"} <= open_steps(steps)


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
