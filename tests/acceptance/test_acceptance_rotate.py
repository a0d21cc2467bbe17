"""A rotation as the real Hermes sees it: requests succeed before, during and after, each with a key that is alive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hermes_venvs import hermes_program
from rotatecraft import Fleet, Machine

from provision.aisa.simulator import Simulator

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(280)]
HERMES = hermes_program()
PROVISION = Path(sys.executable).with_name("provision")


@dataclass
class RealMachine(Machine):
    """A machine with a Hermes home of its own, on which the real commands run."""

    folder: Path = Path()
    root: Path = Path()
    said: dict[str, object] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "hermes"

    def provision(self, *arguments: str | Path) -> str:
        environ = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "PROVISION_CONFIG_DIR": str(self.folder / "config"),
        }
        done = subprocess.run(
            [PROVISION, *arguments], env=environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def enroll(self) -> dict[str, object]:
        """Make this machine's keys, trusting the workspace's signer; returns what goes into the inventory."""
        self.folder.mkdir()
        told = self.provision(
            "enroll", "--user", self.user, "--signer", self.root / "allowed_signers", "--format", "json"
        )
        return {name: value for name, value in json.loads(told).items() if name in {"recipients", "endpoint_key"}}

    def poll(self, dist: Path, drop: Path) -> bool:
        told = self.provision("install", dist / self.user, "--home", self.home, "--format", "json")
        self.said = json.loads(told)
        drop.mkdir(exist_ok=True)
        (drop / f"{self.user}.receipt").write_text(str(self.said["receipt"]))
        return bool(self.said["changed"])

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {**kept, "HOME": str(self.folder), "HERMES_HOME": str(self.home), "HERMES_DISABLE_LAZY_INSTALLS": "1"}

    def ask(self) -> subprocess.Popen[str]:
        """Hermes, asked one question."""
        return subprocess.Popen(
            [HERMES, "-z", "hi", "-t", "todo"], env=self.environment(), cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


class RealFleet(Fleet):
    """One user with a real machine."""

    def write_inventory(self, **more: object) -> None:
        ada = RealMachine("ada", folder=self.folder / "ada", root=self.root)
        self.machines = {"ada": ada}
        enrolled = ada.enroll()
        super().write_inventory(ada=enrolled)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def answered(fleet: Fleet, sim: Simulator, asked: subprocess.Popen[str] | None = None) -> str:
    """Ask (or go on), and return the key with which Hermes got its answer."""
    if asked is None:
        sim.clear()
        asked = fleet.machines["ada"].ask()  # type: ignore[attr-defined]
    out, err = asked.communicate(timeout=120)
    assert out.strip() == "I am gpt-5.2, served through AIsa.", out + err
    calls = {(seen.key, seen.status) for seen in sim.requests if seen.path == "/v1/chat/completions"}
    ((key, status),) = calls
    assert status == 200
    assert key is not None
    return key


def test_requests_succeed_before_during_and_after(tmp_path: Path, sim: Simulator) -> None:
    fleet = RealFleet(tmp_path, sim, ["ada"])
    ada = fleet.machines["ada"]
    assert isinstance(ada, RealMachine)
    old = fleet.keys["ada"]
    assert answered(fleet, sim) == old

    keys = fleet.new_keys()
    new = keys["ada"]
    begin = ("rotate", "start", "--from", fleet.keys_file(keys), "--yes", "--idle-for", "0", "--probe", "chat")
    assert fleet.provision(*begin) == 0

    sim.clear()
    sim.latency_s = 8.0
    asked = ada.ask()
    until = time.monotonic() + 60
    while not any(seen.path == "/v1/chat/completions" for seen in sim.requests):
        assert time.monotonic() < until, "hermes asks nothing"
        time.sleep(0.05)
    assert fleet.poll() == 1
    sim.latency_s = 0.0
    running = ada.said["restart"]
    assert isinstance(running, list)
    assert asked.pid in {each["pid"] for each in running}, "a running Hermes that holds the old key is named"
    assert answered(fleet, sim, asked) == old, "a request that was under way when the new key was installed"
    assert answered(fleet, sim) == new, "installed, and both keys live"

    def resume() -> None:
        assert fleet.provision("rotate", "resume", "--receipts", str(fleet.drop)) == 0

    resume()
    assert fleet.states() == {"ada": "current"}
    resume()
    assert fleet.revoke_listed() == {old}
    assert answered(fleet, sim) == new, "the old key is dead"
    resume()
    assert fleet.states() == {"ada": "retired"}
    assert fleet.provision("rotate", "finish") == 0
    env = (ada.home / ".env").read_text()
    assert new in env
    assert old not in env
