"""What a user added to a home beside settings: plug-ins and skills on disk, and the branch of Hermes' checkout. Names only.

Plug-ins are folders with a `plugin.yaml`, at most one category deep (`hermes_cli/plugins.py`, `_scan_directory`); they are
loaded if `plugins.enabled` names them. Skills are folders with a `SKILL.md`; those that Hermes brings are in
`skills/.bundled_manifest` (`tools/skills_sync.py`). What cannot be listed is None, never empty.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import read_optional

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_FOLDERS = 4000
_MAX_BYTES = 1 << 20
_BRANCH = re.compile(rb"ref: refs/heads/([!-~]{1,200})\s*")


@dataclass(frozen=True, slots=True)
class HomeExtras:
    """Names of folders, relative to `plugins/` and `skills/`. `branch` is None without a checkout that is on one."""

    plugins: tuple[str, ...] | None = ()
    skills: tuple[str, ...] | None = ()
    branch: str | None = None

    @property
    def named(self) -> tuple[tuple[str, tuple[str, ...] | None], ...]:
        """What there is, with its names."""
        return (("plug-ins", self.plugins), ("skills", self.skills))


def read_extras(home: Path) -> HomeExtras:
    """List them. Opens no file but two small ones, follows no link."""
    skills = _holding(home / "skills", "SKILL.md", depth=3)
    if skills:
        bundled = {
            line.partition(b":")[0].decode("utf-8", "replace") for line in _lines(home / "skills/.bundled_manifest")
        }
        skills = tuple(name for name in skills if name.rpartition("/")[2] not in bundled)
    head = _BRANCH.fullmatch(b"".join(_lines(home / "hermes-agent/.git/HEAD")))
    branch = head[1].decode("ascii") if head else None
    return HomeExtras(_holding(home / "plugins", "plugin.yaml", depth=2), skills, branch)


def _holding(folder: Path, name: str, *, depth: int) -> tuple[str, ...] | None:
    """The folders below that hold a file of this name; what is below such a folder belongs to it."""
    left = [_MAX_FOLDERS]

    def walk(path: str, above: str, level: int) -> Iterator[str]:
        with os.scandir(path) as entries:
            found = sorted((entry for entry in entries if entry.is_dir(follow_symlinks=False)), key=lambda e: e.name)
        for entry in found:
            left[0] -= 1
            if left[0] < 0:
                raise OSError("too many folders")
            if os.path.lexists(f"{entry.path}/{name}"):
                yield above + entry.name
            elif level > 1:
                yield from walk(entry.path, f"{above}{entry.name}/", level - 1)

    try:
        return tuple(walk(str(folder), "", depth)) if os.path.lexists(folder) else ()
    except OSError:
        return None


def _lines(path: Path) -> list[bytes]:
    try:
        return (read_optional(path, _MAX_BYTES) or b"").splitlines()
    except ProvisionError:
        return []
