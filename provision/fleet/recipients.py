"""Read a file of recipients in the format of age's `-R`: one per line, `#` begins a comment line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.errors import Place, Problem
from provision.fleet.names import RECIPIENT, RULES
from provision.formats.located import BrokenTextError, decode_utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

_RECIPIENT = re.compile(RECIPIENT)
MAX_BYTES = 65_536

RecipientsFile = tuple[tuple[str, ...], "Mapping[str, Place]"]
"""The recipients in a file, and the place of each (`recipients.0` …)."""


def read_recipients(data: bytes, file: str) -> RecipientsFile | Problem:
    """Return the recipients of a file with the place of each, or the first problem. Never raises."""
    try:
        text = decode_utf8(data, file)
    except BrokenTextError as e:
        return e.problem
    found: list[str] = []
    places: dict[str, Place] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        where = Place(file, number, len(raw) - len(raw.lstrip()) + 1)
        if line.upper().startswith(("AGE-SECRET-KEY-", "-----BEGIN")):
            hint = "replace it by its public key, and create a new key: this one is no longer secret"
            return Problem("private-key", "this is a private key: it must never be in this file", where, hint)
        if not _RECIPIENT.match(line):
            return Problem("bad-recipient", "invalid recipient", where, RULES["recipients"].hint)
        places[f"recipients.{len(found)}"] = where
        found.append(line)
    if not found:
        return Problem("no-recipients", "this file contains no recipient", Place(file), RULES["recipients"].hint)
    places["recipients"] = places["recipients.0"]
    return tuple(found), places
