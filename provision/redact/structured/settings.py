"""Mask the values of secret names in settings: INI, TOML, properties, `.npmrc`, units of systemd. All other bytes stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.detect.secret_names import names_secret, plain_value
from provision.formats.edits import Edit, apply_edits, decode_text, line_of
from provision.redact.structured.json_text import RULE
from provision.redact.structured.secret_names import path_chosen

if TYPE_CHECKING:
    from provision.redact.session import Session

_SETTING = re.compile(
    r"""(?mx)
    ^ [ \t\ufeff]* (?![\#;\[]) (?P<name>[^=:\r\n\#;]*? | //[^=\r\n]*?) [ \t]* (?:=|:(?=[ \t])) [ \t]*
    (?: "(?P<double>(?:[^"\\\r\n]|\\.)*)" | '(?P<single>[^'\r\n]*)' | (?P<bare>[^\s"'\[{][^\r\n]*?) )
    (?= [ \t]* (?:\r?$|[ \t][\#;]) )
    """
)


def redact_settings(data: bytes, file: str, session: Session) -> bytes:
    """Mask the values of secret names and of chosen ones; bytes that are not text are returned unchanged."""
    decoded = decode_text(data)
    if decoded is None:
        return data
    text, encoding = decoded
    edits = []
    for found in _SETTING.finditer(text):
        name = re.split(r"[/:]", found["name"].strip("\"' \t"))[-1]
        group = next(g for g in ("double", "single", "bare") if found[g] is not None)
        value = found[group]
        chosen = path_chosen(tuple(name.split(".")), session.options.paths)
        if not chosen and (plain_value(value) or not names_secret(name)):
            continue
        masked = session.masked_value(file, f"line {line_of(text, found.start(group))}, {name}", RULE, value)
        edits.append(Edit(found.start(group), found.end(group), masked))
    return apply_edits(text, edits).encode(encoding) if edits else data
