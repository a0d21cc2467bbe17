"""A user with two machines on simulated machines with the real Ansible: adoption, deploy, receipts, leaving with an uninstall."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from bedcraft import ACCOUNT
from fleetcraft import BASE_URL, PROVISION, Fleet

pytestmark = [pytest.mark.bed, pytest.mark.timeout(600)]


def ssh(fleet: Fleet) -> tuple[str, ...]:
    return ("-u", "fleetadmin", "--private-key", str(fleet.bed.key), "--known-hosts", str(fleet.bed.known_hosts))


def listed(fleet: Fleet) -> list[dict[str, Any]]:
    users: list[dict[str, Any]] = yaml.safe_load((fleet.root / "inventory.yaml").read_text())["users"]
    return users


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[[int], Fleet]) -> Fleet:
    """Two users; the third machine is the first user's second one."""
    fleet = make_fleet(3)
    third = fleet.entries.pop("u003")
    del fleet.keys["u003"]
    fleet.entries["u001"] |= {"machine": "desk", "machines": [{"name": "laptop", "host": third["host"]}]}
    fleet.write_inventory()
    where = ("--account", ACCOUNT, "--command", str(PROVISION), *ssh(fleet))
    fleet.users["u002"].cut()
    try:
        fleet.provision("machines", "enroll", "--yes", *where, code=4)
    finally:
        fleet.users["u002"].replug()
    assert {user["id"]: bool(user["recipients"]) for user in listed(fleet)} == {"u001": True, "u002": False}
    fleet.provision("machines", "enroll", "--yes", *where)
    assert all(user["recipients"] and user["endpoint_key"] for user in listed(fleet))
    assert listed(fleet)[0]["machines"][0]["endpoint_key"] != listed(fleet)[0]["endpoint_key"]
    _adopt(fleet, where)
    fleet.render()
    return fleet


def _adopt(fleet: Fleet, where: tuple[str, ...]) -> None:
    """All three machines are set up by hand: their keys come into the vault, sealed on the machines."""
    for user, host in fleet.users.items():
        key = fleet.keys.get(user, fleet.keys["u001"])
        text = f"model: {{default: gpt-5.2, provider: custom, base_url: {BASE_URL}, api_key: {key}}}"
        script = f"umask 077; mkdir -p ~/.hermes; echo '{text}' > ~/.hermes/config.yaml"
        host.run("sh", "-c", script, account=ACCOUNT)
    fleet.users["u002"].cut()
    try:
        done = fleet.provision("-v", "adopt", "--hosts", "--format", "json", *where, code=4)
    finally:
        fleet.users["u002"].replug()
    found = {row["where"]: row["result"] for row in json.loads(done.stdout)["keys"]}
    assert found == {"u001/desk": "new", "u001/laptop": "unchanged", "u002": "refused"}
    again = fleet.provision("-v", "adopt", "--hosts", *where)
    told = done.stdout + done.stderr + again.stdout + again.stderr
    for key in fleet.keys.values():
        assert key not in told
        for path in fleet.folder.rglob("*"):
            assert not path.is_file() or key.encode() not in path.read_bytes(), path
    listed = json.loads(fleet.provision("keys", "list", "--format", "json").stdout)["keys"]
    assert {row["user"]: row["stage"] for row in listed} == {"u001": "current", "u002": "current"}


def test_two_machines_of_a_user_until_the_user_leaves(fleet: Fleet) -> None:
    where = ("--account", ACCOUNT, "--command", str(PROVISION), *ssh(fleet))
    done = json.loads(fleet.provision("deploy", "--format", "json", *where).stdout)
    found = {(each["user"], each.get("machine")): each["outcome"] for each in done["users"]}
    assert found == {("u001", "desk"): "installed", ("u001", "laptop"): "installed", ("u002", None): "installed"}
    receipts = sorted(path.name for path in (fleet.root / "receipts").glob("*.receipt"))
    assert receipts == ["u001@desk.receipt", "u001@laptop.receipt", "u002.receipt"]
    env = f"/home/{ACCOUNT}/.hermes/.env"
    for user in ("u001", "u003"):
        assert fleet.keys["u001"].encode() in fleet.users[user].run("cat", env, account=ACCOUNT).stdout

    fleet.users["u003"].cut()
    leave = ("users", "leave", "u001", "--yes", "--deploy", *where)
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


@pytest.mark.parametrize("again", ["with new keys", "without keys"])
def test_a_machine_that_was_set_up_again_is_noticed_and_the_printed_commands_accept_it(
    fleet: Fleet, again: str
) -> None:
    where = ("--account", ACCOUNT, "--command", str(PROVISION), *ssh(fleet))
    fleet.provision("deploy", "-l", "u002", *where)
    host, before = fleet.users["u002"], listed(fleet)[1]["endpoint_key"]
    host.run("sh", "-c", "rm -rf ~/.hermes ~/.config/provision", account=ACCOUNT)
    if again == "with new keys":
        host.run(PROVISION, "enroll", "--user", "u002", "--signer", fleet.provision_signer(), account=ACCOUNT)
    failed = fleet.provision("deploy", "-l", "u002", "--format", "json", *where, code=4)
    (user,) = json.loads(failed.stdout)["users"]
    commands = re.findall("`(provision [^`]+)`", user["cure"])
    assert len(commands) == 3, user
    for command in commands:
        more = {"machines": ("--yes", *where), "deploy": where}.get(command.split()[1], ())
        fleet.provision(*command.split()[1:], *more)
    assert listed(fleet)[1]["endpoint_key"] != before
    env = host.run("cat", f"/home/{ACCOUNT}/.hermes/.env", account=ACCOUNT).stdout
    assert fleet.keys["u002"].encode() in env
    current = json.loads(fleet.provision("status", "--fleet", "-l", "u002", "--format", "json").stdout)
    assert current["users"][0]["current"], "its receipt is signed by the new key"
