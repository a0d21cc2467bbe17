"""Files as Windows shares them: what this process has open cannot be renamed, replaced or removed. Needs /proc."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def open_files() -> set[tuple[int, int]]:
    """Device and inode of every regular file that this process has open."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            status = entry.stat()
        except OSError:
            continue
        if status.st_nlink and stat.S_ISREG(status.st_mode):
            found.add((status.st_dev, status.st_ino))
    return found


def refuse_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let renames, replacements and removals of open files fail with PermissionError, as Windows does."""
    for name in ("replace", "rename", "unlink", "remove"):
        monkeypatch.setattr(os, name, _refusing(getattr(os, name)))


def _refusing(real: Callable[..., None]) -> Callable[..., None]:
    def guarded(*paths: Any, **options: Any) -> None:
        if not options:  # relative to a folder's descriptor: there is none on Windows
            shared = open_files()
            for path in paths:
                if _identity(path) in shared:
                    raise PermissionError(errno.EACCES, "The process cannot access the file, it is being used", path)
        real(*paths, **options)

    return guarded


def _identity(path: Any) -> tuple[int, int] | None:
    try:
        status = Path(path).lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class ShareModes:
    """The plug-in of `pytest --share-modes`."""

    @pytest.fixture(autouse=True)
    def _share_modes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refuse_open_files(monkeypatch)
