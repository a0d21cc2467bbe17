"""Redact text files and all other uncompressed files: first by their format, then by the detectors over the bytes.

Values that a format marks as secret (`api_key` in a YAML file, each value of a `.env`) are masked whatever they look
like. A file that does not have the format its name promises is redacted as plain bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from provision.redact.stream import CHUNK_BYTES, redact_stream
from provision.redact.structured import structured_redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.redact.session import Session

STRUCTURED_LIMIT_BYTES = 64 << 20
"""Larger files are redacted as plain text, in constant memory."""


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a text or unknown binary file; see `RedactFile`."""
    redact = structured_redactor(file)
    if redact is not None:
        data = source.read(STRUCTURED_LIMIT_BYTES + 1)
        if len(data) <= STRUCTURED_LIMIT_BYTES:
            result = redact(data, file, session)
            target.writelines(redact_stream((result,), session, file))
            return
        source.seek(0)
    target.writelines(redact_stream(_chunks(source), session, file))


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk
