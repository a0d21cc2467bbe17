"""Which Hermes processes are running and have read the old settings: they must be restarted to see new ones.

Best effort, on Linux only, from /proc; elsewhere the honest answer is that we cannot tell.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

_NAMES = frozenset({"hermes", "hermes-agent", "hermes-gateway", "hermes.exe", "Hermes", "hermes-desktop"})
_MODULES = ("hermes_cli", "gateway.run", "run_agent")
_MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class RunningHermes:
    """A process that looks like Hermes; `what` is its program and first word, never a whole command line."""

    pid: int
    what: str
    same_home: bool | None
    """Whether it uses this home; None when its environment cannot be read."""


def running_hermes(home: Path, proc: Path = Path("/proc")) -> tuple[RunningHermes, ...] | None:
    """Hermes processes that use `home`, or may; None where this cannot be told (not Linux)."""
    if not sys.platform.startswith("linux") or not proc.is_dir():
        return None
    found = []
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
            found.append(RunningHermes(int(entry.name), what, same))
    return tuple(sorted(found, key=lambda p: p.pid))


def _hermes_words(words: list[str]) -> str | None:
    """`hermes gateway` and the like when a command line is Hermes': the program itself, or Python running it."""
    for at, word in enumerate(words[:3]):
        name = word.rpartition("/")[2]
        module = words[at - 1 : at] == ["-m"] and word.startswith(_MODULES)
        if name in _NAMES or module:
            following = words[at + 1] if len(words) > at + 1 else ""
            return f"{name} {following}".strip() if following.isalpha() else name
        if at == 0 and not name.startswith(("python", "node", "uv")):
            return None
    return None


def _same_home(entry: Path, home: Path) -> bool | None:
    try:
        environ = dict(item.partition(b"=")[::2] for item in _read(entry / "environ").split(b"\0"))
    except OSError:
        return None
    chosen = environ.get(b"HERMES_HOME", b"").decode("utf-8", "surrogateescape")
    user = environ.get(b"HOME", b"").decode("utf-8", "surrogateescape")
    theirs = Path(chosen) if chosen else Path(user) / ".hermes"
    try:
        return theirs.resolve() in (home.resolve(), home.parent.parent.resolve())
    except OSError:
        return None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)
