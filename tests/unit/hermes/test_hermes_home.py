"""Where homes are."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.fleet.desired import Platform
from provision.hermes.home import HomePaths, NoHomeError, default_home, effective_home, expand_home, given_home


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


WINDOWS_ENVIRON = {"LOCALAPPDATA": "C:\\Users\\ada\\AppData\\Local", "USERPROFILE": "C:\\Users\\ada", "SECRET": "C:\\x"}


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("%LOCALAPPDATA%\\hermes", "C:\\Users\\ada\\AppData\\Local\\hermes"),
        ("%LocalAppData%/hermes", "C:\\Users\\ada\\AppData\\Local/hermes"),
        ("~/hermes", "C:\\Users\\ada\\hermes"),
        ("D:\\hermes", "D:\\hermes"),
        ("\\\\server\\share\\hermes", "\\\\server\\share\\hermes"),
        ("%APPDATA%\\hermes", None),
        ("%SECRET%\\hermes", None),
        ("%LOCALAPPDATA%hermes", None),
        ("%LOCALAPPDATA%\\%SECRET%", None),
        ("C:\\a\\%SECRET%", None),
        ("C:hermes", None),
        ("\\hermes", None),
        ("hermes", None),
        ("/home/ada/.hermes", None),
    ],
)
def test_homes_of_windows_users(named: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(NoHomeError, match="is not an absolute path on this system"):
            expand_home(named, Platform.WINDOWS, WINDOWS_ENVIRON)
    else:
        assert str(expand_home(named, Platform.WINDOWS, WINDOWS_ENVIRON)) == expected


@pytest.mark.parametrize("named", ["%LOCALAPPDATA%\\hermes", "C:\\hermes", "hermes", "~ada/hermes"])
def test_no_home_is_made_below_the_current_folder(named: str) -> None:
    with pytest.raises(NoHomeError):
        expand_home(named, Platform.LINUX, {"HOME": "/home/ada", "LOCALAPPDATA": "/x"})
    if named[0] in "~%":
        with pytest.raises(NoHomeError):
            given_home(Path(named), Platform.LINUX, {"HOME": "/home/ada"})
    assert expand_home("~/h", Platform.MACOS, {"HOME": "/Users/ada"}) == Path("/Users/ada/h")
    assert given_home(Path("~/h"), Platform.LINUX, {"HOME": "/home/ada"}) == Path("/home/ada/h")
    assert given_home(Path("h"), Platform.LINUX, {}) == Path("h").absolute()
