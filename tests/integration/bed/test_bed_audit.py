"""`audit --hosts` on simulated machines with the real Ansible: what leaks where comes back, no key travels or comes back."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from bedcraft import ACCOUNT
from fleetcraft import Fleet

pytestmark = [pytest.mark.bed, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[[int], Fleet]) -> Fleet:
    fleet = make_fleet(3)
    fleet.enrol_quickly()
    fleet.import_keys()
    fleet.render()
    fleet.deploy()
    return fleet


def write(fleet: Fleet, user: str, name: str, text: str) -> None:
    host = fleet.users[user]
    host.run(
        "sh", "-c", f"umask 077; mkdir -p \"$(dirname '{name}')\"; cat > '{name}'", account=ACCOUNT, data=text.encode()
    )


def test_which_key_leaks_where(fleet: Fleet) -> None:
    home = f"/home/{ACCOUNT}"
    first, second = fleet.keys["u001"], fleet.keys["u002"]
    write(fleet, "u001", f"{home}/.hermes/logs/agent.log", f"sent {first}\n")
    write(fleet, "u002", f"{home}/.bash_history", f"export K={first}\n")  # somebody else's key on this machine
    write(fleet, "u002", f"{home}/.hermes/logs/agent.log", f"sent {second}\n")
    fleet.users["u003"].cut()
    try:
        done = fleet.provision("audit", "--hosts", "--format", "json", "-u", "fleetadmin", "--private-key", str(fleet.bed.key),
                               "--known-hosts", str(fleet.bed.known_hosts), code=10)  # fmt: skip
    finally:
        fleet.users["u003"].replug()
    report = json.loads(done.stdout)
    by_owner = {key["owner"]: key for key in report["keys"]}
    assert {m.split("@")[0] for m in by_owner["u001"]["machines"]} == {"u001", "u002"}
    assert {m.split("@")[0] for m in by_owner["u002"]["machines"]} == {"u002"}
    places = {(p["machine"].split("@")[0], p["path"].rpartition("/")[2]) for p in by_owner["u001"]["places"]}
    assert places == {("u001", "agent.log"), ("u002", ".bash_history")}
    lost = next(m for m in report["machines"] if m["user"] == "u003")
    assert lost["unreadable"] == 1
    assert {r["as_expected"] for m in report["machines"] if m["user"] != "u003" for r in m["routes"]} == {"yes"}
    for key in fleet.keys.values():
        assert key not in done.stdout + done.stderr


def test_the_table_is_for_people(fleet: Fleet) -> None:
    done = fleet.provision("audit", "--hosts", "--limit", "u002", code=10)
    assert "u001's current key" in done.stdout
    assert "u002@" in done.stdout
