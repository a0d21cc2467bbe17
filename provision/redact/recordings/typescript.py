"""Redact typescripts of `script`. The number of bytes does not change, so a timing file stays valid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from provision.redact.session import CannotExamineError
from provision.redact.terminal.output_scanner import RecordingScanner, lay_covers

if TYPE_CHECKING:
    from provision.redact.session import Session

LIMIT_BYTES = 512 << 20
STEP_CHARACTERS = 256
"""The screen is searched after so many characters: what is shown for a shorter time cannot be read by a viewer either."""


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a typescript; see `RedactFile`."""
    data = source.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise CannotExamineError("this typescript is too large to be examined", hint="record it in shorter parts")
    text = data.decode("utf-8", "surrogateescape")
    head = text[:1000]
    columns, rows = (re.search(rf'{name}="(\d{{1,4}})"', head) for name in ("COLUMNS", "LINES"))
    recording = RecordingScanner(session, int(columns[1]) if columns else 80, int(rows[1]) if rows else 24, file)
    for at in range(0, len(text), STEP_CHARACTERS):
        recording.take(text[at : at + STEP_CHARACTERS])
    covers = recording.covers(lambda origin: f"line {text.count(chr(10), 0, origin) + 1}")
    target.write(lay_covers(text, 0, covers).encode("utf-8", "surrogateescape"))
