"""What `status` says of one home for different versions of Hermes, and of settings that newer versions obey."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bundlecraft import NOW, PROFILE, Shop

from provision.endpoint.apply import DiskWriter
from provision.endpoint.install import InstallRequest, install_bundle
from provision.endpoint.machine_hermes import hermes_on_machine
from provision.endpoint.overall import OverallState
from provision.endpoint.status import HomeStatus, home_status, home_status_json
from provision.fleet.desired import Platform
from provision.hermes.facts.selection import VERIFIED_VERSIONS, hermes_in_use
from provision.keys.age import load_identities
from provision.report.home_status import as_table

UNVERIFIED = ["0.15.2", "0.17.0", "0.19.1", "0.20.6", "0.21.3", "0.22.6", "1.0", "0.19.0rc1"]


class ProvisionedHome:
    """A home with an installed bundle."""

    def __init__(self, folder: Path, *, managed: bool = False) -> None:
        self.folder, self.home, self.shop = folder, folder / ".hermes", Shop(users=("ada",))
        self.managed_dir = folder / "etc" if managed else None
        self.environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
        identity = folder / "identity.txt"
        folder.mkdir(parents=True)
        self.shop.identity_file("ada", identity)
        request = InstallRequest(
            signers=self.shop.signers,
            identities=load_identities(identity),
            platform=Platform.LINUX,
            home=self.home,
            managed_dir=self.managed_dir,
        )
        profile = replace(PROFILE, managed=managed)
        install_bundle(
            self.shop.bundle("ada", profile=profile), request, DiskWriter(folder), environ=self.environ, now=NOW
        )
        if self.managed_dir:
            self.environ["HERMES_MANAGED_DIR"] = str(self.managed_dir)

    def status(self, *versions: str) -> HomeStatus:
        hermes = hermes_in_use(versions)
        return home_status(self.home, signers=self.shop.signers, environ=self.environ, now=NOW, hermes=hermes)


@pytest.fixture
def ada(tmp_path: Path) -> ProvisionedHome:
    return ProvisionedHome(tmp_path / "ada")


@pytest.mark.parametrize("version", VERIFIED_VERSIONS)
def test_a_verified_version_is_ok_and_named(ada: ProvisionedHome, version: str) -> None:
    found = ada.status(version)
    assert found.state is OverallState.OK, found
    assert as_table(found, None, ()).splitlines()[-1] == f"state      ok: as Hermes {version} does (verified)"


@pytest.mark.parametrize("versions", [[], ["0.19.0", "0.21.3"], ["0.19.0", "0.18.2"], *([v] for v in UNVERIFIED)])
def test_no_other_version_is_ever_ok(ada: ProvisionedHome, versions: list[str]) -> None:
    found = ada.status(*versions)
    assert found.state is OverallState.OK_UNVERIFIED
    assert found.ok
    shown = home_status_json(found)
    assert (shown["state"], shown["hermes_verified"]) == ("ok-unverified", False)
    assert shown["hermes_version"] == (versions[0] if versions else None)
    assert all(version in shown["as_hermes"] for version in versions)
    last = as_table(found, None, ()).splitlines()[-1]
    assert last.startswith("state      ok as far as known: ")
    assert last.endswith(found.hermes.statement)


def test_a_problem_stays_a_problem_on_every_version(ada: ProvisionedHome) -> None:
    (ada.home / ".env").write_text("AISA_API_KEY=sk-aisa-TEST-other-key\n")
    for version in (*VERIFIED_VERSIONS, *UNVERIFIED):
        assert ada.status(version).state is OverallState.PROBLEM


def test_remote_config_decides_where_the_version_knows_it(ada: ProvisionedHome) -> None:
    with (ada.home / ".env").open("a") as file:
        file.write("HERMES_CONFIG_BACKEND=remote\n")
    older = ada.status("0.19.0")
    assert older.state is OverallState.OK
    assert [(h.id, h.severity.value) for h in older.route.hazards] == [("newer-setting-decides", "warning")]
    assert "not read by 0.19.0" in older.route.hazards[0].why
    newer = ada.status("0.21.3")
    assert not newer.ok
    assert newer.route.unknown
    assert newer.check is not None
    assert not any(check.ok for check in newer.check.checks.values())
    assert {c["ok"] for c in home_status_json(newer)["checks"].values()} == {False}


def test_remote_config_of_the_process_or_the_managed_scope_counts_too(tmp_path: Path) -> None:
    ada = ProvisionedHome(tmp_path / "ada", managed=True)
    assert ada.managed_dir is not None
    with (ada.managed_dir / ".env").open("a") as file:
        file.write("HERMES_CONFIG_BACKEND=remote\n")
    assert not ada.status("0.21.3").ok
    bob = ProvisionedHome(tmp_path / "bob")
    bob.environ["HERMES_CONFIG_BACKEND"] = "remote"
    assert not bob.status("0.22.6").ok
    assert any(h.id == "newer-setting-decides" for h in bob.status("0.16.0").route.hazards)


def test_a_managed_bundle_has_no_effect_on_0_16(tmp_path: Path) -> None:
    ada = ProvisionedHome(tmp_path / "ada", managed=True)
    assert ada.status("0.18.2").state is OverallState.OK
    found = ada.status("0.16.0")
    assert found.state is OverallState.PROBLEM
    assert [h.why for h in found.route.hazards if h.id == "managed-not-applied"] == [
        "Hermes 0.16.0 has no managed scope: it ignores these files"
    ]


def test_a_higher_config_version_is_left_alone(ada: ProvisionedHome) -> None:
    path = ada.home / "config.yaml"
    path.write_text(path.read_text().replace("_config_version: 33", "_config_version: 45"))
    for version in ("0.16.0", "0.19.0", "0.21.3"):
        found = ada.status(version)
        assert found.ok
        assert "config-version" not in {h.id for h in found.route.hazards}
    path.write_text(path.read_text().replace("_config_version: 45", "_config_version: 32"))
    cures = {v: [h.cure for h in ada.status(v).route.hazards if h.id == "config-version"] for v in ("0.19.0", "0.21.3")}
    assert cures == {"0.19.0": ["set it to 33"], "0.21.3": ["let Hermes migrate it, then install the bundle again"]}


def test_the_machine_is_looked_at(ada: ProvisionedHome) -> None:
    packages = ada.home / "hermes-agent/venv/lib/python3.11/site-packages"
    (packages / "hermes_agent-0.18.2.dist-info").mkdir(parents=True)
    script = ada.folder / ".local/bin/hermes"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\nexec "{ada.home}/hermes-agent/venv/bin/hermes" "$@"\n')
    assert hermes_on_machine(ada.home, ada.environ) == hermes_in_use(["0.18.2"])
    assert hermes_on_machine(ada.home / "profiles/blue", ada.environ).version == "0.18.2"


def test_the_facts_of_0_21_change_the_route(ada: ProvisionedHome) -> None:
    env = (ada.home / ".env").read_bytes()
    (ada.home / ".env").write_bytes(b"\xef\xbb\xbf" + env)
    assert not ada.status("0.19.0").ok
    assert ada.status("0.21.3").ok
    assert "sk-" not in json.dumps(home_status_json(ada.status("0.21.3")))
