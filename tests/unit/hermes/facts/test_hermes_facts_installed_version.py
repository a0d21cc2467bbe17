"""The versions of Hermes come from the venv of the `hermes` on the PATH, else from our own venv."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from provision.hermes.facts.installed_version import installed_versions

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
    assert installed_versions({"PATH": str(script.parent)}, own_prefix=str(tmp_path / "own")) == ("0.19.0",)


def test_the_interpreter_of_a_script_that_is_elsewhere(tmp_path: Path) -> None:
    script = venv(tmp_path / "venv", "0.20.1rc1")
    elsewhere = tmp_path / "local/bin"
    elsewhere.mkdir(parents=True)
    script.rename(elsewhere / "hermes")
    assert installed_versions({"PATH": str(elsewhere)}, own_prefix=str(tmp_path)) == ("0.20.1rc1",)


def test_a_link_into_the_venv_whose_script_is_not_python(tmp_path: Path) -> None:
    script = venv(tmp_path / "venv", "0.19.0")
    script.write_text("#!/bin/sh\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/hermes").symlink_to(script)
    assert installed_versions({"PATH": str(tmp_path / "bin")}, own_prefix=str(tmp_path)) == ("0.19.0",)


@pytest.mark.parametrize(
    "name", ["hermes_agent-.dist-info", "hermes_agent-x.dist-info", "hermes_agent_extra-1.0.dist-info"]
)
def test_other_folders_are_not_the_package(tmp_path: Path, name: str) -> None:
    script = venv(tmp_path / "venv", None)
    (tmp_path / "venv/lib/python3.11/site-packages" / name).mkdir()
    assert installed_versions({"PATH": str(script.parent)}, own_prefix=str(tmp_path)) == ()


def test_without_hermes_on_the_path_our_own_venv(tmp_path: Path) -> None:
    venv(tmp_path / "own", "0.19.0")
    assert installed_versions({"PATH": str(tmp_path)}, own_prefix=str(tmp_path / "own")) == ("0.19.0",)


def test_the_checkout_of_a_home_and_its_own_version(tmp_path: Path) -> None:
    home = tmp_path / "ada/.hermes"
    venv(home / "hermes-agent/venv", "0.19.0")
    (home / "hermes-agent/hermes_cli").mkdir()
    (home / "hermes-agent/hermes_cli/__init__.py").write_text('__version__ = "0.21.3"\n')
    assert installed_versions({"PATH": str(tmp_path)}, home=home, own_prefix=str(tmp_path)) == ("0.21.3",)


def test_what_a_launcher_starts(tmp_path: Path) -> None:
    venv(tmp_path / "opt/venv", "0.18.2")
    launcher = tmp_path / "ada/.local/bin/hermes"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f'#!/usr/bin/env bash\nunset PYTHONPATH\nexec "{tmp_path}/opt/venv/bin/hermes" "$@"\n')
    found = installed_versions({"PATH": "/nowhere"}, home=tmp_path / "ada/.hermes", own_prefix=str(tmp_path))
    assert found == ("0.18.2",)


def test_what_runs_comes_first_and_each_version_once(tmp_path: Path) -> None:
    script = venv(tmp_path / "path", "0.19.0")
    venv(tmp_path / "running", "0.16.0")
    running = [tmp_path / "running", tmp_path / "path"]
    assert installed_versions({"PATH": str(script.parent)}, running=running) == ("0.16.0", "0.19.0")


@pytest.mark.skipif(os.name == "nt", reason="never asked on Windows")
def test_the_program_is_asked_only_by_its_own_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "app/bin/hermes"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho 'Hermes Agent v0.22.6 (2026.10.1)'\n")
    script.chmod(0o755)
    environ = {"PATH": f"{script.parent}:/usr/bin:/bin"}
    for ids in ((0, 0, 0), (0, 1000, 0), (1000, 1000, 0)):  # the last two: root with the rights of a user
        monkeypatch.setattr(os, "getresuid", lambda ids=ids: ids)
        assert installed_versions(environ, own_prefix=str(tmp_path)) == ()
        assert not (tmp_path / "ran").exists()
    monkeypatch.setattr(os, "getresuid", lambda: (1000, 1000, 1000))
    assert installed_versions(environ, own_prefix=str(tmp_path)) == ("0.22.6",)
