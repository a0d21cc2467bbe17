"""A leak, where the order is reversed, and the way back."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rotatecraft import Fleet

from provision.aisa import retry
from provision.aisa.simulator import KeyState, Simulator

GO = ("--yes", "--idle-for", "0", "--waves", "100%")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_S", (0.01, 0.01))


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, sim: Simulator) -> Fleet:
    return Fleet(tmp_path, sim)


def resume(fleet: Fleet, *more: str) -> int:
    return fleet.provision("rotate", "resume", "--receipts", str(fleet.drop), *more)


def fingerprint(fleet: Fleet, user: str) -> str:
    known = fleet.vault().current(user)
    assert known is not None
    return known.fingerprint


def test_a_leak_says_at_once_what_to_revoke(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    four = fleet.keys["ada"][-4:]
    assert fleet.provision("rotate", "leaked", "ada") == 10
    assert "REVOKE NOW" in fleet.out
    assert f"…{four}" in fleet.out
    assert fleet.states() == {"ada": "exposed"}
    assert resume(fleet) == 0, "still alive: the operator is waited for"
    assert fleet.listed() == {fleet.keys["ada"]}
    assert fleet.stages("ada") == ["current"]
    fleet.revoke_listed()
    assert resume(fleet) == 0
    assert fleet.states() == {"ada": "without a key"}
    assert fleet.stages("ada") == ["retired"]
    key = fleet.new_keys("ada")
    assert resume(fleet, "--from", fleet.keys_file(key)) == 0
    assert fleet.states() == {"ada": "delivered"}
    fleet.poll()
    assert resume(fleet) == 0
    assert fleet.states() == {"ada": "retired"}
    assert fleet.stages("ada") == ["retired", "current"]
    assert fleet.machines["ada"].key == key["ada"]
    (ada,) = fleet.status()["users"]  # type: ignore[misc]
    assert isinstance(ada["seconds_to_dead"], int)  # type: ignore[index]
    assert fleet.provision("rotate", "finish") == 0


def test_nothing_is_installed_before_the_leaked_key_is_dead(fleet: Fleet) -> None:
    keys = fleet.keys_file(fleet.new_keys("ada"))
    assert fleet.provision("rotate", "leaked", fingerprint(fleet, "ada"), "--from", keys) == 10
    assert fleet.stages("ada") == ["current", "pending"]
    assert fleet.poll() == 0
    assert resume(fleet) == 0
    assert fleet.poll() == 0
    fleet.revoke_listed()
    assert resume(fleet) == 0
    assert fleet.poll() == 1
    assert resume(fleet) == 0
    assert fleet.states() == {"ada": "retired"}


def test_waiting_for_the_proof(fleet: Fleet, sim: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    sim.revoke(fleet.keys["ada"])
    keys = fleet.keys_file(fleet.new_keys("ada"))
    from provision.cli.main import run

    arguments = ["-w", str(fleet.root), "rotate", "leaked", "ada", "--from", keys, "--wait", "1m"]
    assert run(arguments) == 0
    assert "ada: dead" in capsys.readouterr().err
    assert fleet.states() == {"ada": "delivered"}


def test_a_shared_leaked_key_concerns_everybody_who_has_it(fleet: Fleet) -> None:
    shared = fleet.new_keys("ada")["ada"]
    rows = f"ada,{shared}\nbob,{shared}\n"
    assert fleet.provision("keys", "import", "--allow-shared", str(fleet.file("shared.csv", rows))) == 0
    assert fleet.provision("rotate", "leaked", "bob") == 2, "bob's previous key may be alive, too: which one leaked?"
    assert fleet.provision("rotate", "leaked", "bob", "--key", fingerprint(fleet, "bob")) == 10
    assert fleet.states() == {"ada": "exposed", "bob": "exposed"}
    assert fleet.listed() == {shared}


def test_a_leaked_key_that_was_replaced_already_needs_no_other(fleet: Fleet) -> None:
    old = fingerprint(fleet, "ada")
    keys = fleet.new_keys("ada")
    assert fleet.provision("keys", "import", fleet.keys_file(keys)) == 0
    assert fleet.provision("rotate", "leaked", old) == 10
    fleet.revoke_listed()
    assert resume(fleet) == 0
    assert fleet.states() == {"ada": "retired"}
    assert fleet.stages("ada") == ["retired", "current"]


def test_a_leak_of_a_key_in_rotation_is_taken_over(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    old = fingerprint(fleet, "ada")
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(fleet.new_keys("ada")), *GO) == 0
    from provision.cli.main import run

    assert run(["-w", str(fleet.root), "rotate", "leaked", old]) == 10
    said = capsys.readouterr().err
    assert "REVOKE NOW" in said
    assert fleet.keys["ada"][-4:] in said
    fleet.sim.revoke(fleet.keys["ada"])
    fleet.poll()
    assert resume(fleet) == 0
    assert fleet.states()["ada"] == "retired"
    assert fleet.stages("ada") == ["retired", "current"]


def test_names_that_nobody_has(fleet: Fleet) -> None:
    assert fleet.provision("rotate", "leaked", "nobody") == 10
    assert fleet.provision("rotate", "leaked", "fp_" + "a" * 16) == 10
    assert not fleet.journals()


def test_a_leaked_key_of_somebody_who_left(fleet: Fleet) -> None:
    old = fingerprint(fleet, "cyd")
    fleet.machines.pop("cyd")
    fleet.write_inventory()
    assert fleet.provision("rotate", "leaked", old) == 10
    fleet.revoke_listed()
    assert fleet.provision("rotate", "resume") == 0
    assert fleet.states() == {"cyd": "retired"}


def start(fleet: Fleet, *more: str) -> dict[str, str]:
    keys = fleet.new_keys()
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(keys), *GO, *more) == 0
    return keys


@pytest.mark.parametrize("stage", ["delivered", "current", "to revoke"])
def test_everybody_goes_back(fleet: Fleet, stage: str) -> None:
    keys = start(fleet)
    while set(fleet.states().values()) != {stage}:
        fleet.poll()
        assert resume(fleet) == 0
    before = {user: machine.generation for user, machine in fleet.machines.items()}
    assert fleet.provision("rotate", "rollback") == 2, "all users: not without a confirmation"
    assert set(fleet.states().values()) == {stage}
    assert fleet.provision("rotate", "rollback", "--yes") == 0
    for _ in range(4):
        fleet.poll()
        fleet.nobody_without_a_key()
        assert resume(fleet) == 0
    assert {user: machine.key for user, machine in fleet.machines.items()} == fleet.keys
    assert all(machine.generation > before[user] for user, machine in fleet.machines.items())
    assert fleet.listed() == set(keys.values()), "now the new keys are to go"
    fleet.revoke_listed()
    resume(fleet)
    assert set(fleet.states().values()) == {"retired"}
    assert all(fleet.stages(user) == ["current", "retired"] for user in fleet.users)
    assert fleet.provision("rotate", "finish") == 0


def test_one_goes_back_the_others_go_on(fleet: Fleet) -> None:
    keys = start(fleet)
    fleet.poll()
    resume(fleet)
    assert fleet.provision("rotate", "rollback", "--limit", "bob") == 0
    for _ in range(5):
        fleet.poll()
        resume(fleet)
    assert {user: machine.key for user, machine in fleet.machines.items()} == keys | {"bob": fleet.keys["bob"]}
    assert fleet.listed() == {fleet.keys["ada"], keys["bob"], fleet.keys["cyd"]}


def test_going_back_before_anything_was_released(tmp_path: Path, sim: Simulator) -> None:
    fleet = Fleet(tmp_path, sim, [f"user{n}" for n in range(5)])
    keys = fleet.new_keys()
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(keys), "--yes", "--idle-for", "0") == 0
    assert fleet.provision("rotate", "rollback", "--yes") == 0
    assert fleet.stages("user4") == ["current", "previous"], "nothing stays pending"
    fleet.poll()
    resume(fleet)
    assert fleet.machines["user4"].generation == min(m.generation for m in fleet.machines.values())
    for _ in range(4):
        fleet.poll()
        resume(fleet)
    fleet.nobody_without_a_key()
    assert {user: machine.key for user, machine in fleet.machines.items()} == fleet.keys


def test_after_a_rollback_nobody_else_gets_a_new_key(tmp_path: Path, sim: Simulator) -> None:
    fleet = Fleet(tmp_path, sim, [f"user{n}" for n in range(3)])
    keys = fleet.new_keys()
    go = ("--yes", "--idle-for", "0", "--waves", "1")
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(keys), *go) == 0
    assert fleet.provision("rotate", "rollback", "--yes") == 0
    for _ in range(4):
        fleet.poll()
        resume(fleet)
    assert {user: machine.key for user, machine in fleet.machines.items()} == fleet.keys


def test_nobody_goes_back_to_a_dead_key(fleet: Fleet, sim: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    keys = start(fleet)
    fleet.poll()
    resume(fleet)
    sim.revoke(fleet.keys["ada"])
    from provision.cli.main import run

    assert run(["-w", str(fleet.root), "rotate", "rollback", "--yes"]) == 4
    assert "ada cannot be rolled back: the old key is dead" in capsys.readouterr().err
    for _ in range(3):
        fleet.poll()
        fleet.nobody_without_a_key()
        resume(fleet)
    assert {user: machine.key for user, machine in fleet.machines.items()} == fleet.keys | {"ada": keys["ada"]}


def test_nobody_goes_back_on_a_doubt(fleet: Fleet, sim: Simulator) -> None:
    start(fleet)
    fleet.poll()
    resume(fleet)
    sim.configure(auth_available=False)
    assert fleet.provision("rotate", "rollback", "--yes") == 4
    assert set(fleet.states().values()) == {"current"}


def test_finishing_needs_proof_or_reasons(fleet: Fleet, sim: Simulator) -> None:
    start(fleet)
    assert fleet.provision("rotate", "finish") == 10
    assert fleet.provision("rotate", "finish", "--except", "ada") == 2
    assert fleet.provision("rotate", "finish", "--except", "ada=") == 2
    assert fleet.provision("rotate", "finish", "--except", "*=the fleet is given up") == 0
    assert set(fleet.states().values()) == {"excepted"}
    assert fleet.provision("rotate", "status") == 3
    sim.set_key(fleet.keys["ada"], KeyState.VALID)
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(fleet.new_keys()), *GO) == 0


def test_an_audit_finds_every_other_copy_of_a_leaked_key(fleet: Fleet, tmp_path: Path) -> None:
    """With the workspace and with its fingerprints, before and after the rotation, plain, encoded and packed."""
    leaked = fleet.keys["ada"]
    places = tmp_path / "places"
    places.mkdir()
    (places / "agent.log").write_text(f"x\nAuthorization: Bearer {leaked}\n")
    (places / "secret.yaml").write_text(f"data:\n  key: {base64.b64encode(leaked.encode()).decode()}\n")
    (places / "other.txt").write_text(f"{fleet.keys['bob']}\n")
    with zipfile.ZipFile(places / "old.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("home/.env", f"AISA_API_KEY={leaked}\n")
    assert fleet.provision("rotate", "leaked", "ada", "--from", fleet.keys_file(fleet.new_keys("ada"))) == 10
    for stage in ("current", "retired"):
        known = str(tmp_path / f"{stage}.json")
        assert fleet.provision("audit", "--write-known", known) == 0
        for words in ((), ("--known", known)):
            assert fleet.provision("audit", str(places), "-f", "json", *words) == 10
            found = json.loads(fleet.out)["findings"]
            copies = [Path(f["path"]).name for f in found if (f["owner"], f["stage"]) == ("ada", stage)]
            assert sorted(copies) == ["agent.log", "old.zip", "secret.yaml"], found
        fleet.revoke_listed()
        resume(fleet)
        fleet.poll()
        resume(fleet)
