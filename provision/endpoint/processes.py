"""Find running Hermes processes, which must be restarted to use new settings.

From /proc on Linux, from the system's own list elsewhere, which does not show of every process which home it uses.
Hermes reads its key when it starts, so a process that
started before the present key was installed holds the previous one. Its messaging gateway is the exception: it reads `.env`
again before each turn, so its key is unknown.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from provision.endpoint.process_listing import listed_processes, shown_environment, shown_variable
from provision.endpoint.state import key_in_place_since
from provision.hermes.facts import names as facts

_NAMES = frozenset({"hermes", "hermes-agent", "hermes-gateway", "hermes.exe", "Hermes", "hermes-desktop"})
_MODULES = ("hermes_cli", "gateway.run", "run_agent")
_MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class RunningHermes:
    """A process that looks like Hermes. `what` is its program and first argument, never the whole command line."""

    pid: int
    what: str
    same_home: bool | None
    """Whether it uses this home; None when its environment is unreadable."""
    started: float | None = None
    """Unix time; None when unknown."""

    def holds_older_than(self, moment: float) -> bool | None:
        """Whether it holds a key from before `moment` (Unix time); None when unknown."""
        if self.started is None:
            return None
        if self.started >= moment:
            return False
        return None if "gateway" in self.what else True


def running_hermes(home: Path, proc: Path = Path("/proc")) -> tuple[RunningHermes, ...] | None:
    """Hermes processes that use `home`, or may use it; None when the processes cannot be listed."""
    if not sys.platform.startswith("linux") or not proc.is_dir():
        return _listed_hermes(home)
    found = []
    boot = _boot_time(proc)
    for entry in proc.iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            words = _read(entry / "cmdline").split(b"\0")
        except OSError:
            continue
        what = _hermes_words([word.decode("utf-8", "replace") for word in words if word])
        if what is None:
            continue
        same = _same_home(entry, home)
        if same is not False:
            found.append(RunningHermes(int(entry.name), what, same, _started(entry, boot)))
    return tuple(sorted(found, key=lambda p: p.pid))


def _listed_hermes(home: Path) -> tuple[RunningHermes, ...] | None:
    listed = listed_processes()
    if listed is None:
        return None
    found = []
    for process in listed:
        what = _hermes_words([word.replace("\\", "/") for word in process.words])
        if what is None or (process.owner is not None and process.owner != home.stat().st_uid):
            continue
        same = None
        if process.owner is not None and (shown := shown_environment(process.pid)) is not None:
            same = _uses_home(shown_variable(shown, facts.HOME_ENV) or "", shown_variable(shown, "HOME") or "", home)
        if same is not False:
            found.append(RunningHermes(process.pid, what, same, process.started))
    return tuple(sorted(found, key=lambda p: p.pid))


def holding_old_key(home: Path) -> tuple[RunningHermes, ...] | None:
    """Processes that hold, or may hold, a key older than the installed one; None when unknown."""
    since = key_in_place_since(home)
    running = running_hermes(home) if since is not None else None
    if since is None or running is None:
        return None
    return tuple(process for process in running if process.holds_older_than(since) is not False)


def _hermes_words(words: list[str]) -> str | None:
    """`hermes gateway` and the like, if the command line is Hermes': the program itself, or Python running it."""
    for at, word in enumerate(words[:3]):
        name = word.rpartition("/")[2]
        module = words[at - 1 : at] == ["-m"] and word.startswith(_MODULES)
        if name in _NAMES or module:
            following = words[at + 1] if len(words) > at + 1 else ""
            return f"{name} {following}".strip() if following.isalpha() else name
        if at == 0 and not name.lower().startswith(("python", "node", "uv")):
            return None
    return None


def _same_home(entry: Path, home: Path) -> bool | None:
    try:
        environ = dict(item.partition(b"=")[::2] for item in _read(entry / "environ").split(b"\0"))
    except OSError:
        return _other_owner(entry, home)
    chosen = environ.get(facts.HOME_ENV.encode(), b"").decode("utf-8", "surrogateescape")
    return _uses_home(chosen, environ.get(b"HOME", b"").decode("utf-8", "surrogateescape"), home)


def _uses_home(chosen: str, user: str, home: Path) -> bool | None:
    if not chosen and not user:
        return None
    theirs = Path(chosen) if chosen else Path(user) / ".hermes"
    try:
        return theirs.resolve() in (home.resolve(), home.parent.parent.resolve())
    except OSError:
        return None


def _other_owner(entry: Path, home: Path) -> bool | None:
    """False for a process of a user who does not own the home: on a shared machine all processes are visible."""
    try:
        return None if entry.stat().st_uid == home.stat().st_uid else False
    except OSError:
        return None


def _boot_time(proc: Path) -> float | None:
    try:
        line = next(line for line in _read(proc / "stat").splitlines() if line.startswith(b"btime "))
        return float(line.split()[1])
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def _started(entry: Path, boot: float | None) -> float | None:
    """When a process started: field 22 of its `stat`, in clock ticks since the boot (proc(5)), accurate to about a second."""
    try:
        after_name = _read(entry / "stat").rpartition(b")")[2].split()
        ticks = int(after_name[19])
    except (OSError, ValueError, IndexError):
        return None
    return None if boot is None else boot + ticks / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)
