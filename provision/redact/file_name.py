"""The name of a file, without the secrets in it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from provision.containers.blob import OWN_NAME
from provision.redact.masks import masked_already
from provision.redact.notes import Remark
from provision.redact.stream import redact_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from provision.redact.session import Session

_MASK = re.compile(rb"\[REDACTED:?([^\]#]*)#?([^\]]*)\]")


def masked_name(path: Path, session: Session) -> str:
    """Return a file's name with its secrets masked, in characters that every file system takes, and note them."""
    name = os.fsencode(path.name)
    masked = redact_bytes(name, session, str(path), OWN_NAME)
    return path.name if masked == name else os.fsdecode(_MASK.sub(_as_name, masked).replace(b"*", b"x"))


def _as_name(mask: re.Match[bytes]) -> bytes:
    return b"-".join((b"REDACTED", *(part for part in mask.groups() if part)))


def note_name(path: Path, session: Session) -> None:
    """Ask for a review of a file whose name shows a secret; nothing is masked."""
    found = session.detector.scan(os.fsencode(path.name))
    if any(not masked_already(match.secret.reveal()) for match in found):
        session.notes.unsure.append(Remark(str(path), OWN_NAME, "it shows a secret", "rename the file"))
