"""Recognise the kind of a file by its content, and find the module that redacts it.

Names are not used: a name can be wrong, and a wrong guess would let a secret through. Only among text files does a name
count (`.env`, `.yaml`), and there it only adds to what is masked (see `structured`).
"""

from __future__ import annotations

import re
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, cast

from provision.containers.container_format import (
    COMPRESSED_FORMATS,
    UNSUPPORTED_FORMATS,
    container_format,
)
from provision.containers.container_format import HEAD_BYTES as CONTAINER_HEAD_BYTES
from provision.redact.session import CannotExamineError
from provision.shell import install_command

if TYPE_CHECKING:
    from typing import BinaryIO

    from provision.redact.session import RedactFile, Session

HEAD_BYTES = 4096
"""How many bytes of a file's beginning `kind_of` needs."""


class FileKind(StrEnum):
    """A kind of file. Each has one module that redacts it, except OPAQUE, which cannot be read here."""

    TEXT = "text"
    CAST = "cast"
    TYPESCRIPT = "typescript"
    SQLITE = "sqlite"
    ZIP = "zip"
    TAR = "tar"
    COMPRESSED = "compressed"
    CONTAINER = "container"
    PICTURE = "picture"
    PDF = "pdf"
    VIDEO = "video"
    OPAQUE = "opaque"


PICTURED = frozenset({FileKind.PICTURE, FileKind.PDF, FileKind.VIDEO})
"""Kinds in which secrets are read from pixels."""
_MODULES = {
    FileKind.TEXT: "text",
    FileKind.CAST: "recordings.asciinema",
    FileKind.TYPESCRIPT: "recordings.typescript",
    FileKind.SQLITE: "archives.containers",
    FileKind.ZIP: "archives.containers",
    FileKind.TAR: "archives.containers",
    FileKind.COMPRESSED: "archives.containers",
    FileKind.CONTAINER: "archives.containers",
    FileKind.PICTURE: "pictures",
    FileKind.PDF: "pictures",
    FileKind.VIDEO: "video",
}
"""Modules below `provision.redact`. Each has a function `redact_file`, a `RedactFile`."""

CONTAINERS = frozenset(kind for kind, module in _MODULES.items() if module == "archives.containers")
"""Kinds that hold others."""
_MAGIC: tuple[tuple[int, bytes, FileKind], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", FileKind.PICTURE),
    (0, b"\xff\xd8\xff", FileKind.PICTURE),
    (8, b"WEBP", FileKind.PICTURE),
    (0, b"GIF8", FileKind.PICTURE),
    (0, b"II*\0", FileKind.PICTURE),
    (0, b"MM\0*", FileKind.PICTURE),
    (4, b"ftypheic", FileKind.OPAQUE),
    (4, b"ftypheix", FileKind.OPAQUE),
    (4, b"ftypmif1", FileKind.OPAQUE),
    (4, b"ftypmsf1", FileKind.OPAQUE),
    (4, b"ftypavif", FileKind.PICTURE),
    (4, b"ftypavis", FileKind.PICTURE),
    (4, b"JXL ", FileKind.OPAQUE),
    (4, b"jP  ", FileKind.OPAQUE),
    (0, b"8BPS", FileKind.OPAQUE),
    (4, b"ftyp", FileKind.VIDEO),
    (0, b"\x1aE\xdf\xa3", FileKind.VIDEO),
    (8, b"AVI ", FileKind.VIDEO),
    (0, b"Script started on ", FileKind.TYPESCRIPT),
)
"""Offset, bytes, kind. The first match counts: brands of still pictures come before the `ftyp` of videos."""
_CONTAINERS = {
    "sqlite": FileKind.SQLITE,
    "zip": FileKind.ZIP,
    "tar": FileKind.TAR,
    **dict.fromkeys(COMPRESSED_FORMATS, FileKind.COMPRESSED),
}
_TEXTS = frozenset({"office text", "registry export"})
"""Containers that are texts: they can be printed."""
_CAST = re.compile(rb'\s*\{[^\n]{0,3000}?"version"\s*:\s*[123]\s*[,}]')
_CAST_SIZE = re.compile(rb'"(?:width|cols|stdout)"\s*:')


def kind_of(head: bytes, name: str = "") -> FileKind:
    """Return the kind of a file that begins with these bytes (`HEAD_BYTES` of them, or the whole file if shorter).

    `name` counts only for containers without a signature of their own.
    """
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    found = container_format(head[:CONTAINER_HEAD_BYTES], name)
    if found is not None and found not in _TEXTS and found != "pdf":
        return kind_of_container(found)
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return FileKind.PICTURE
    if b"%PDF-" in head[:1024]:
        return FileKind.PDF
    if _CAST.match(head) and _CAST_SIZE.search(head):
        return FileKind.CAST
    return FileKind.TEXT


def kind_of_container(found: str) -> FileKind:
    """Return the kind of a container of this format."""
    return FileKind.OPAQUE if found in UNSUPPORTED_FORMATS else _CONTAINERS.get(found, FileKind.CONTAINER)


def redact_as(kind: FileKind, source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a file as a kind. Raises CannotExamineError if the kind cannot be read here."""
    redactor_for(kind)(source, target, file, session)
    if kind in PICTURED:
        session.note_uncovered(file, "in videos" if kind is FileKind.VIDEO else "where it was misread")


def redactor_for(kind: FileKind) -> RedactFile:
    """Return the function that redacts files of a kind. Raises CannotExamineError if the kind cannot be read here."""
    module = _MODULES.get(kind)
    if module is None:
        raise CannotExamineError(
            "this file format is not supported", hint="unpack or convert it, then redact the result"
        )
    try:
        return cast("RedactFile", import_module(f"provision.redact.{module}").redact_file)
    except ModuleNotFoundError as e:
        extra = {FileKind.PICTURE: "image", FileKind.PDF: "image", FileKind.VIDEO: "video"}.get(kind)
        if extra is None:
            raise
        hint = install_command(extra)
        raise CannotExamineError(f"a {kind} cannot be examined without the extra [{extra}]", hint=hint) from e
