"""Machines with Python and a package index of their own: the role brings provision with pip or pipx, and replaces an old one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bedcraft import ACCOUNT, Host
from fleetcraft import Fleet

import provision

pytestmark = [pytest.mark.bed, pytest.mark.timeout(600)]

REPO = Path(__file__).parents[3]
OLD = "0.0.9"
INDEX = "/srv/wheels"
AT = {"pip": ".hermes/hermes-agent/venv/bin/provision", "pipx": ".local/bin/provision"}


def _wheels(folder: Path) -> Path:
    """Wheels of this source, of the same with an older version, and of all they need: what a company's index would hold."""
    source, wheels = folder / "old", folder / "wheels"
    left_out = shutil.ignore_patterns("__pycache__", ".git", ".venv", ".*cache", "tests", "dist")
    shutil.copytree(REPO, source, ignore=left_out)
    package = source / "provision" / "__init__.py"
    package.write_text(re.sub(r'(?m)^__version__ = ".*"$', f'__version__ = "{OLD}"', package.read_text()))
    for root, more in ((REPO, ()), (source, ("--no-deps",))):
        line = [sys.executable, "-m", "pip", "wheel", "-q", "-w", wheels, *more, root]
        subprocess.run(line, check=True, capture_output=True)
    return wheels


def _wheel(version: str) -> str:
    return f"hermes_provision-{version}-py3-none-any.whl"


def _serve(host: Host, wheels: Path) -> None:
    shutil.copytree(wheels, host.root / INDEX.lstrip("/"))
    (host.root / "etc" / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {INDEX}\n")


def _version(fleet: Fleet, user: str, method: str) -> str:
    program = f"/home/{ACCOUNT}/{AT[method]}"
    return fleet.users[user].run(program, "--version", account=ACCOUNT).stdout.decode().split()[1]


def test_the_role_brings_provision_with_pip_and_with_pipx_and_replaces_an_old_one(
    make_fleet: Callable[[int], Fleet], tmp_path: Path
) -> None:
    fleet = make_fleet(2)
    wheels = _wheels(tmp_path)
    fleet.install_collection()
    (fleet.root / "host_vars").mkdir()
    methods = dict(zip(fleet.users, AT, strict=True))
    for user, method in methods.items():
        _serve(fleet.users[user], wheels)
        variables = {"hermes_command": "", "hermes_endpoint_method": method}
        (fleet.root / "host_vars" / f"{user}.yml").write_text(yaml.safe_dump(variables))
    old = ("-e", f"hermes_endpoint_package={INDEX}/{_wheel(OLD)}")
    fleet.playbook("enrol", *old)
    assert [_version(fleet, user, method) for user, method in methods.items()] == [OLD, OLD]
    assert fleet.playbook("enrol", *old).stdout.count("changed=0") == 2
    package = f"hermes_endpoint_package={INDEX}/{_wheel(provision.__version__)}"
    new = ("-e", package, "-e", f"hermes_endpoint_requires={provision.__version__}")
    fleet.playbook("enrol", *new)
    assert [_version(fleet, user, method) for user, method in methods.items()] == [provision.__version__] * 2
    assert fleet.playbook("enrol", *new).stdout.count("changed=0") == 2
    fleet.enrol_quickly()
    fleet.import_keys()
    fleet.render()
    assert fleet.deploy()["summary"] == {"installed": 2}
    for user, key in fleet.keys.items():
        assert f"AISA_API_KEY={key}" in fleet.env_file(user).splitlines()
