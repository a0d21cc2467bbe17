"""Where timers go on each platform, and the commands that switch them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from provision.feed.timer_definition import LABEL, NAME
from provision.feed.timer_install import (
    TimerError,
    link_at_login,
    own_command,
    remove_files,
    run_all,
    switch_off_commands,
    switch_on_commands,
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
    assert own_command(str(script)) == (sys.executable, "-m", "provision")
    script.chmod(0o755)
    assert own_command(str(script)) == (str(script),)
    assert own_command(str(tmp_path / "p.pyz")) == (sys.executable, str(tmp_path / "p.pyz"))
    assert own_command("/usr/bin/pytest") == (sys.executable, "-m", "provision")
