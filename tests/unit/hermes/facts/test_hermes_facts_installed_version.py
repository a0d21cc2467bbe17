"""The version of Hermes comes from the venv of the `hermes` on the PATH, else from our own venv."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.hermes.facts.installed_version import installed_version

if TYPE_CHECKING:
    from pathlib import Path


def venv(root: Path, version: str | None) -> Path:
    """A venv with a `hermes` script; `version` None leaves the package out."""
    packages = root / "lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    if version is not None:
        (packages / f"hermes_agent-{version}.dist-info").mkdir()
    (root / "bin").mkdir()
    script = root / "bin/hermes"
    script.write_text(f"#!{root}/bin/python3\nmain()\n")
    script.chmod(0o755)
    return script


def test_the_venv_of_the_script_on_the_path(tmp_path: Path) -> None:
    script = venv(tmp_path / "venv", "0.19.0")
    venv(tmp_path / "own", "0.1")
    assert installed_version({"PATH": str(script.parent)}, str(tmp_path / "own")) == "0.19.0"


def test_the_interpreter_of_a_script_that_is_elsewhere(tmp_path: Path) -> None:
    script = venv(tmp_path / "venv", "0.20.1rc1")
    elsewhere = tmp_path / "local/bin"
    elsewhere.mkdir(parents=True)
    script.rename(elsewhere / "hermes")
    assert installed_version({"PATH": str(elsewhere)}, str(tmp_path)) == "0.20.1rc1"


def test_a_link_into_the_venv_whose_script_is_not_python(tmp_path: Path) -> None:
    script = venv(tmp_path / "venv", "0.19.0")
    script.write_text("#!/bin/sh\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/hermes").symlink_to(script)
    assert installed_version({"PATH": str(tmp_path / "bin")}, str(tmp_path)) == "0.19.0"


@pytest.mark.parametrize(
    "name", ["hermes_agent-.dist-info", "hermes_agent-x.dist-info", "hermes_agent_extra-1.0.dist-info"]
)
def test_other_folders_are_not_the_package(tmp_path: Path, name: str) -> None:
    script = venv(tmp_path / "venv", None)
    (tmp_path / "venv/lib/python3.11/site-packages" / name).mkdir()
    assert installed_version({"PATH": str(script.parent)}, str(tmp_path)) is None


def test_without_hermes_on_the_path_our_own_venv(tmp_path: Path) -> None:
    venv(tmp_path / "own", "0.19.0")
    assert installed_version({"PATH": str(tmp_path)}, str(tmp_path / "own")) == "0.19.0"
