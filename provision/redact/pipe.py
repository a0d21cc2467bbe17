"""Redact standard input to standard output, passing each byte on as soon as possible."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.containers.embedded import EmbeddedStreams
from provision.containers.steps import spooled_file
from provision.redact import text
from provision.redact.file_kinds import HEAD_BYTES, FileKind, kind_of, redactor_for
from provision.redact.files import redact_open
from provision.redact.notes import Remark
from provision.redact.session import CannotExamineError
from provision.redact.stream import CHUNK_BYTES, redact_stream
from provision.redact.structured.text_form import BEGINNING_BYTES, may_have_form, text_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.redact.session import Session
    from provision.redact.structured.text_form import TextForm

NAME = "standard input"


def redact_descriptor(
    source: int,
    target: int,
    session: Session,
    kind: FileKind | None = None,
    on_hold: Callable[[bool], None] = lambda _: None,
) -> None:
    """Read `source` to its end and write the redacted bytes to `target`.

    Text is passed on as it arrives. Text that begins like JSON, YAML, a `.env` or settings is collected first, as a file is;
    `on_hold` is called with True when that begins and with False when it ends. Other kinds (an archive, a picture, a
    recording) are collected in an unnamed temporary file. Raises CannotExamineError if the input proves not to be text after
    part of it was passed on.
    """
    if kind is not None:
        begun, form = b"", None
    elif not session.options.structure:
        begun, form = os.read(source, CHUNK_BYTES), None
    else:
        begun, form = _beginning(source, on_hold)
    found = kind or kind_of(begun)
    if found is not FileKind.TEXT:
        _whole(begun, source, target, session, found)
        return
    if form is not None:
        begun, ended = _collected(begun, source)
        on_hold(False)
        if ended:
            _as_file(begun, target, session)
            return
        session.notes.unsure.append(text.too_large(NAME, form))
    embedded = EmbeddedStreams()
    rest = _chunks(source) if kind else _text_chunks(begun, source)
    for data in redact_stream(embedded.watching(chain([begun], rest)), session, NAME):
        _write(target, data)
    if embedded.streams() or embedded.problems:
        message = "compressed data in base64 was not unpacked in a stream"
        session.notes.unsure.append(Remark(NAME, "", message, "redact it as a file"))


def _collected(begun: bytes, source: int) -> tuple[bytes, bool]:
    """Read on, up to the limit for texts that are read by their form; return also whether this is all."""
    held = bytearray(begun)
    for chunk in _chunks(source):
        held += chunk
        if len(held) > text.STRUCTURED_LIMIT_BYTES:
            return bytes(held), False
    return bytes(held), True


def _as_file(data: bytes, target: int, session: Session) -> None:
    with spooled_file() as result:
        redact_open(io.BytesIO(data), result, NAME, session)
        result.seek(0)
        while chunk := result.read(CHUNK_BYTES):
            _write(target, chunk)


def _beginning(source: int, on_hold: Callable[[bool], None]) -> tuple[bytes, TextForm | None]:
    """Read until it is clear whether the input has a form, and which."""
    begun = b""
    while chunk := os.read(source, CHUNK_BYTES):
        begun += chunk
        if len(begun) >= BEGINNING_BYTES:
            return begun, text_form(begun, whole=False)
        if kind_of(begun) is not FileKind.TEXT or not may_have_form(begun):
            on_hold(False)
            return begun, None
        on_hold(True)
    return begun, text_form(begun, whole=True)


def _chunks(source: int) -> Iterator[bytes]:
    while chunk := os.read(source, CHUNK_BYTES):
        yield chunk


def _text_chunks(head: bytes, source: int) -> Iterator[bytes]:
    """Yield the rest of a text. Raises CannotExamineError if its first bytes prove to be another kind."""
    for chunk in _chunks(source):
        if len(head) < HEAD_BYTES:
            head += chunk[: HEAD_BYTES - len(head)]
            found = kind_of(head)
            if found is not FileKind.TEXT:
                raise CannotExamineError(f"standard input is a {found} file", hint="provision redact FILE -o SAFE")
        yield chunk


def _whole(begun: bytes, source: int, target: int, session: Session, kind: FileKind) -> None:
    redact = redactor_for(kind)
    with tempfile.TemporaryFile() as spooled, tempfile.TemporaryFile() as result:
        spooled.write(begun)
        for chunk in _chunks(source):
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
