"""Remove bundles and orders that the index of a published feed does not list any more.

The time of such a file says when it stopped being listed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from provision.feed.index import endpoint_id
from provision.files import STAGED_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Set
    from datetime import datetime
    from pathlib import Path

_TAR = re.compile(r"^[0-9a-f]{64}\.tar$")


def date_unlisted(root: Path, ended: Set[tuple[str, str]], now: datetime) -> None:
    """Give now as their time to files that the next index does not list any more: (endpoint id, digest) of each.

    Before the index is written, so that a kill between the two does no harm.
    """
    for path in root.glob("[eo]/*/*") if ended else ():
        if (endpoint_id(path.parent.name), path.stem) in ended and not (path.is_symlink() or path.parent.is_symlink()):
            os.utime(path, (now.timestamp(), now.timestamp()))


def sweep_tree(root: Path, needed: Set[str], *, oldest: datetime, keep: int) -> int:
    """Remove files that no part lists and that are too old or too many, and what a killed run left; counts the bundles."""
    removed = 0
    for folder in (root / "e").glob("*"):
        if not folder.is_symlink() and folder.is_dir():
            removed += _sweep_user(folder, needed, oldest, keep)
    for path in (root / "o").glob("*/*"):
        if path.parent.is_symlink():
            continue
        if path.relative_to(root).as_posix() not in needed and path.lstat().st_mtime < oldest.timestamp():
            path.unlink()
    for stray in (root / "index").glob(f".*{STAGED_SUFFIX}"):
        stray.unlink()
    return removed


def _sweep_user(folder: Path, needed: Set[str], oldest: datetime, keep: int) -> int:
    listed, others = 0, []
    for entry in os.scandir(folder):
        if f"e/{folder.name}/{entry.name}" in needed:
            listed += 1
        elif _TAR.match(entry.name):
            others.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
        elif entry.name.endswith(STAGED_SUFFIX):
            os.unlink(entry.path)  # noqa: PTH108  scandir yields strings
    others.sort(reverse=True)
    gone = [path for place, (ended, path) in enumerate(others, listed) if ended < oldest.timestamp() or place >= keep]
    for path in gone:
        os.unlink(path)  # noqa: PTH108  scandir yields strings
    if not listed and not any(folder.iterdir()):
        folder.rmdir()
    return len(gone)
