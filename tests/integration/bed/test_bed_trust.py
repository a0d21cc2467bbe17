"""The chain of trust lists on simulated machines, through the real Ansible: it goes along with bundles, and machines walk it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest
from fleetcraft import Fleet

# three minutes: not part of every run; last passed on 2026-11-28
pytestmark = [pytest.mark.bed, pytest.mark.slow, pytest.mark.timeout(600)]


def lists(fleet: Fleet) -> list[str | None]:
    """The number of the trust list that each machine reports."""
    found = [fleet.status(user)["trust"] for user in fleet.users]
    return [trust["list"] if trust else None for trust in found]


def test_machines_walk_the_chain_that_ansible_brings(make_fleet: Callable[[int], Fleet]) -> None:
    fleet = make_fleet(2)
    fleet.enrol_quickly()
    fleet.import_keys()
    fleet.provision("operators", "upgrade", "--recovery-to", str(fleet.folder / "paper"))
    fleet.provision("render")
    fleet.deploy()
    assert lists(fleet) == ["1-1", "1-1"]
    # a second operator, whose bundles both machines accept without being touched; one machine is off meanwhile
    second = {"PROVISION_CONFIG_DIR": str(fleet.folder / "second")}
    line = fleet.provision("operators", "join", "--name", "bob", **second).stdout
    fleet.provision(*shlex.split(line)[1:])
    for _ in range(3):
        fleet.provision("operators", "check", "--renew")
    fleet.provision("render", "--force", **second)
    fleet.users["u002"].cut()
    try:
        fleet.deploy(code=4, **second)
    finally:
        fleet.users["u002"].replug()
    assert lists(fleet) == ["1-5", "1-1"]
    assert "1 machine on list 1-5, 1 machine still on list 1-1" in fleet.provision("status", "--fleet", code=10).stdout
    # the first operator's key is stolen and revoked by recovery: what it signs is refused, the next bundle installs everywhere
    name = json.loads(fleet.provision("operators", "list", "--format", "json").stdout)["operators"][0]["name"]
    stolen = fleet.root / "dist"
    fleet.provision("render", "--force")
    kept = fleet.folder / "stolen-dist"
    stolen.rename(kept)
    fleet.provision(
        "recovery", "use", str(fleet.folder / "paper"), "--name", "cleo", "--keep", "bob", "--revoke", name,
        "--recovery-to", str(fleet.folder / "paper2"), PROVISION_CONFIG_DIR=str(fleet.folder / "third"),
    )  # fmt: skip
    fleet.provision("render", "--force", **second)
    fleet.deploy(**second)
    assert lists(fleet) == ["2-1", "2-1"]
    refused = fleet.provision("deploy", code=1, PROVISION_DIST=str(kept))
    assert "revoked" in refused.stderr
