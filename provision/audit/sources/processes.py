"""Environments and command lines of the user's own processes: from `/proc`, from `ps` on macOS.

Windows shows no process the variables of another; there the user's stored variables are read instead.
"""

from __future__ import annotations

import importlib
import os
import sys
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.containers.blob import Blob, ContentKind, MatchPosition, Unreadable
from provision.containers.open_file import os_error_text
from provision.endpoint.process_listing import listed_processes, shown_environment
from provision.formats.key_paths import printable_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.detect.match import Match

_MOST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class FoundProcess:
    """A running process of this user."""

    pid: int


@dataclass(frozen=True, slots=True)
class FoundUserVariables:
    """The variables that Windows keeps for this user and gives to every new program."""

    path: str = r"HKCU\Environment"


def read_user_variables() -> Iterator[Blob | Unreadable]:
    """Read them from the registry."""
    path = FoundUserVariables().path
    winreg = importlib.import_module("winreg")  # only on Windows
    parts = []
    try:
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, "Environment") as key:
            for number in range(winreg.QueryInfoKey(key)[1]):
                name, value, _ = winreg.EnumValue(key, number)
                parts.append(f"{name}={value}".encode("utf-8", "surrogatepass"))
    except OSError as e:
        yield Unreadable(path, os_error_text(e))
        return
    yield Blob(path, b"\n".join(parts), None, ContentKind.PROCESS, _Variables("", parts).locate)


def list_processes(proc: Path = Path("/proc")) -> Iterator[FoundProcess | Unreadable]:
    """List the processes of the current user, except this one."""
    try:
        entries = sorted((entry for entry in proc.iterdir() if entry.name.isdecimal()), key=lambda e: int(e.name))
    except OSError:
        entries = []
    if not entries:
        yield from _listed()
    for entry in entries:
        try:
            own = entry.stat().st_uid == os.geteuid() and int(entry.name) != os.getpid()
        except OSError:
            continue  # it ended
        if own:
            yield FoundProcess(int(entry.name))


def _listed() -> Iterator[FoundProcess | Unreadable]:
    platform: str = sys.platform  # or mypy checks the branch of this system only
    if platform == "win32":
        why = "Windows does not show the variables of running processes; look at them in the programs that started them"
        yield Unreadable("processes", why)
        return
    listed = listed_processes()
    if listed is None:
        yield Unreadable("processes", "running processes cannot be listed here: ps is missing or fails")
    for process in listed or ():
        if process.owner == os.geteuid():
            yield FoundProcess(process.pid)


def read_process(pid: int, proc: Path = Path("/proc")) -> Iterator[Blob | Unreadable]:
    """Read the variables and the command line of a process; one that has ended, or a kernel thread, has none."""
    folder = proc / str(pid)
    if not proc.is_dir():
        yield from _shown(pid)
        return
    for name, kind in (("environ", "variables"), ("cmdline", "command line")):
        path = str(folder / name)
        try:
            with (folder / name).open("rb") as file:
                data = file.read(_MOST_BYTES)
        except (FileNotFoundError, ProcessLookupError):
            return
        except OSError as e:
            yield Unreadable(path, os_error_text(e), f"pid {pid}")
            continue
        if len(data) == _MOST_BYTES:
            yield Unreadable(path, f"its {kind} exceed {_MOST_BYTES >> 20} MiB", f"pid {pid}")
        parts = data.split(b"\0")
        text = b"\n".join(part.replace(b"\n", b" ") for part in parts)
        if name == "environ":
            yield Blob(path, text, None, ContentKind.PROCESS, _Variables(f"pid {pid}:", parts).locate)
        else:
            text = b" ".join(part.replace(b"\n", b" ") for part in parts)
            yield Blob(path, text, None, ContentKind.PROCESS, lambda _: MatchPosition(f"pid {pid}:command line"))


def _shown(pid: int) -> Iterator[Blob | Unreadable]:
    """What `ps` shows: the command line with the variables behind, in one text."""
    text = shown_environment(pid)
    if text is None:
        yield Unreadable(
            f"pid {pid}", "its variables are not shown: it ended, or it is a program of the system", failed=False
        )
        return
    place = MatchPosition(f"pid {pid}:command line or variables")
    yield Blob(f"process {pid}", text.encode(), None, ContentKind.PROCESS, lambda _: place)


class _Variables:
    def __init__(self, prefix: str, parts: list[bytes]) -> None:
        self._prefix = prefix
        self._names: list[str] = []
        self._starts: list[int] = []
        at = 0
        for part in parts:
            self._names.append(printable_name(part.partition(b"=")[0].decode("utf-8", "replace")))
            self._starts.append(at)
            at += len(part) + 1

    def locate(self, match: Match) -> MatchPosition:
        return MatchPosition(f"{self._prefix}{self._names[bisect_right(self._starts, match.start) - 1]}")
