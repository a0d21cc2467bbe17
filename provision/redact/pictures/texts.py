"""Find what a picture or PDF holds beside its pixels: texts, metadata, attachments, what follows its end.

The result has only pixels, so all of it is gone. What held a secret is noted as masked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.containers.blob import Blob, ReadLimits, Unreadable
from provision.containers.container_format import HEAD_BYTES, container_format
from provision.containers.walk import walk
from provision.redact.masks import masked_already
from provision.redact.notes import Remark

if TYPE_CHECKING:
    from provision.redact.session import Session

_LIMITS = ReadLimits()


def note_texts(data: bytes, file: str, session: Session) -> None:
    """Note the secrets in a picture's texts, and what in them cannot be read."""
    seen = {place.tag for place in session.notes.places if place.file == file}
    for part in walk(Blob(file, data), _LIMITS, size=len(data), kind=container_format(data[:HEAD_BYTES])):
        if isinstance(part, Unreadable):
            session.notes.left_out.append(Remark(file, part.where or "", part.reason))
            continue
        found = (
            session.detector.scan(part.data)
            if isinstance(part.data, bytes)
            else session.detector.scan_chunks(part.data)
        )
        for match in found:
            spot = part.locate(match) if part.locate else None
            value = match.secret.reveal()
            if (part.locate and spot is None) or masked_already(value) or session.masker.tag(value) in seen:
                continue
            place = ": ".join(name for name in (part.where, spot and spot.where) if name)
            session.note(file, place or f"byte {match.start}", match)
