"""This machine: its platform, its home, its signers, and whether this provision is new enough."""

from __future__ import annotations

from pathlib import Path

import pytest

import provision
from provision.cli.endpoint.machine import TooOldError, chosen_home, require_version, this_platform, trusted_signers
from provision.endpoint.state import kept_paths
from provision.errors import UsageError


@pytest.mark.parametrize(
    ("name", "platform"),
    [("win32", "windows"), ("cygwin", "windows"), ("darwin", "macos"), ("linux", "linux"), ("freebsd14", "linux")],
)
def test_platforms(name: str, platform: str) -> None:
    assert this_platform(name).value == platform


@pytest.mark.parametrize("wanted", ["0.1", "0.1.0", "0.0.9rc1"[:5], provision.__version__])
def test_old_enough_versions(wanted: str) -> None:
    require_version(wanted)
    require_version(None)


def test_a_newer_version_is_required() -> None:
    with pytest.raises(TooOldError, match=r"at least 99\.0 is required"):
        require_version("99.0")


@pytest.mark.parametrize("wanted", ["", "new", "1.x", "v1.0"])
def test_invalid_versions(wanted: str) -> None:
    with pytest.raises(UsageError, match="invalid version"):
        require_version(wanted)


def set_up(home: Path) -> Path:
    manifest = home / kept_paths(home).manifest
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    return home


def test_the_home_itself_comes_first(tmp_path: Path) -> None:
    set_up(tmp_path / "profiles" / "work")
    assert chosen_home(tmp_path, None) == (tmp_path, "work")
    set_up(tmp_path)
    assert chosen_home(tmp_path, None) == (tmp_path, None)
    assert chosen_home(tmp_path, "other") == (tmp_path, "other")


def test_two_profiles_are_no_choice(tmp_path: Path) -> None:
    for name in ("work", "play"):
        set_up(tmp_path / "profiles" / name)
    assert chosen_home(tmp_path, None) == (tmp_path, None)


def test_a_named_file_of_signers_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="file not found"):
        trusted_signers(tmp_path / "signers")
