"""The name of a file, without the secrets in it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.containers.blob import OWN_NAME
from provision.redact.masks import masked_already
from provision.redact.notes import Notes, Remark
from provision.redact.stream import redact_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from provision.redact.session import Session

_PARTS = re.compile(r"([/\\!])")
_MASK = re.compile(rb"\[REDACTED:?([^\]#]*)#?([^\]]*)\]")


def masked_name(path: Path, session: Session) -> str:
    """Return a file's name with its secrets masked, in characters that every file system takes, and note them."""
    return _masked(path.name, str(path), session)


def _masked(name: str, file: str, session: Session) -> str:
    data = os.fsencode(name)
    masked = redact_bytes(data, session, file, OWN_NAME)
    return name if masked == data else os.fsdecode(_MASK.sub(_as_name, masked).replace(b"*", b"x"))


class ShownPaths:
    """Paths for printing and reports: secrets in the names of files, folders and members are masked. Nothing is noted."""

    def __init__(self, session: Session) -> None:
        self._session = replace(session, notes=Notes())
        self._shown: dict[str, str] = {}

    def shown(self, path: str) -> str:
        """Return the path without its secrets."""
        return "".join(map(self._part, _PARTS.split(path)))

    def _part(self, name: str) -> str:
        if name not in self._shown:
            self._shown[name] = _masked(name, "", self._session)
        return self._shown[name]


def _as_name(mask: re.Match[bytes]) -> bytes:
    return b"-".join((b"REDACTED", *(part for part in mask.groups() if part)))


def note_name(path: Path, session: Session) -> None:
    """Ask for a review of a file whose name shows a secret; nothing is masked."""
    found = session.detector.scan(os.fsencode(path.name))
    if any(not masked_already(match.secret.reveal()) for match in found):
        session.notes.unsure.append(Remark(str(path), OWN_NAME, "it shows a secret", "rename the file"))
