"""What a Hermes home is, and where else its owner may have a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.audit.sources.hermes_home import companion_paths, is_hermes_home


@pytest.mark.parametrize(
    ("folder", "names", "expected"),
    [
        ("x/.hermes", {".env"}, True),
        ("x/.hermes", {"logs"}, False),
        ("x/hermes", {".env", "config.yaml"}, True),
        ("x/hermes", {".env"}, False),
        ("x/backup", {".env", "config.yaml", "sessions", "logs"}, True),
        ("x/backup", {".env", "sessions", "logs", "cron"}, False),
        ("x/backup", {".env", "sessions", "logs", "cron", "skills"}, True),
        ("x/app", {".env", "config.yaml"}, False),
        ("x/app", set(), False),
    ],
)
def test_a_home_is_known_by_its_entries(folder: str, names: set[str], expected: bool) -> None:
    assert is_hermes_home(folder, names) is expected


def test_a_bare_home_is_known_by_what_its_config_says(tmp_path: Path) -> None:
    names = {".env", "config.yaml"}
    config = tmp_path / "config.yaml"
    config.write_text("model: x\n")
    assert not is_hermes_home(str(tmp_path), names)
    config.write_text("model: x\n_config_version: 33\n")
    assert is_hermes_home(str(tmp_path), names)


def test_companions_are_what_exists_beside_the_home(tmp_path: Path) -> None:
    home, tabs = tmp_path / ".hermes", tmp_path / "tabs"
    for folder in (home, tabs, tmp_path / "managed", tmp_path / ".config" / "systemd" / "user"):
        folder.mkdir(parents=True)
    (tmp_path / ".bash_history").touch()
    (tmp_path / ".zshrc").symlink_to("missing")
    (tmp_path / "notes.txt").touch()
    (tabs / home.owner()).touch()
    (tabs / "another-user").touch()
    found = companion_paths(home, crontabs=(str(tabs), str(tmp_path / "no-tabs")), managed=str(tmp_path / "managed"))
    assert sorted(found) == sorted(
        [
            tmp_path / ".bash_history",
            tmp_path / ".zshrc",
            tmp_path / ".config/systemd/user",
            tabs / home.owner(),
            tmp_path / "managed",
        ]
    )


def test_powershells_profiles_and_histories_are_companions(tmp_path: Path) -> None:
    home = tmp_path / ".hermes"
    home.mkdir()
    expected = [
        "Documents/WindowsPowerShell/profile.ps1",
        "OneDrive - Example/Documents/PowerShell/Microsoft.PowerShell_profile.ps1",
        "AppData/Roaming/Microsoft/Windows/PowerShell/PSReadLine/ConsoleHost_history.txt",
        "AppData/Roaming/Microsoft/Windows/PowerShell/PSReadLine/Visual Studio Code Host_history.txt",
    ]
    for name in (*expected, "Documents/PowerShell/Modules/x.ps1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(companion_paths(home, crontabs=(), managed="/none")) == sorted(tmp_path / name for name in expected)
