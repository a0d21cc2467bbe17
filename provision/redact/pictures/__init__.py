"""Redact pictures and PDFs: read text from the pixels, cover keys, write only pixels.

Places that could not be read well enough are reported, never called clean. The steps: `formats` or `pdf` decode the
file, `skew` straightens it, `strips` finds text, `glyphs` reads it, `lines` joins it, `lookalike`, `named_values` and
`sightings` find keys, `areas` covers them, `examiner` repeats this until nothing more is found, `picture_file` writes
the result.
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
