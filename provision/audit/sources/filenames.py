"""Find secrets in the names of files and folders: a key saved under its own name, or a cache entry named after a key."""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING

from provision.audit.finding import Location, RawFinding
from provision.containers.batch import PartBatch
from provision.containers.blob import LINK_TARGET, OWN_NAME, Blob, ContentKind, PartKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.audit.sources.walk import FoundEntry
    from provision.detect.detector import Detector

_BETWEEN = b"\n\0\n"


class NameScanner:
    """Scans names as they come; a folder's name is scanned with its first file."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._folder = ""

    def scan(self, paths: Iterable[str]) -> Iterator[RawFinding]:
        """Yield what is found in the names of these files, and of folders that are new."""
        named: list[tuple[str, str]] = []
        for path in paths:
            folder, name = os.path.split(path)
            if folder != self._folder:
                named.append((folder, os.path.basename(folder)))  # noqa: PTH119  names may not be valid text
                self._folder = folder
            named.append((path, name))
        starts: list[int] = []
        text = bytearray()
        for _, name in named:
            starts.append(len(text))
            text += os.fsencode(name) + _BETWEEN
        for match in self._detector.scan(bytes(text)):
            path, _ = named[bisect_right(starts, match.start) - 1]
            yield RawFinding(Location(path, where=OWN_NAME), match)


def read_entry(entry: FoundEntry) -> Iterator[Blob]:
    """Read the name and the target of something that has no content."""
    batch = PartBatch()
    batch.add(OWN_NAME, os.fsencode(os.path.basename(entry.path)), PartKind.NAME)  # noqa: PTH119
    if entry.target is not None:
        batch.add(LINK_TARGET, os.fsencode(entry.target), PartKind.LINK)
    yield Blob(entry.path, batch.data(), None, ContentKind.TEXT, batch.locate, batch.part)
