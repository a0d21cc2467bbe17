"""The world of a case, put back from a kept copy: only what changed since, which is most of the time of a case otherwise."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

Mark = tuple[int, ...]
LOCKS = (".lock", ".holder", "/lock")
"""Files that only say who works; what they end in."""


class WorldCopy:
    """A folder that is a copy of another one, until something changes it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._kept = folder, folder
        self._marks: dict[str, Mark] = {}

    def restore(self, kept: Path) -> None:
        """Make the folder as `kept` is."""
        if kept == self._kept:
            self._put_back(dict(_marks(self._folder)))
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
            shutil.copytree(kept, self._folder, symlinks=True)
        self._kept = kept
        self._marks = dict(_marks(self._folder))

    def _put_back(self, now: dict[str, Mark]) -> None:
        changed = _differing(now, self._marks)
        for name in sorted(changed & now.keys(), reverse=True):
            path = self._folder / name
            if not stat.S_ISDIR(now[name][0]):
                path.unlink()
            elif name not in self._marks:
                path.rmdir()
        for name in sorted(changed & self._marks.keys()):
            source, path = self._kept / name, self._folder / name
            if stat.S_ISDIR(self._marks[name][0]):
                path.mkdir(exist_ok=True)
                shutil.copystat(source, path)
            else:
                shutil.copy2(source, path, follow_symlinks=False)

    def changed(self) -> list[str]:
        """What is new, gone or written since, but locks."""
        now = dict(_marks(self._folder))
        return sorted(name for name in _differing(now, self._marks) if not name.endswith(LOCKS))


def _differing(one: dict[str, Mark], other: dict[str, Mark]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def _marks(folder: Path) -> Iterator[tuple[str, Mark]]:
    """Each path with what no write, rename or change of its mode leaves as it was."""
    folders = [""]
    while folders:
        above = folders.pop()
        with os.scandir(folder / above) as entries:
            for entry in entries:
                name, found = f"{above}{entry.name}", entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    folders.append(f"{name}/")
                    yield name, (found.st_mode,)
                else:
                    yield name, (found.st_mode, found.st_ino, found.st_ctime_ns, found.st_size)
