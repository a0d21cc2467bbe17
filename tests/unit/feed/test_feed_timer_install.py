"""Where timers go on each platform, and the commands that switch them."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

from provision.feed.timer_definition import LABEL, NAME
from provision.feed.timer_install import (
    TemporaryPathError,
    TimerError,
    link_at_login,
    own_command,
    remove_files,
    require_lasting,
    run_all,
    switch_off_commands,
    switch_on_commands,
    temporary_folders,
    timer_folder,
    write_files,
)
from provision.fleet.desired import Platform

HOME = {"HOME": "/home/ada"}


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        (Platform.LINUX, HOME, "/home/ada/.config/systemd/user"),
        (Platform.LINUX, {**HOME, "XDG_CONFIG_HOME": "/x"}, "/x/systemd/user"),
        (Platform.MACOS, HOME, "/home/ada/Library/LaunchAgents"),
        (Platform.WINDOWS, HOME, "/config"),
    ],
)
def test_folders(platform: Platform, environ: dict[str, str], folder: str) -> None:
    assert timer_folder(platform, environ, Path("/config")) == Path(folder)


def test_removing_takes_only_the_timers_files(tmp_path: Path) -> None:
    files = {f"{NAME}.timer": b"t", f"{NAME}.service": b"s"}
    assert {path.name for path in write_files(tmp_path / "user", files)} == set(files)
    (tmp_path / "user" / "other.timer").write_text("x")
    for _ in range(2):
        link_at_login(tmp_path / "user")
    link = tmp_path / "user" / "timers.target.wants" / f"{NAME}.timer"
    assert link.resolve() == (tmp_path / "user" / f"{NAME}.timer").resolve()
    assert {path.name for path in remove_files(Platform.LINUX, tmp_path / "user")} == set(files)
    assert not link.is_symlink()
    assert (tmp_path / "user" / "other.timer").exists()
    assert remove_files(Platform.LINUX, tmp_path / "user") == ()


@pytest.mark.parametrize("platform", list(Platform))
def test_commands_name_the_timer(platform: Platform, tmp_path: Path) -> None:
    name = LABEL if platform is Platform.MACOS else NAME
    for commands in (switch_on_commands(platform, tmp_path), switch_off_commands(platform)):
        assert name in " ".join(commands[-1])


def test_a_failed_command_is_shown_with_its_last_line() -> None:
    with pytest.raises(TimerError, match="exited with 3: second"):
        run_all([(sys.executable, "-c", "import sys; print('first\\nsecond', file=sys.stderr); sys.exit(3)")])
    with pytest.raises(TimerError, match="not switched on") as caught:
        run_all([("/nonexistent/systemctl", "start")])
    assert "/nonexistent/systemctl start" in caught.value.hint


def test_the_own_command_is_absolute(tmp_path: Path) -> None:
    script = tmp_path / "provision"
    script.write_text("#!/bin/sh\n")
    assert own_command(str(script)) == (sys.executable, "-P", "-m", "provision")
    script.chmod(0o755)
    assert own_command(str(script)) == (str(script),)
    assert own_command(str(tmp_path / "p.pyz")) == (sys.executable, str(tmp_path / "p.pyz"))
    assert own_command("/usr/bin/pytest") == (sys.executable, "-P", "-m", "provision")


def test_on_windows_a_python_without_a_console_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "provision.exe"
    script.touch(0o755)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python.exe"))
    assert own_command(str(script)) == (str(tmp_path / "python.exe"), "-P", "-m", "provision")
    (tmp_path / "pythonw.exe").touch()
    assert own_command(str(script)) == (str(tmp_path / "pythonw.exe"), "-P", "-m", "provision")
    assert own_command(str(tmp_path / "p.pyz")) == (str(tmp_path / "pythonw.exe"), str(tmp_path / "p.pyz"))


@pytest.mark.parametrize(
    ("word", "home", "refused"),
    [
        ("/tmp/x/provision.pyz", "/home/ada", True),
        ("/var/folders/a/T/x/provision.pyz", "/home/ada", True),
        ("/home/ada/tmp/x.pyz", "/home/ada", True),
        ("/tmpfiles/provision.pyz", "/home/ada", False),
        ("/home/ada/.local/share/hermes-provision/provision.pyz", "/home/ada", False),
        ("/tmp/home/ada/provision.pyz", "/tmp/home/ada", False),
        ("/tmp/home/other/provision.pyz", "/tmp/home/ada", False),
        ("/var/folders/x.pyz", "/tmp/home/ada", True),
        ("pull", "/home/ada", False),
    ],
)
def test_a_timer_needs_nothing_that_is_soon_deleted(word: str, home: str, refused: bool) -> None:
    folders = [Path("/tmp"), Path("/var/folders"), Path("/home/ada/tmp")]
    with pytest.raises(TemporaryPathError, match="temporary files") if refused else contextlib.nullcontext():
        require_lasting(("/usr/bin/python3", word), Path(home), folders)


def test_the_folders_for_temporary_files() -> None:
    assert {Path("/tmp"), Path("/var/tmp"), Path("/scratch")} <= set(temporary_folders({"TMPDIR": "/scratch"}))
