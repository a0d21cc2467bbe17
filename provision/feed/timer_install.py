"""Install a timer in its platform's folder, and switch it on or off."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.feed.timer_definition import LABEL, NAME
from provision.files import write_atomic
from provision.fleet.desired import Platform
from provision.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TimerError(ProvisionError):
    """The timer's files are written, but the platform failed to switch it on or off."""


class TemporaryPathError(ProvisionError):
    """The timer would need something that is soon deleted."""


def timer_folder(platform: Platform, environ: Mapping[str, str], config: Path) -> Path:
    """The folder for a user's timers; on Windows provision's configuration folder, since tasks are in the registry."""
    home = Path(environ.get("HOME") or Path.home())
    if platform is Platform.MACOS:
        return home / "Library" / "LaunchAgents"
    if platform is Platform.WINDOWS:
        return config
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "systemd" / "user"


def write_files(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write the timer's files atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_atomic(folder / name, data, mode=0o644, durable=False)
    return tuple(folder / name for name in files)


def link_at_login(folder: Path) -> None:
    """Do what `systemctl --user enable` does, but without the user's systemd, which runs only while the user is logged in."""
    wants = folder / "timers.target.wants"
    wants.mkdir(exist_ok=True)
    link = wants / f"{NAME}.timer"
    if not link.is_symlink():
        link.symlink_to(Path("..") / f"{NAME}.timer")


def starts_at_login(platform: Platform) -> bool:
    """Whether written files are enough for the timer to start at the next login. A Windows task must be registered."""
    return platform is not Platform.WINDOWS


def switch_on_commands(platform: Platform, folder: Path) -> tuple[tuple[str, ...], ...]:
    """The commands that start the timer now."""
    if platform is Platform.MACOS:
        plist = str(folder / f"{LABEL}.plist")
        return (("launchctl", "bootstrap", _domain(), plist),)
    if platform is Platform.WINDOWS:
        return (("schtasks", "/Create", "/F", "/TN", NAME, "/XML", str(folder / f"{NAME}.xml")),)
    return (("systemctl", "--user", "daemon-reload"), ("systemctl", "--user", "start", f"{NAME}.timer"))


def switch_off_commands(platform: Platform) -> tuple[tuple[str, ...], ...]:
    """The commands that stop the timer."""
    if platform is Platform.MACOS:
        return (("launchctl", "bootout", f"{_domain()}/{LABEL}"),)
    if platform is Platform.WINDOWS:
        return (("schtasks", "/Delete", "/F", "/TN", NAME),)
    return (("systemctl", "--user", "stop", f"{NAME}.timer"),)


def run_all(commands: Sequence[Sequence[str]]) -> None:
    """Run each command. Raises TimerError with the failed command and its message."""
    for command in commands:
        shown = " ".join(command)
        try:
            done = subprocess.run(list(command), capture_output=True, timeout=60, check=False)  # noqa: S603  the tables above
        except (OSError, subprocess.TimeoutExpired) as e:
            raise TimerError(
                f"the timer is written but not switched on: {command[0]} does not work here",
                hint=f"run in a session of the user: {shown}",
            ) from e
        if done.returncode:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines() or [""]
            raise TimerError(
                f"`{shown}` exited with {done.returncode}: {said[-1][:200]}", hint="run it in a session of the user"
            )


def remove_files(platform: Platform, folder: Path) -> tuple[Path, ...]:
    """Remove the timer's files; returns those that existed."""
    names = {
        Platform.MACOS: (f"{LABEL}.plist",),
        Platform.WINDOWS: (f"{NAME}.xml",),
        Platform.LINUX: (f"{NAME}.timer", f"{NAME}.service"),
    }[platform]
    (folder / "timers.target.wants" / f"{NAME}.timer").unlink(missing_ok=True)
    there = tuple(folder / name for name in names if (folder / name).exists())
    for path in there:
        path.unlink()
    return there


def own_command(argv0: str = sys.argv[0]) -> tuple[str, ...]:
    """The command that runs this program, with absolute paths: the installed script, a zipapp, or the module.

    On Windows it is run by the Python without a console (`pythonw.exe`), so that no window appears; `-P`: not from the
    folder that the timer starts in.
    """
    path = Path(argv0)
    python = sys.executable
    platform: str = sys.platform  # or mypy checks the branch of this system only
    if platform == "win32":
        windowless = Path(python).with_name("pythonw.exe")
        python = str(windowless) if windowless.is_file() else python
        module = (python, "-P", "-m", "provision")
        return (python, str(path.absolute())) if path.suffix == ".pyz" else module
    if path.suffix == ".pyz":
        return (python, str(path.absolute()))
    found = find_program(argv0) if path.parent == Path() else argv0
    if found and Path(found).stem == "provision" and os.access(found, os.X_OK) and Path(found).is_file():
        return (str(Path(found).absolute()),)
    return (python, "-P", "-m", "provision")


def require_lasting(words: Sequence[str], home: Path, temporary: Sequence[Path]) -> None:
    """Refuse a timer that runs or reads something in a folder for temporary files: an installer's is deleted when it ends.

    A folder in which the home itself is (a test machine's) is as lasting as the home. Raises TemporaryPathError.
    """
    real_home = _comparable(home)
    for word in words:
        if not Path(word).is_absolute():
            continue
        path = _comparable(Path(word))
        for folder in map(_comparable, temporary):
            if path.is_relative_to(folder) and not real_home.is_relative_to(folder):
                raise TemporaryPathError(
                    f"{word} is in a folder for temporary files: the timer would stop to work when it is deleted",
                    hint="move it to a place that stays, such as ~/.local/share/hermes-provision, and run it from there",
                )


def temporary_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders for temporary files of this system, and those in which device managers unpack packages."""
    platform: str = sys.platform
    found = {tempfile.gettempdir(), *(environ[name] for name in ("TMPDIR", "TEMP", "TMP") if environ.get(name))}
    if platform == "win32":
        windows, programs = environ.get("SYSTEMROOT", r"C:\Windows"), environ.get("PROGRAMFILES(X86)")
        found |= {rf"{windows}\Temp", rf"{windows}\IMECache"}
        found |= {rf"{programs}\Microsoft Intune Management Extension\Content"} if programs else set()
    else:
        found |= {"/tmp", "/var/tmp", "/private/tmp", "/private/var/tmp", "/private/var/folders"}  # noqa: S108
    return tuple(Path(folder) for folder in sorted(found) if Path(folder).is_absolute())


def _comparable(path: Path) -> Path:
    """The path behind links (/tmp is one on macOS), in one case where the system has one."""
    return Path(os.path.normcase(os.path.realpath(path)))


def _domain() -> str:
    return f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}"
