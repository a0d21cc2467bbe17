"""Redact text files and all other uncompressed files: first by their format, then by the detectors over the bytes.

Values that a format marks as secret (`api_key` in a YAML file, each value of a `.env`) are masked whatever they look
like. The beginning of a text shows its format; a name such as `.env` only adds to that. A text that is too large for its
format, or does not have it after all, is redacted as plain bytes.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from provision.redact.key_tail import mask_key_tail
from provision.redact.notes import Remark
from provision.redact.stream import CHUNK_BYTES, redact_stream
from provision.redact.structured import forms_of_file, redact_forms
from provision.redact.structured.text_form import BEGINNING_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provision.redact.session import Session
    from provision.redact.structured.text_form import TextForm

STRUCTURED_LIMIT_BYTES = 64 << 20
"""Larger texts are redacted as plain text, in constant memory, with a remark."""


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a text or unknown binary file; see `RedactFile`."""
    head = source.read(BEGINNING_BYTES)
    forms = forms_of_file(file, head) if session.options.structure else ()
    if session.options.structure:
        head = mask_key_tail(head, file, session)
    target.writelines(redact_text(chain([head], _chunks(source)), forms, file, session))


def redact_text(chunks: Iterable[bytes], forms: Sequence[TextForm], file: str, session: Session) -> Iterator[bytes]:
    """Yield the redacted form of a text. One that has a form is collected first, up to a limit."""
    if not forms:
        yield from redact_stream(chunks, session, file)
        return
    held = bytearray()
    chunks = iter(chunks)
    for chunk in chunks:
        held += chunk
        if len(held) > STRUCTURED_LIMIT_BYTES:
            session.notes.unsure.append(too_large(file, forms[0]))
            yield from redact_stream(chain([bytes(held)], chunks), session, file)
            return
    yield from redact_stream((redact_forms(forms, bytes(held), file, session),), session, file)


def too_large(file: str, form: str) -> Remark:
    """The remark on a text that was not read by its form."""
    message = f"larger than {STRUCTURED_LIMIT_BYTES >> 20} MiB: searched as plain text, not as {form}"
    return Remark(file, "", message, "split it into smaller files")


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk
