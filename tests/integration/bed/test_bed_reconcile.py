"""`reconcile --deploy` and `halt` with the real Ansible, without a feed: a machine that is off, a halt, a resume."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fleetcraft import Fleet

from provision.aisa.simulator import Simulator
from provision.endpoint.halt import PROVIDER

# three minutes: not part of every run; last passed on 2026-11-29
pytestmark = [pytest.mark.bed, pytest.mark.slow, pytest.mark.timeout(900)]


def machines(fleet: Fleet, *more: str, code: int = 0) -> dict[str, Any]:
    """What one run of the loop says of the machines."""
    document = json.loads(fleet.provision("reconcile", "--deploy", *more, "--format", "json", code=code).stdout)
    found: dict[str, Any] = next(step for step in document["steps"] if step["step"] == "machines")
    return found


def is_halted(fleet: Fleet, user: str) -> bool:
    config = (fleet.users[user].home / ".hermes" / "config.yaml").read_text()
    assert (PROVIDER in config) == (fleet.keys[user] not in fleet.env_file(user)), "halted in part"
    return PROVIDER in config


def test_the_loop_pushes_what_is_left_and_carries_orders(make_fleet: Callable[[int], Fleet]) -> None:
    fleet = make_fleet(2)
    with Simulator() as sim:
        for key in fleet.keys.values():
            sim.add_key(key)
        fleet.profile(model="gpt-5.2", base_url=sim.base_url)
        fleet.enrol_quickly()
        fleet.import_keys()
        fleet.provision("operators", "upgrade", "--recovery-to", str(fleet.folder / "paper"))
        fleet.users["u002"].cut()
        try:
            first = machines(fleet, code=4)
        finally:
            fleet.users["u002"].replug()
        assert first["changed"] == ["u001: installed"]
        assert [line.partition(":")[0] for line in first["failed"]] == ["u002"]
        assert machines(fleet)["changed"] == ["u002: installed"]
        assert machines(fleet)["unchanged"] == 2
        fleet.provision("halt", "u001", "--reason", "incident 7", "--for", "4h")
        (line,) = machines(fleet)["changed"]
        assert line.startswith("u001: halted until ")
        assert (is_halted(fleet, "u001"), is_halted(fleet, "u002")) == (True, False)
        assert machines(fleet)["unchanged"] == 2, "its receipt says that it is halted"
        assert "Hermes is halted by an order of IT" in [each["what"] for each in fleet.status("u001")["drift"]]
        fleet.profile(model="gpt-5.2", base_url=sim.base_url, description="changed")
        assert machines(fleet)["changed"] == ["u002: installed"], "a new bundle waits for the end of the halt"
        by = fleet.deploy()["by"]
        assert (by["u001"]["outcome"], by["u001"]["reason"], by["u001"]["receipt"]) == ("halted", "incident 7", True)
        assert is_halted(fleet, "u001")
        fleet.provision("resume", "u001", "--reason", "over")
        assert machines(fleet)["changed"] == ["u001: installed"]
        assert not is_halted(fleet, "u001")
        fleet.provision("halt", "--all", "--reason", "incident 8", "--for", "4h")
        fleet.install_collection()
        fleet.playbook("install", "-e", f"hermes_dist={fleet.root / 'dist'}")
        assert is_halted(fleet, "u001"), "by the playbook alone"
        assert is_halted(fleet, "u002"), "by the playbook alone"
