"""A user with two machines on simulated machines with the real Ansible: deploy, receipts, and leaving with an uninstall."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from bedcraft import ACCOUNT
from fleetcraft import PROVISION, Fleet

pytestmark = [pytest.mark.bed, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[[int], Fleet]) -> Fleet:
    """Two users; the third machine is the first user's second one."""
    fleet = make_fleet(3)
    fleet.enrol_quickly()
    third = fleet.entries.pop("u003")
    del fleet.keys["u003"]
    fields = {name: third[name] for name in ("recipients", "endpoint_key", "host")}
    fleet.entries["u001"] |= {"machine": "desk", "machines": [{"name": "laptop", **fields}]}
    fleet.users["u003"].run(PROVISION, "enroll", "--user", "u001", "--machine", "laptop", account=ACCOUNT)
    fleet.write_inventory()
    fleet.import_keys()
    fleet.render()
    return fleet


def test_two_machines_of_a_user_until_the_user_leaves(fleet: Fleet) -> None:
    ssh = ("-u", "fleetadmin", "--private-key", str(fleet.bed.key), "--known-hosts", str(fleet.bed.known_hosts))
    done = json.loads(
        fleet.provision("deploy", "--format", "json", "--account", ACCOUNT, "--command", str(PROVISION), *ssh).stdout
    )
    found = {(each["user"], each.get("machine")): each["outcome"] for each in done["users"]}
    assert found == {("u001", "desk"): "installed", ("u001", "laptop"): "installed", ("u002", None): "installed"}
    receipts = sorted(path.name for path in (fleet.root / "receipts").glob("*.receipt"))
    assert receipts == ["u001@desk.receipt", "u001@laptop.receipt", "u002.receipt"]
    env = f"/home/{ACCOUNT}/.hermes/.env"
    for user in ("u001", "u003"):
        assert fleet.keys["u001"].encode() in fleet.users[user].run("cat", env, account=ACCOUNT).stdout

    fleet.users["u003"].cut()
    leave = ("users", "leave", "u001", "--yes", "--deploy", "--account", ACCOUNT, "--command", str(PROVISION), *ssh)
    try:
        said = json.loads(fleet.provision(*leave, "--format", "json", code=4).stdout)
    finally:
        fleet.users["u003"].replug()
    (user,) = said["users"]
    machines = {step["what"].partition(":")[0]: step["proved"] for step in user["steps"] if step["step"] == "machine"}
    assert machines == {"u001/desk": True, "u001/laptop": False}, "one machine is out of reach"

    said = json.loads(fleet.provision(*leave, "--format", "json", code=4).stdout)
    (user,) = said["users"]
    assert {step["step"] for step in user["steps"] if not step["proved"]} == {"key"}, "the key is not revoked yet"
    for name in ("u001", "u003"):
        home = fleet.users[name].run("sh", "-c", "ls -A ~/.hermes; cat ~/.hermes/.env || true", account=ACCOUNT).stdout
        assert fleet.keys["u001"].encode() not in home
        assert b".provision" not in home
