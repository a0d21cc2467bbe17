"""Redact standard input to standard output, passing each byte on as soon as possible."""

from __future__ import annotations

import io
import os
import shutil
from itertools import chain
from typing import TYPE_CHECKING

from provision.containers.container_format import HEAD_BYTES as CONTAINER_HEAD_BYTES
from provision.containers.container_format import container_format, elsewhere_in, is_text, may_be_container
from provision.containers.steps import spooled_file
from provision.redact import text
from provision.redact.archives.containers import redact_embedded
from provision.redact.file_kinds import HEAD_BYTES, FileKind, kind_of
from provision.redact.files import redact_open
from provision.redact.key_tail import mask_key_tail, may_be_key_tail
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

    Text is passed on as it arrives, except base64 of a container, which is held back to its end. Text that begins like JSON,
    YAML, a `.env`, settings or a registry export is collected first, as a file is; `on_hold` is called with True when that
    begins and with False when it ends. Other kinds (an archive, a picture, a recording, unknown binary data) are collected in
    an unnamed temporary file. Raises CannotExamineError if the input proves not to be text after part of it was passed on.
    """
    if kind is not None:
        begun, form = b"", None
    elif not session.options.structure:
        begun, form = os.read(source, CHUNK_BYTES), None
    else:
        begun, form = _beginning(source, on_hold)
    found = kind or kind_of(begun)
    if found is not FileKind.TEXT or (kind is None and _is_binary(begun)):
        _whole(begun, source, target, session, kind)
        return
    if form is not None or (kind is None and container_format(begun[:CONTAINER_HEAD_BYTES]) is not None):
        begun, ended = _collected(begun, source)
        on_hold(False)
        if ended:
            _as_file(begun, target, session)
            return
        session.notes.unsure.append(text.too_large(NAME, form or "a document"))
    if kind is None and session.options.structure:
        begun = mask_key_tail(begun[:BEGINNING_BYTES], NAME, session) + begun[BEGINNING_BYTES:]
    rest = _chunks(source) if kind else _text_chunks(begun, source)
    chunks = chain([begun], rest)
    for data in redact_stream(chunks if kind else redact_embedded(chunks, session, NAME), session, NAME):
        _write(target, data)


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
        may_be_more = may_have_form(begun) or may_be_container(begun) or may_be_key_tail(begun) or not is_text(begun)
        if kind_of(begun) is not FileKind.TEXT or not may_be_more:
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
            found: str = kind_of(head)
            if found == FileKind.TEXT:
                found = elsewhere_in(head) or found
            if found != FileKind.TEXT:
                raise CannotExamineError(f"standard input is a {found} file", hint="provision redact FILE -o SAFE")
        yield chunk


def _whole(begun: bytes, source: int, target: int, session: Session, kind: FileKind | None) -> None:
    with spooled_file() as spooled, spooled_file() as result:
        spooled.write(begun)
        for chunk in _chunks(source):
            spooled.write(chunk)
        spooled.seek(0)
        redact_open(spooled, result, NAME, session, kind)
        result.seek(0)
        with os.fdopen(os.dup(target), "wb") as out:
            shutil.copyfileobj(result, out, CHUNK_BYTES)


def _is_binary(begun: bytes) -> bool:
    """Whether the input is binary: it may be a container that only its end shows."""
    wide = begun.startswith((b"\xff\xfe", b"\xfe\xff"))
    return not wide and (b"\0" in begun[:HEAD_BYTES] or elsewhere_in(begun) is not None)


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
