"""Environments and command lines of the user's own processes, from `/proc`; reported as not read on other systems."""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.containers.blob import Blob, ContentKind, MatchPosition, Unreadable
from provision.containers.open_file import os_error_text
from provision.formats.key_paths import printable_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.detect.match import Match

_MOST_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class FoundProcess:
    """A running process of this user."""

    pid: int


def list_processes(proc: Path = Path("/proc")) -> Iterator[FoundProcess | Unreadable]:
    """List the processes of the current user, except this one."""
    try:
        entries = sorted((entry for entry in proc.iterdir() if entry.name.isdecimal()), key=lambda e: int(e.name))
    except OSError:
        entries = []
    if not entries:
        yield Unreadable("processes", "running processes can be read on Linux only")
    for entry in entries:
        try:
            own = entry.stat().st_uid == os.geteuid() and int(entry.name) != os.getpid()
        except OSError:
            continue  # it ended
        if own:
            yield FoundProcess(int(entry.name))


def read_process(pid: int, proc: Path = Path("/proc")) -> Iterator[Blob | Unreadable]:
    """Read the variables and the command line of a process; one that has ended, or a kernel thread, has none."""
    folder = proc / str(pid)
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
            yield Blob(path, text, None, ContentKind.PROCESS, _Variables(pid, parts).locate)
        else:
            text = b" ".join(part.replace(b"\n", b" ") for part in parts)
            yield Blob(path, text, None, ContentKind.PROCESS, lambda _: MatchPosition(f"pid {pid}:command line"))


class _Variables:
    def __init__(self, pid: int, parts: list[bytes]) -> None:
        self._pid = pid
        self._names: list[str] = []
        self._starts: list[int] = []
        at = 0
        for part in parts:
            self._names.append(printable_name(part.partition(b"=")[0].decode("utf-8", "replace")))
            self._starts.append(at)
            at += len(part) + 1

    def locate(self, match: Match) -> MatchPosition:
        return MatchPosition(f"pid {self._pid}:{self._names[bisect_right(self._starts, match.start) - 1]}")
