"""Which objects of a git repository are in files that an earlier audit read and that cannot have changed since.

git finds an object by an index (`.idx`, `multi-pack-index`) and does not compare its content with its id. So an object is known
by its id alone only while all files of packs are known, and the file of a loose one. After a fetch or a repack objects are read
again, and those that are the same are not scanned again.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from provision.containers.open_file import CannotReadError, open_regular_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provision.audit.unchanged import UnchangedFiles

_FAN_OUT = re.compile(r"[0-9a-f]{2}")


class ObjectFiles:
    """The files with the objects of one repository. Make it before any of them is read; `tokens` are theirs."""

    def __init__(self, repository: Path, files: UnchangedFiles) -> None:
        self._objects = repository / "objects"
        self._files = files
        self.tokens: list[bytes] = []

    def known_objects(self) -> Callable[[bytes], bool]:
        """Return a function that says of an id whether its content was read and is clean."""
        is_known = self._files.git_object
        try:
            packs = [self._is_known(path) for path in _entries(self._objects / "pack")]
            loose = {
                f"{folder.name}{path.name}".encode(): self._is_known(path)
                for folder in _entries(self._objects)
                if _FAN_OUT.fullmatch(folder.name)
                for path in _entries(folder)
            }
        except OSError:
            return lambda _: False
        if not all(packs):
            return lambda _: False
        return lambda name: loose.get(name, True) and is_known(name)[1]

    def _is_known(self, path: os.DirEntry[str]) -> bool:
        status = path.stat(follow_symlinks=False)
        is_known = self._files.holds_object_file(status, path.path)
        if not is_known:
            try:
                with open_regular_file(path.path) as (descriptor, now):
                    stamped = self._files.stamp(descriptor, now, path.path, "object file")
            except (CannotReadError, OSError):
                stamped = None
            self.tokens += [stamped] if stamped else []
        return is_known


def _entries(folder: Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as listing:
        yield from listing
