"""Redact standard input to standard output, passing each byte on as soon as possible."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.redact.file_kinds import HEAD_BYTES, FileKind, kind_of, redactor_for
from provision.redact.session import CannotExamineError
from provision.redact.stream import CHUNK_BYTES, StreamRedactor

if TYPE_CHECKING:
    from provision.redact.session import Session

NAME = "standard input"


def redact_descriptor(source: int, target: int, session: Session, kind: FileKind | None = None) -> None:
    """Read `source` to its end and write the redacted bytes to `target`.

    Text is passed on as it arrives. Other kinds (an archive, a picture, a recording) are first collected in an unnamed
    temporary file. Raises CannotExamineError if the input proves not to be text after part of it was passed on.
    """
    redactor = StreamRedactor(session, NAME)
    head = b""
    while chunk := os.read(source, CHUNK_BYTES):
        if kind is None and len(head) < HEAD_BYTES:
            begun = bool(head)
            head += chunk[: HEAD_BYTES - len(head)]
            found = kind_of(head)
            if found is not FileKind.TEXT:
                if begun:
                    raise CannotExamineError(
                        f"standard input is a {found} file",
                        hint="provision redact FILE -o SAFE",
                    )
                _whole(chunk, source, target, session, found)
                return
        _write(target, redactor.feed(chunk))
    _write(target, redactor.finish())


def _whole(begun: bytes, source: int, target: int, session: Session, kind: FileKind) -> None:
    redact = redactor_for(kind)
    with tempfile.TemporaryFile() as spooled, tempfile.TemporaryFile() as result:
        spooled.write(begun)
        while chunk := os.read(source, CHUNK_BYTES):
            spooled.write(chunk)
        spooled.seek(0)
        redact(cast("BinaryIO", spooled), cast("BinaryIO", result), NAME, session)
        result.seek(0)
        with os.fdopen(os.dup(target), "wb") as out:
            shutil.copyfileobj(result, out, CHUNK_BYTES)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
