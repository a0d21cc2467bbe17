"""Pictures and PDFs: text is read from the pixels, keys are covered, and only pixels are written.

What could not be read well enough is said, never passed off as clean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from provision.redact.session import Session


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact one picture or PDF; see `RedactFile`. Needs the extra `[image]`."""
    from provision.redact.pictures.picture_file import redact_pdf, redact_picture  # noqa: PLC0415

    head = source.read(1024)
    source.seek(0)
    (redact_pdf if b"%PDF-" in head else redact_picture)(source, target, file, session)
