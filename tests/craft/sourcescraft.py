"""Looking through things for tests: keys drawn at run time, and what a scan brings back as plain values."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import seeded

from provision.audit.finding import RawFinding
from provision.audit.scan import scan
from provision.containers.blob import Unreadable
from provision.detect.detector import Detector


def a_key() -> str:
    """A key of AIsa's shape."""
    return "sk-" + "aisa-" + seeded.token_urlsafe(32)


@functools.cache
def detector() -> Detector:
    """Built once: it takes a moment."""
    return Detector()


class Result(NamedTuple):
    found: list[RawFinding]
    unread: list[Unreadable]

    def places(self, key: str) -> list[str]:
        """Where a key was found, sorted."""
        return sorted(str(f.place) for f in self.found if f.match.secret.reveal() == key)

    def where(self, key: str) -> list[str | None]:
        """The words of the places, sorted."""
        return sorted((f.place.where for f in self.found if f.match.secret.reveal() == key), key=str)

    def keys(self) -> Counter[str]:
        return Counter(f.match.secret.reveal() for f in self.found)

    def reasons(self, *, failed: bool | None = None) -> list[str]:
        return sorted(u.reason for u in self.unread if failed is None or u.failed is failed)


def look_through(*paths: str | Path, **how: Any) -> Result:
    """Everything below the paths, in this process unless said otherwise."""
    found: list[RawFinding] = []
    unread: list[Unreadable] = []
    for item in scan(paths, detector(), **{"workers": 1, "companions": False, **how}):
        if isinstance(item, RawFinding):
            found.append(item)
        else:
            unread.append(item)
    return Result(found, unread)
