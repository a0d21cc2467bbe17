"""docs/rehearsal.md, run as it is printed: one bash, the simulator in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm

from provision.aisa.simulator import Reply, Simulator
from provision.aisa.simulator.control import ControlClient, ControlDesk, SimulatorControlError, key_name

PAGE = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text()
KEY, OTHER = "sk-aisa-TEST-ada", "sk-aisa-TEST-bob"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def commands() -> list[tuple[str, int]]:
    """The page's commands, each with the exit code that it announces."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    return [(line, int(found[1]) if (found := re.search(r"# exit (\d+)", line)) else 0) for line in lines]


class Shell:
    """One bash that runs command after command."""

    def __init__(self, folder: Path, programs: Path) -> None:
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self.environ = {**os.environ, "PATH": path, "PROVISION_CONFIG_DIR": str(folder / "config"), "HOME": str(folder)}
        self.process = subprocess.Popen(
            ["bash"], cwd=folder, env=self.environ, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, command: str) -> tuple[int, str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f'{command}\necho "==done $?"\n')
        self.process.stdin.flush()
        said: list[str] = []
        while not (line := self.process.stdout.readline()).startswith("==done "):
            assert line, (command, said)
            said.append(line)
        return int(line.split()[1]), "".join(said)

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with warm.warm_program(tmp_path_factory.mktemp("warm")) as folder:
        yield folder


def test_the_page_works_when_it_is_pasted(tmp_path: Path, programs: Path) -> None:
    port = free_port()
    shell, simulator = Shell(tmp_path, programs), None
    try:
        for command, expected in commands():
            if command == "provision validate" and simulator is None:
                simulator = subprocess.Popen(
                    [sys.executable, "-m", "provision", "simulator", "start", "--port", str(port)],
                    cwd=tmp_path / "rehearsal", env=shell.environ, stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
                assert simulator.stdout is not None
                assert simulator.stdout.readline() == f"http://127.0.0.1:{port}/v1\n"
            code, said = shell.run(command.replace("8765", str(port)))
            assert code == expected, (command, code, said)
            assert "sk-aisa-" not in said
        code, said = shell.run("provision simulator status --format json")
        found = json.loads(said)
        assert [(row["user"], row["stage"], row["state"]) for row in found["keys"]] == [
            ("ada", "retired", "revoked"), ("ada", "retired", "revoked"), ("ada", "current", "valid"),
        ]  # fmt: skip
        assert (found["paid"], found["faults"], found["delay_s"]) == (4, [], 0.0)
        assert simulator is not None
        assert (tmp_path / "rehearsal" / ".provision" / "simulator.json").stat().st_mode & 0o077 == 0
        simulator.send_signal(signal.SIGINT)
        assert simulator.wait(20) == 0
        assert not (tmp_path / "rehearsal" / ".provision" / "simulator.json").exists()
        code, said = shell.run("provision simulator revoke ada")
        assert (code, "no simulator runs for this workspace" in said) == (1, True)
    finally:
        shell.end()
        if simulator is not None:
            simulator.kill()
            simulator.wait()
            assert simulator.stdout is not None
            simulator.stdout.close()


@pytest.fixture
def desk() -> ControlDesk:
    return ControlDesk("token")


@pytest.fixture
def sim(desk: ControlDesk) -> Iterator[Simulator]:
    with Simulator(desk=desk) as running:
        yield running


def test_a_key_gets_its_state_before_and_after_its_first_request(sim: Simulator) -> None:
    client = ControlClient(sim.port, "token")
    sim.add_key(KEY)
    for key in (KEY, OTHER):
        state = client.send(order="key", key=key_name("token", key), state="revoked")
    assert {row["key"]: row["state"] for row in state["keys"]} == {
        key_name("token", k): "revoked" for k in (KEY, OTHER)
    }
    assert sim.known_keys()[KEY] == "revoked"
    assert sim._desk is not None
    assert sim._desk.accept(OTHER) == "revoked"
    assert not sim.requests, "orders are not requests"


def test_only_signed_orders_are_taken(sim: Simulator) -> None:
    with pytest.raises(SimulatorControlError, match="HTTP 403"):
        ControlClient(sim.port, "another").send(order="recover")
    for order in (
        {"order": "key", "key": "x", "state": "odd"},
        {"order": "explode"},
        {},
        {"order": "slow", "seconds": "x"},
    ):
        with pytest.raises(SimulatorControlError, match="HTTP 400"):
            ControlClient(sim.port, "token").send(**order)


def test_a_simulator_without_a_desk_takes_no_orders() -> None:
    with Simulator() as sim, pytest.raises(SimulatorControlError, match="HTTP 404"):
        ControlClient(sim.port, "token").send(order="recover")
    with pytest.raises(SimulatorControlError, match="no simulator answers"):
        ControlClient(free_port(), "token").send(order="recover")


def test_another_program_on_the_port_learns_no_key(sim: Simulator) -> None:
    seen: list[bytes] = []
    with Simulator() as other:
        other.script(Reply(200, b"[]"))
        with pytest.raises(SimulatorControlError, match="not the simulator"):
            ControlClient(other.port, "token").send(order="key", key=key_name("token", KEY), state="revoked")
        seen += [request.body + str(dict(request.headers)).encode() for request in other.requests]
    assert seen
    assert not any(b"token" in body or KEY.encode() in body for body in seen)
