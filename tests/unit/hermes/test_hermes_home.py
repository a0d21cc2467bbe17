"""Where homes are."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.fleet.desired import Platform
from provision.hermes.home import HomePaths, NoHomeError, default_home, effective_home


def test_default_homes() -> None:
    assert default_home(Platform.LINUX, {"HOME": "/home/ada"}) == "/home/ada/.hermes"
    assert default_home(Platform.MACOS, {"HOME": "/Users/ada"}) == "/Users/ada/.hermes"
    assert default_home(Platform.WINDOWS, {"LOCALAPPDATA": r"C:\U\ada\Local"}) == r"C:\U\ada\Local\hermes"
    assert default_home(Platform.WINDOWS, {"USERPROFILE": r"C:\U\ada"}) == r"C:\U\ada\AppData\Local\hermes"
    assert default_home(Platform.LINUX, {"HOME": "/home/ada", "HERMES_HOME": " /srv/h "}) == "/srv/h"


@pytest.mark.parametrize("platform", list(Platform))
def test_no_home_is_said(platform: Platform) -> None:
    with pytest.raises(NoHomeError) as e:
        default_home(platform, {})
    assert "--home" in e.value.hint


def test_profiles_lie_in_the_home() -> None:
    root = Path("/h")
    assert effective_home(root, None) == root
    assert effective_home(root, "default") == root
    assert effective_home(root, "blue") == root / "profiles" / "blue"
    for bad in ("../x", "", "Blue", "a/b", "x" * 65):
        with pytest.raises(NoHomeError):
            effective_home(root, bad)


def test_paths() -> None:
    paths = HomePaths(Path("/h"))
    assert paths.config == Path("/h/config.yaml")
    assert paths.env.name == ".env"
    assert paths.auth.name == "auth.json"
    assert {p.parent for p in (paths.rendering, paths.manifest, paths.sealed_env, paths.receipts)} == {paths.provision}


@pytest.mark.parametrize(
    "value",
    [
        "~/.hermes",
        '"/home/ada/.hermes"',
        "%LOCALAPPDATA%\\hermes",
        "hermes",
        "./hermes",
        r"D:\hermes-desktop\hermes",
        "$HOME/h",
    ],
)
@pytest.mark.parametrize("platform", [Platform.LINUX, Platform.MACOS])
def test_a_home_that_is_no_path_of_this_system_is_refused(platform: Platform, value: str) -> None:
    with pytest.raises(NoHomeError, match="HERMES_HOME is not an absolute path on this system") as caught:
        default_home(platform, {"HOME": "/home/ada", "HERMES_HOME": value})
    assert "HERMES_HOME" in caught.value.hint


@pytest.mark.parametrize(
    "value", ["/mnt/d/hermes", "~\\hermes", "%LOCALAPPDATA%\\hermes", "hermes", '"D:\\hermes"', r"D:hermes"]
)
def test_the_same_on_windows(value: str) -> None:
    with pytest.raises(NoHomeError, match="HERMES_HOME"):
        default_home(Platform.WINDOWS, {"LOCALAPPDATA": r"C:\U", "HERMES_HOME": value})
    assert default_home(Platform.WINDOWS, {"HERMES_HOME": r"D:\hermes"}) == r"D:\hermes"
    assert default_home(Platform.WINDOWS, {"HERMES_HOME": r"\\srv\share\h"}) == r"\\srv\share\h"
