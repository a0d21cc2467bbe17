"""What takes long to compute and is kept in the user's cache folder: needles, and databases of Hyperscan.

A file is read only if it and its folder belong to this user and no other account may write to them: a database is loaded by
a C library that trusts it. A digest detects damage. Whatever is not read is computed again.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from provision.files import FileProblemError, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX = "detect-"
_MOST_KEPT = 64
"""Files in the folder, of 0.1 to 4 MB each: a process uses five to ten, and rules, options and versions make others."""


def cache_folder() -> Path:
    """The user's cache folder of provision."""
    import platformdirs  # noqa: PLC0415  not needed where nothing is scanned

    return platformdirs.user_cache_path("hermes-provision", appauthor=False)


def read_kept(name: str) -> bytes | None:
    """Return what was kept under `name`; None if there is nothing, it is damaged, or another account could have written it."""
    path = _path(name)
    try:
        if not _own(path.parent.stat()):
            return None
        with path.open("rb", buffering=0) as file:
            if not _own(os.fstat(file.fileno())):
                return None
            digest, body = file.read(32), file.readall()
    except OSError:
        return None
    return body if body and hashlib.sha256(body).digest() == digest else None


def keep(name: str, body: bytes) -> None:
    """Keep `body` under `name` if possible, readable for this user only, and remove the oldest files."""
    path = _path(name)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, hashlib.sha256(body).digest() + body, durable=False)
        kept = sorted(path.parent.glob(f"{_PREFIX}*"), key=lambda each: each.stat().st_mtime_ns)
        for old in kept[:-_MOST_KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, FileProblemError):
        return


def _path(name: str) -> Path:
    return cache_folder() / f"{_PREFIX}{name}"


def _own(found: os.stat_result) -> bool:
    """Whether only this user can write. Windows keeps the folder in the user's profile, which is private."""
    if not hasattr(os, "geteuid"):
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
