"""A machine with Python and no provision: the role brings the single file, enrols, and the bundle installs with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bedcraft import ACCOUNT
from fleetcraft import Fleet

pytestmark = [pytest.mark.bed, pytest.mark.timeout(300)]


def test_the_role_brings_provision_as_a_single_file(make_fleet: Callable[[int], Fleet]) -> None:
    fleet = make_fleet(2)
    built = [fleet.folder / name / "provision.pyz" for name in ("one", "two")]
    for path in built:
        fleet.provision("build-zipapp", "--output", str(path), workspace=False)
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in built)
    assert first == second
    fleet.install_collection()
    (fleet.root / "host_vars").mkdir()
    for user in fleet.users:  # the debian python of the machines, and no provision anywhere
        (fleet.root / "host_vars" / f"{user}.yml").write_text(yaml.safe_dump({"hermes_command": ""}))
    bring = ("-e", "hermes_endpoint_method=zipapp", "-e", f"hermes_endpoint_zipapp={built[0]}")
    collected = fleet.folder / "enrolments"
    fleet.playbook("enrol", "-e", f"hermes_enrolments={collected}", *bring)
    for user, host in fleet.users.items():
        found = yaml.safe_load((collected / f"{user}.json").read_text())
        fleet.entries[user] |= {"recipients": found["recipients"], "endpoint_key": found["endpoint_key"]}
        cache = host.home / ".cache" / "hermes-provision"
        assert cache.stat().st_mode & 0o777 == 0o700
        assert Path(host.home / ".local/share/hermes-provision/provision.pyz").is_file()
    fleet.write_inventory()
    fleet.import_keys()
    fleet.render()
    assert fleet.deploy()["summary"] == {"installed": 2}
    for user, key in fleet.keys.items():
        assert f"AISA_API_KEY={key}" in fleet.env_file(user).splitlines()
    again = fleet.playbook("enrol", "-e", f"hermes_enrolments={collected}", *bring).stdout
    assert again.count("changed=0") == 2
    pyz = f"/home/{ACCOUNT}/.local/share/hermes-provision/provision.pyz"
    said = fleet.users["u001"].run(pyz, "status", account=ACCOUNT).stdout.decode()
    assert "installed  u001" in said
