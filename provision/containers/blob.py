"""The values that readers return: pieces of content with a position, and what could not be read.

A reader (of files, databases, archives, repositories, processes) turns something into blobs, and an audit scans the blobs.
Nothing is dropped silently: what could not be read, or not to its end, is returned as `Unreadable`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provision.detect.match import Match

MIB = 1 << 20


class ContentKind(StrEnum):
    """The kind of source that a piece of content comes from."""

    TEXT = "text"
    BINARY = "binary"
    SQLITE = "sqlite"
    ARCHIVE = "archive"
    LEVELDB = "leveldb"
    """A table or log of LevelDB, which is not rewritten, also inside of an archive."""
    GIT = "git"
    PROCESS = "process"
    STREAM = "stream"


OWN_NAME = "its own name"
"""Where a secret in the name of a file or folder is found."""
LINK_TARGET = "its target"
"""Where a secret in what a symbolic link points to is found."""


class PartKind(StrEnum):
    """What a piece of content is in the thing that holds it."""

    BODY = "body"
    NAME = "name"
    COMMENT = "comment"
    HEADER = "header"
    EXTRA = "extra field"
    CELL = "cell"
    LINK = "link target"


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much is read. Whatever exceeds a limit is reported as not read to its end, never skipped silently."""

    whole_bytes: int = 8 * MIB
    """Files up to this size are read in one piece, larger ones as a stream."""
    memory_bytes: int = 128 * MIB
    """Databases and archives inside archives are unpacked in memory up to this size."""
    expanded_bytes: int = 256 * MIB
    """How much an archive on disk may unpack to, with everything nested in it …"""
    expanded_ratio: int = 100
    """… or this many times its own size, when that is more. Logs compress to a thirtieth, bombs to a thousandth."""
    members: int = 1_000_000
    """How many members an archive on disk may have, nested ones included."""
    nesting: int = 8
    """How deep archives may be nested."""
    growth_bytes: int = 64 * MIB
    """How much a file may grow while it is read; reading an endless one stops there."""
    silence_s: float = 30.0
    """How long another program (git) may send nothing before it is stopped."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that was not read, or not to its end.

    `failed` is False when no content is missing from the result: a socket, a device, a link to another place.
    """

    path: str
    reason: str
    where: str | None = None
    failed: bool = True


@dataclass(frozen=True, slots=True)
class MatchPosition:
    """Where in a blob a match is, in words (`messages:row 12`) and numbers (from 1; columns are bytes)."""

    where: str | None = None
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """A piece of content. `data` is all of it, or an iterable of its parts in order, which can be read once.

    `path` is the file on disk, as the caller named it, `where` what the path cannot say (`a.zip!b/.env`). `locate` is set
    when offsets in `data` are not offsets in a text: it returns the position of a match, or None when another blob reports it.
    """

    path: str
    data: bytes | Iterable[bytes] = field(repr=False)
    where: str | None = None
    kind: ContentKind = ContentKind.TEXT
    locate: Callable[[Match], MatchPosition | None] | None = field(default=None, repr=False)
    part: PartKind = PartKind.BODY
