"""The processes of a system without /proc: `ps` on macOS, CIM on Windows. Both show no more than their user may see.

Neither is a shell: the programs are those of the system, with fixed arguments. What they do not show is None, never empty.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from provision.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TIMEOUT_S = 30.0
_LINE = re.compile(r"\s*(\d+)\s+(\d+)\s+(\w{3} \w{3} [ \d]\d [\d:]{8} \d{4})\s+(.*)")
_CIM = (
    "$ErrorActionPreference = 'Stop'; [Console]::OutputEncoding = [Text.Encoding]::UTF8; "
    "ConvertTo-Json -Compress -InputObject @(Get-CimInstance Win32_Process | ForEach-Object { @{ pid = $_.ProcessId; "
    "line = $_.CommandLine; name = $_.Name; "
    "started = if ($_.CreationDate) { $_.CreationDate.ToUniversalTime().ToString('o') } else { $null } } })"
)
_WINDOWS_WORD = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True, slots=True)
class ListedProcess:
    """A process as the system lists it. `owner` is a user id, `started` Unix time; None where it is not shown."""

    pid: int
    words: tuple[str, ...]
    owner: int | None = None
    started: float | None = None


def listed_processes() -> tuple[ListedProcess, ...] | None:
    """All processes but this one, or on Windows those whose command line this user may see; None when that fails."""
    platform: str = sys.platform  # or mypy checks the branch of this system only
    found = _by_cim() if platform == "win32" else _by_ps()
    return None if found is None else tuple(each for each in found if each.pid != os.getpid())


def shown_environment(pid: int) -> str | None:
    """The command line of a process with its variables behind, as `ps` shows them to their user; None when it does not.

    macOS hides the variables of its own programs, and shows those that the process started with.
    """
    shown, plain = _ps("eww", "-o", "command=", "-p", str(pid)), _ps("ww", "-o", "command=", "-p", str(pid))
    if shown is None or plain is None or len(shown.strip()) <= len(plain.strip()):
        return None
    return shown.strip()


def shown_variable(text: str, name: str) -> str | None:
    """The value of a variable in what `shown_environment` returns: up to the next word that looks like a variable."""
    found = re.search(rf"(?:^| ){re.escape(name)}=(.*?)(?= [A-Za-z_][A-Za-z0-9_]*=|$)", text, re.DOTALL)
    return found[1] if found else None


def _by_ps() -> list[ListedProcess] | None:
    text = _ps("axww", "-o", "pid=,uid=,lstart=,command=")
    if text is None:
        return None
    lines = (_LINE.fullmatch(line) for line in text.splitlines())
    return [
        ListedProcess(int(line[1]), tuple(line[4].split()), int(line[2]), _local_time(line[3]))
        for line in lines
        if line
    ]


def _local_time(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").astimezone().timestamp()
    except ValueError:
        return None


def _ps(*arguments: str) -> str | None:
    program = find_program("ps")
    return None if program is None else _output([program, *arguments])


def _by_cim() -> list[ListedProcess] | None:
    root = os.environ.get("SYSTEMROOT", r"C:\Windows")
    program = Path(root, "System32", "WindowsPowerShell", "v1.0", "powershell.exe")
    text = _output([str(program), "-NoProfile", "-NonInteractive", "-Command", _CIM])
    try:
        return None if text is None else list(_parsed(json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _parsed(entries: list[dict[str, str | int | None]]) -> Iterator[ListedProcess]:
    for entry in entries:
        line = entry["line"]
        if not isinstance(line, str):  # of another user
            continue
        words = tuple(quoted or plain for quoted, plain in _WINDOWS_WORD.findall(line))
        started = entry["started"]
        moment = (
            datetime.fromisoformat(str(started)[:26].rstrip("Z")).replace(tzinfo=UTC).timestamp() if started else None
        )
        yield ListedProcess(int(entry["pid"] or 0), words, None, moment)


def _output(command: Sequence[str]) -> str | None:
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(list(command), env=environ, capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8-sig", "replace") if done.returncode == 0 else None
