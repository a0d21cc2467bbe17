"""Parts of a git repository, and what is noted about their objects: values that a scan and its worker processes exchange.

Nothing is read here, so a scan that meets no repository does not import what reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.detect.secret import Secret


class GitObject(NamedTuple):
    """An object: its id and its kind."""

    id: bytes
    kind: bytes


class HeldSecret(NamedTuple):
    """A secret that an object of a repository holds."""

    path: str
    secret: Secret
    held: GitObject


class UnprovenObject(NamedTuple):
    """An object of a repository whose content is not what its id says: the id says nothing about it."""

    path: str


class DamagedObject(NamedTuple):
    """An object of a repository that git cannot read."""

    path: str
    held: GitObject


@dataclass(frozen=True, slots=True)
class RepositoryPart:
    """Some objects of the repository at `path`, as lines of id and kind; `size` is that of their contents in bytes."""

    path: str
    lines: bytes
    size: int

    def objects(self) -> Iterator[GitObject]:
        """List the objects."""
        for line in self.lines.splitlines():
            name, _, kind = line.partition(b" ")
            yield GitObject(name, kind)
