"""Whether wheels alone can be installed, for each system and Python that users have. Asks the package index; needs `uv`."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from provision.packaging.zipapp import build_zipapp

ROOT = Path(__file__).parents[2]
PLATFORMS = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
WITHOUT = {"x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "aarch64-pc-windows-msvc"}
"""docs/platforms.md says so: no wheel of pyrage."""


def without_wheels(platform: str, python: str, *options: str) -> str:
    """What the resolver says that has no wheel; empty if all have."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--only-binary", ":all:", "pyproject.toml", *options]
    command += ["--python-platform", platform, "--python-version", python, "--output-file", os.devnull]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr[-600:] if done.returncode else ""


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.programs("uv")
def test_windows_on_arm_lacks_pyrage_alone(tmp_path: Path) -> None:
    absent = tmp_path / "absent.txt"
    absent.write_text("pyrage; python_version < '3'\n")
    for python in PYTHONS[1:]:
        assert without_wheels("aarch64-pc-windows-msvc", python, "--overrides", str(absent)) == ""


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.programs("uv")
def test_wheels_alone_are_enough() -> None:
    missing = {}
    for platform in PLATFORMS:
        for python in PYTHONS:
            if said := without_wheels(platform, python):
                missing[platform, python] = said
    assert {platform for platform, _ in missing} == WITHOUT, missing
    assert len(missing) == len(WITHOUT) * len(PYTHONS)
    named = ("pyrage", "pyyaml")  # for Windows on ARM with 3.11 the resolver names the second
    assert all(any(name in said for name in named) for said in missing.values()), missing


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_single_file_for_windows_has_what_only_windows_needs(tmp_path: Path) -> None:
    target = tmp_path / "windows.pyz"
    names = {line.partition("==")[0].lower() for line in build_zipapp(target, pythons=("3.12",), platform="win_amd64")}
    assert {"colorama", "pydantic-core", "cryptography"} <= {name.replace("_", "-") for name in names}
    with zipfile.ZipFile(target) as archive:
        binaries = [name for name in archive.namelist() if name.endswith((".so", ".pyd"))]
    assert binaries
    assert all(name.endswith(".pyd") for name in binaries)
