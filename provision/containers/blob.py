"""What an audit reads and what it brings back: pieces of content with a place, and the pieces that could not be read.

A reader (of folders, databases, archives, repositories, processes) turns something into blobs; `scan.py` looks through
them. Nothing that was there is dropped in silence: what could not be read, or not to its end, comes back as `Unreadable`.
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
    """What a piece of content was before it became bytes."""

    TEXT = "text"
    BINARY = "binary"
    SQLITE = "sqlite"
    ARCHIVE = "archive"
    GIT = "git"
    PROCESS = "process"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How far an audit goes; whatever lies beyond is reported as cut short, never passed over."""

    whole_bytes: int = 8 * MIB
    """Files up to this size are looked at in one piece, larger ones as a stream."""
    memory_bytes: int = 128 * MIB
    """Databases and archives inside archives are unfolded in memory up to this size."""
    expanded_bytes: int = 256 * MIB
    """What any archive on disk may unfold to, with everything nested in it …"""
    expanded_ratio: int = 100
    """… and how many times its own size, when that is more. Logs shrink to a thirtieth, bombs to a thousandth."""
    members: int = 1_000_000
    """How many members one archive on disk may have, nested ones included."""
    nesting: int = 8
    """How deep archives may lie in archives."""
    growth_bytes: int = 64 * MIB
    """How much a file may grow while it is read; an endless one is cut off there."""
    silence_s: float = 30.0
    """How long another program may say nothing before it is given up."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that was not read, or not to its end. `failed` is False when nothing that the audit owes was left out:
    a socket, a device, a link to elsewhere."""

    path: str
    reason: str
    where: str | None = None
    failed: bool = True


@dataclass(frozen=True, slots=True)
class MatchPosition:
    """Where in a blob a match lies, in words (`messages:row 12`) and numbers (from 1; columns are bytes)."""

    where: str | None = None
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """A piece of content. `data` is all of it, or an iterable of its parts in order, which can be gone through once.

    `path` is the file on disk, as the caller named it, `where` what the path cannot say (`a.zip!b/.env`). `locate` is there
    when offsets in `data` are not offsets in a text: it says where a match lies, or None when that is reported elsewhere.
    """

    path: str
    data: bytes | Iterable[bytes] = field(repr=False)
    where: str | None = None
    kind: ContentKind = ContentKind.TEXT
    locate: Callable[[Match], MatchPosition | None] | None = field(default=None, repr=False)
