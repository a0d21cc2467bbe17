"""Mask the values of `.env` files, except those of variables that hold no secret. Comments and order stay.

Hermes reads these files with two parsers that disagree on quotes and line ends (docs/hermes.md). Therefore both readings
of a value are masked: quoted text over several lines, and the text after the first `=` of a line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.detect.secret_names import plain_value
from provision.formats.edits import Edit, apply_edits, decode_text, line_of
from provision.redact.structured.secret_names import plain_variable

if TYPE_CHECKING:
    from provision.redact.session import Session

RULE = "env-value"
_BINDING = re.compile(
    r"""(?mx)
    ^ [ \t\ufeff]* (?:\#[ \t]*)? (?:export[ \t]+)? (?P<name>[A-Za-z_][A-Za-z0-9_.-]*) [ \t]* =  [ \t]*
    (?: "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)' | (?P<bare>[^\r\n]*?) )
    (?= [ \t]* (?:\r?$|\r|[ \t]\#) )
    """
)
_COMMENTED = re.compile(r"[ \t\ufeff]*#")


def redact_dotenv(data: bytes, file: str, session: Session) -> bytes:
    """Mask the values of all variables, except plain ones and those in `session.options.allow`."""
    decoded = decode_text(data)
    if decoded is None:
        return data
    text, encoding = decoded
    edits = []
    for found in _BINDING.finditer(text):
        name = found["name"]
        group = next(g for g in ("double", "single", "bare") if found[g] is not None)
        value = found[group]
        if plain_value(value) or plain_variable(name, session.options.allow):
            continue
        if _COMMENTED.match(found.group()) and (" " in value.strip() or group != "bare"):
            continue  # a sentence with an equals sign in a comment: left to the detectors
        masked = session.masked_value(file, f"line {line_of(text, found.start(group))}, {name}", RULE, value)
        edits.append(Edit(found.start(group), found.end(group), masked))
    return apply_edits(text, edits).encode(encoding) if edits else data
