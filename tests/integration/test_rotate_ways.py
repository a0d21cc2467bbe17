"""The ways in which keys come and bundles go: a key command, a push through `deploy`, standard input, waves of both kinds."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyrage.x25519 import Identity
from rotatecraft import Fleet

from provision.aisa.simulator import Simulator
from provision.cli.main import run
from provision.push.ansible import NoAnsibleError
from provision.push.engine import PushOptions, PushResult
from provision.push.outcomes import Failed, Installed, Unreachable
from provision.rotate import delivery
from provision.rotate import runner as driver

GO = ("--yes", "--idle-for", "0")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, sim: Simulator) -> Fleet:
    return Fleet(tmp_path, sim)


class Push:
    """Stands where `deploy` runs Ansible: machines install at once, but for those that are said to fail."""

    def __init__(self, fleet: Fleet, **failing: Failed | Unreachable) -> None:
        self.fleet, self.failing, self.asked = fleet, failing, []  # type: ignore[var-annotated]
        self.forks: set[int] = set()

    def __call__(self, order: PushOptions, targets: Any, _: object, __: object, observe: Any) -> PushResult:
        result = PushResult()
        self.forks.add(order.forks)
        for target in targets:
            self.asked.append(target.user)
            if target.user in self.failing:
                observe(self.failing[target.user])
                continue
            machine = self.fleet.machines[target.user]
            machine.poll(order.dist, self.fleet.drop)
            receipt = (self.fleet.drop / f"{target.user}.receipt").read_text()
            observe(Installed(target.user, target.address, machine.generation, "", "", receipt=receipt))
        return result


def with_hosts(fleet: Fleet, *users: str) -> None:
    fleet.write_inventory(**{user: {"host": f"{user}.example"} for user in users})


def test_a_push_takes_a_rotation_through_all_waves_at_once(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    with_hosts(fleet, *fleet.users)
    push = Push(fleet)
    monkeypatch.setattr(delivery, "deploy", push)
    keys = fleet.new_keys()
    go = ("--deploy", "--forks", "3", "--waves", "1,100%", *GO)
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(keys), *go) == 0
    assert push.forks == {3}
    assert push.asked == ["ada", "bob", "cyd"]
    assert set(fleet.states().values()) == {"current"}
    assert {user: machine.key for user, machine in fleet.machines.items()} == keys


def test_who_cannot_be_pushed_to_fetches(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    with_hosts(fleet, "ada")
    monkeypatch.setattr(delivery, "deploy", Push(fleet))
    go = ("--deploy", "--waves", "100%", *GO)
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(fleet.new_keys()), *go) == 0
    assert fleet.states() == {"ada": "current", "bob": "delivered", "cyd": "delivered"}


@pytest.mark.parametrize(("kind", "code"), [(Failed, 10), (Unreachable, 4)])
def test_a_push_that_fails_has_a_cause_and_a_cure(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, kind: Any, code: int
) -> None:
    with_hosts(fleet, *fleet.users)
    push = Push(fleet, ada=kind("ada", "ada.example", "disk-full", "no room there", "make room there"))
    monkeypatch.setattr(delivery, "deploy", push)
    keys = fleet.keys_file(fleet.new_keys())
    assert fleet.provision("rotate", "start", "--from", keys, "--deploy", "--waves", "1,100%", *GO) == code
    assert fleet.states() == {"ada": "released", "bob": "pending", "cyd": "pending"}
    assert fleet.trouble("ada")["cause"] == "deploy-disk-full"
    assert "make room there" in fleet.trouble("ada")["cure"]
    push.failing.clear()
    assert fleet.provision("rotate", "resume") == 0
    assert set(fleet.states().values()) == {"current"}


@pytest.mark.parametrize(("kind", "code"), [(Failed, 10), (Unreachable, 4)])
def test_a_push_that_fails_in_a_later_wave_is_tried_again(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, kind: Any, code: int
) -> None:
    with_hosts(fleet, *fleet.users)
    push = Push(fleet, bob=kind("bob", "bob.example", "x", "no way", "mend it"))
    monkeypatch.setattr(delivery, "deploy", push)
    keys = fleet.keys_file(fleet.new_keys())
    assert fleet.provision("rotate", "start", "--from", keys, "--deploy", "--waves", "1,1,1", *GO) == code
    assert (fleet.states()["bob"], fleet.states()["cyd"]) == ("released", "pending")
    found = fleet.status()
    assert found["halted"]
    waits = {user["user"]: user["waits_for"] for user in found["users"]}  # type: ignore[attr-defined]
    assert (waits["bob"], waits["cyd"]) == ("provision rotate resume", "the end of the halt")
    push.failing.clear()
    assert fleet.provision("rotate", "resume") == 0
    assert {fleet.states()[user] for user in ("bob", "cyd")} == {"current"}, "the next wave opens in the same pass"


def test_machines_out_of_reach_within_the_budget_hold_nobody_up(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    with_hosts(fleet, *fleet.users)
    push = Push(fleet, ada=Unreachable("ada", "ada.example", "no-link", "it is off", "wake it"))
    monkeypatch.setattr(delivery, "deploy", push)
    keys = fleet.keys_file(fleet.new_keys())
    go = ("--deploy", "--waves", "1,100%", "--max-failures", "1", *GO)
    assert fleet.provision("rotate", "start", "--from", keys, *go) == 4
    assert fleet.states() == {"ada": "released", "bob": "current", "cyd": "current"}


def test_without_ansible_a_push_stops_with_a_cure(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    with_hosts(fleet, *fleet.users)

    def missing(*_: object) -> PushResult:
        raise NoAnsibleError("there is no ansible-playbook here", hint="install it")

    monkeypatch.setattr(delivery, "deploy", missing)
    keys = fleet.keys_file(fleet.new_keys())
    assert fleet.provision("rotate", "start", "--from", keys, "--deploy", "--waves", "100%", *GO) == 4
    assert set(fleet.states().values()) == {"released"}
    monkeypatch.setattr(delivery, "deploy", Push(fleet))
    assert fleet.provision("rotate", "resume") == 0


def test_keys_from_a_program(fleet: Fleet) -> None:
    keys = fleet.new_keys("ada", "bob")
    table = fleet.file("console.json", json.dumps(keys))
    program = fleet.file("console.py", "import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])")
    command = f"{sys.executable} {program} {table} {{user}}"
    go = ("--waves", "100%", *GO)
    assert fleet.provision("rotate", "start", "--key-command", command, "--limit", "ada,bob", *go) == 0
    assert fleet.states() == {"ada": "delivered", "bob": "delivered"}
    assert (
        fleet.provision("rotate", "start", "--key-command", f"{sys.executable} -c pass {{user}}", "-l", "cyd", *go) == 1
    )
    assert fleet.stages("cyd") == ["current"]


def test_keys_from_standard_input_need_a_yes(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{user},{key}\n" for user, key in fleet.new_keys().items()).encode()
    for arguments, code in ((("--waves", "100%"), 2), (GO, 0)):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(rows), isatty=lambda: False))
        assert fleet.provision("rotate", "start", "--from", "-", *arguments) == code
    assert len(fleet.journals()) == 1


def test_a_limit_leaves_the_keys_of_others_aside(fleet: Fleet) -> None:
    keys = fleet.keys_file(fleet.new_keys())
    assert fleet.provision("rotate", "start", "--from", keys, "--limit", "bob", *GO) == 0
    assert fleet.states() == {"bob": "delivered"}
    assert fleet.stages("ada") == ["current"]


def test_several_rotations_go_on_together(fleet: Fleet) -> None:
    for user in ("ada", "bob"):
        name = fleet.keys_file(fleet.new_keys(user), f"{user}.csv")
        assert fleet.provision("rotate", "start", "--from", name, *GO) == 0
    assert fleet.provision("rotate", "finish") == 2, "which?"
    fleet.poll()
    assert fleet.provision("rotate", "resume", "--receipts", str(fleet.drop)) == 0
    told = json.loads(_status(fleet))
    assert [[user["state"] for user in each["users"]] for each in told["rotations"]] == [["current"], ["current"]]
    assert fleet.provision("rotate", "status", told["rotations"][0]["id"]) == 0
    assert fleet.provision("rotate", "status", "2020-01-01-01") == 3


def _status(fleet: Fleet) -> str:
    assert fleet.provision("rotate", "status", "-f", "json") == 0
    return fleet.out


def test_status_needs_neither_an_identity_nor_a_whole_inventory(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_hosts(fleet, *fleet.users)
    monkeypatch.setattr(delivery, "deploy", Push(fleet))
    go = ("--deploy", "--waves", "100%", *GO)
    assert fleet.provision("rotate", "start", "--from", fleet.keys_file(fleet.new_keys()), *go) == 0
    assert fleet.provision("rotate", "resume") == 0
    known = fleet.status()
    assert {row["last_four"] for row in known["revoke"]} == {key[-4:] for key in fleet.keys.values()}  # type: ignore[attr-defined]
    (fleet.root / "inventory.yaml").write_text("users: [")
    identity = fleet.config / "identity.txt"
    stranger = f"{Identity.generate()}\n".encode()
    for content in (None, stranger):
        identity.unlink()
        if content:
            identity.write_bytes(content)
            identity.chmod(0o600)
        elsewhere = fleet.status()
        assert {row["last_four"] for row in elsewhere["revoke"]} == {None}  # type: ignore[attr-defined]
        for row in known["revoke"]:  # type: ignore[attr-defined]
            row["last_four"] = None
        assert elsewhere == known, "nothing else is missing"
        capsys.readouterr()
        assert run(["-w", str(fleet.root), "rotate", "status"]) == 0
        out, err = capsys.readouterr()
        assert "not shown here" in out
        assert "ada-laptop" in out
        assert "the last four characters of keys are not shown" in err
        identity.touch()


def test_nothing_is_under_way(fleet: Fleet) -> None:
    for command in ("status", "resume", "rollback", "finish"):
        assert fleet.provision("rotate", command) == 3
    assert run(["-q", "-w", str(fleet.root), "rotate", "start"]) == 2


def test_a_dry_run_does_nothing_even_when_a_rotation_would_go_on(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    file = fleet.keys_file(fleet.new_keys("ada"))
    assert fleet.provision("rotate", "start", "--from", file, "--dry-run") == 0
    assert fleet.journals() == []

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(driver, "seal_new_keys", interrupted)
        assert fleet.provision("rotate", "start", "--from", file, *GO) == 4
    before = [path.read_bytes() for path in fleet.journals()], fleet.vault().generation
    assert before[0]
    assert fleet.provision("rotate", "start", "--from", file, "--dry-run") == 0
    assert ([path.read_bytes() for path in fleet.journals()], fleet.vault().generation) == before
    assert fleet.provision("rotate", "start", "--from", file, *GO) == 0
    assert fleet.states() == {"ada": "delivered"}
