"""Find programs in the absolute folders of PATH, and nowhere else; and tell in which state this program is.

The search of Windows, and Python's with it, begins in the current folder, and an empty or relative entry of PATH means the
same elsewhere: a folder that is audited could bring its own `git`, and a download folder a `hermes.cmd` that receives the key.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import provision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_WINDOWS_ENDINGS = ".COM;.EXE;.BAT;.CMD"


def own_code(*rooms: str) -> list[tuple[str, int, int]]:
    """The files of this program, or of some of its rooms, each with its size and its time in nanoseconds: a checkout changes
    without a new version. In a single-file build it is that file.

    A folder may vanish while it is listed, in an upgrade: `os.walk` goes on then, `Path.rglob` fails.
    """
    root = Path(provision.__file__).parent
    walked = (entry for room in rooms or ("",) for entry in os.walk(root / room))
    files = [f"{folder}/{name}" for folder, _, names in walked for name in names if not folder.endswith("__pycache__")]
    return states_of(sorted(files) or sys.path[:1])


def states_of(paths: Iterable[str]) -> list[tuple[str, int, int]]:
    """Each file or folder that is there, with its size and its time in nanoseconds."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)  # noqa: PTH116  texts, as os.walk gives them: path objects cost more than the rest
            found.append((path, status.st_size, status.st_mtime_ns))
    return found


def is_store_python(executable: str, prefix: str) -> bool:
    """Whether a Python is the Microsoft Store's. What it writes to %LOCALAPPDATA% and %APPDATA% goes into a folder of its
    package, where Hermes does not look, and which its removal deletes."""
    marks = ("\\windowsapps\\", "pythonsoftwarefoundation.python")
    return any(mark in path.lower().replace("/", "\\") for path in (executable, prefix) for mark in marks)


def python_with_wheels(built_for: str) -> str:
    """Return which Python to use instead of one for which not every package has a wheel; empty for one that has all.

    `built_for` is `sysconfig.get_platform()` or the GNU name of its system: an emulated Python calls itself by what it was built
    for, `platform.machine()` may name the processor.
    """
    if built_for == "win-arm64":
        return "use the x86-64 build of Python from python.org, which Windows on ARM runs as well"
    return "use a system with glibc (Debian, Ubuntu, Fedora)" if "musl" in built_for else ""


def find_program(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the path of a program, or None. A name with a folder in it is a path: it is only checked."""
    environ = os.environ if environ is None else environ
    if Path(name).name != name:
        places = [Path()]
    else:
        places = [
            path for entry in environ.get("PATH", os.defpath).split(os.pathsep) if (path := Path(entry)).is_absolute()
        ]
    for folder in places:
        for spelling in _spellings(name, environ):
            path = folder / spelling
            if path.is_file() and os.access(path, os.X_OK):
                return spelling if folder == Path() else str(path)
    return None


def _spellings(name: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the file names that a program's name stands for: on Windows with the endings of PATHEXT."""
    platform: str = sys.platform  # or mypy checks the branch of this system only
    if platform != "win32":
        yield name
        return
    endings = [each for each in environ.get("PATHEXT", _WINDOWS_ENDINGS).split(";") if each]
    if name.lower().endswith(tuple(map(str.lower, endings))):
        yield name
    for ending in endings:
        yield name + ending
