"""`rotate start --deploy` with the real Ansible: to machines, past one that is off, to old keys that are proved dead.

While it goes on, the key that lies on each machine is asked about again and again: nobody is ever without a working one.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import seeded
from bedcraft import ACCOUNT, files_with, watched_processes
from fleetcraft import Fleet

from provision.aisa.simulator import Simulator

pytestmark = [pytest.mark.bed, pytest.mark.timeout(300)]

MACHINES = 3


@contextmanager
def asked_all_the_time(fleet: Fleet, sim: Simulator) -> Iterator[Counter[str]]:
    """Asks the gateway for the balance of whatever key is on each machine, round after round; yields how often it was taken."""
    taken: Counter[str] = Counter()
    refused: list[str] = []
    over = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", sim.port)
        while not over.wait(0.1):
            for user in fleet.users:
                key = key_on(fleet, user)
                connection.request("GET", "/v1/credits/balance", headers={"Authorization": f"Bearer {key}"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    taken[user] += 1
                else:
                    refused.append(f"{user}: {answer.status}")
        connection.close()

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield taken
    finally:
        over.set()
        asker.join()
    assert refused == []
    assert set(taken) == set(fleet.users)


def key_on(fleet: Fleet, user: str) -> str:
    """The key in the user's .env."""
    (key,) = [line.partition("=")[2] for line in fleet.env_file(user).splitlines() if line.startswith("AISA_API_KEY=")]
    return key


def rotate(fleet: Fleet, *more: str, code: int = 0, data: str = "") -> dict[str, Any]:
    """A command of `rotate`; where everybody stands after it, with users by id under `by` and their states under `states`.

    `said` is what it told people meanwhile.
    """
    done = fleet.provision("rotate", *more, "--format", "json", code=code, data=data)
    found: dict[str, Any] = json.loads(done.stdout)["rotations"][-1]
    found["by"] = {user["user"]: user for user in found["users"]}
    found["said"] = done.stderr
    found["states"] = {user["user"]: user["state"] for user in found["users"]}
    return found


def test_a_rotation_is_delivered_by_ansible(make_fleet: Callable[[int], Fleet]) -> None:
    fleet = make_fleet(MACHINES)
    old, new = dict(fleet.keys), {user: f"sk-aisa-TEST-{user}-{seeded.token_hex(8)}" for user in fleet.users}
    with Simulator() as sim:
        for key in (*old.values(), *new.values()):
            sim.add_key(key)
        fleet.profile(model="gpt-5.2", base_url=sim.base_url)
        fleet.enrol_quickly()
        fleet.import_keys()
        fleet.render()
        assert fleet.deploy()["summary"] == {"installed": MACHINES}
        with watched_processes() as lines, asked_all_the_time(fleet, sim) as taken:
            halts_at_a_machine_that_is_off(fleet, old, new)
            goes_on_when_it_is_back(fleet, new)
            ends_when_the_old_keys_are_dead(fleet, sim, old)
        assert min(taken.values()) > 10, taken
    said = b"\n".join(lines)
    assert b"rotate\0start" in said
    assert b"install\0" in said  # what runs on the machines was seen too
    for key in (*old.values(), *new.values()):
        assert key.encode() not in said
        assert not [p for p in files_with(key.encode(), fleet.folder) if "disks" not in p.parts]
    for user, host in fleet.users.items():
        left = {
            p.relative_to(host.written).as_posix()
            for key in old.values()
            for p in files_with(key.encode(), host.written)
        }
        assert left == set(), user
        there = [p.relative_to(host.written).as_posix() for p in files_with(new[user].encode(), host.written)]
        assert there == [f"home/{ACCOUNT}/.hermes/.env"], user


def halts_at_a_machine_that_is_off(fleet: Fleet, old: dict[str, str], new: dict[str, str]) -> None:
    host = fleet.users["u001"]
    host.kill_sshd()
    rows = "".join(f"{user},{key},{user}-v2\n" for user, key in new.items())
    go = ("--deploy", "--yes", "--waves", "2,100%", "--idle-for", "0")
    begun = rotate(fleet, "start", "--from", "-", *go, data=rows, code=4)
    assert begun["halted"]
    assert "\nu002 (" in begun["said"]
    assert "): installed" in begun["said"]
    assert "deploy 2/2 " in begun["said"]
    assert begun["states"] == {"u001": "released", "u002": "current", "u003": "pending"}
    trouble = begun["by"]["u001"]["trouble"]
    assert (trouble["cause"], trouble["grade"]) == ("deploy-no-sshd", "unreachable")
    assert trouble["cure"] == "start sshd there, or correct the port; then: provision rotate resume"
    assert {user: key_on(fleet, user) for user in fleet.users} == {**old, "u002": new["u002"]}
    again = rotate(fleet, "resume", code=4)  # as long as it is off, nobody else gets a new key
    assert again["halted"]
    assert again["states"]["u003"] == "pending"


def goes_on_when_it_is_back(fleet: Fleet, new: dict[str, str]) -> None:
    host = fleet.users["u001"]
    host.start_sshd()
    fleet.bed.wait_for(host)
    found = rotate(fleet, "resume")
    assert {user: key_on(fleet, user) for user in fleet.users} == new
    assert set(found["states"].values()) <= {"current", "to revoke"}


def ends_when_the_old_keys_are_dead(fleet: Fleet, sim: Simulator, old: dict[str, str]) -> None:
    fleet.provision("rotate", "finish", code=10)  # not before they are proved dead
    listed = rotate(fleet, "resume")["revoke"]
    assert {row["user"]: row["last_four"] for row in listed} == {user: key[-4:] for user, key in old.items()}
    for key in old.values():
        sim.revoke(key)
    assert set(rotate(fleet, "resume")["states"].values()) == {"retired"}
    assert "nothing left to do" in fleet.provision("rotate", "finish").stdout
