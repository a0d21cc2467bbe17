"""Redact tables: CSV, TSV, output of databases, dumps of SQL. A column of secrets goes, however far above its header is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.policy import is_reference
from provision.detect.rules.columns import columns_of_secrets
from provision.formats.edits import decode_text
from provision.redact.structured.json_text import RULE

if TYPE_CHECKING:
    from provision.redact.session import Session


def redact_table(data: bytes, file: str, session: Session) -> bytes:
    """Mask the values of columns with secret names; bytes that are not text are returned unchanged."""
    decoded = decode_text(data)
    if decoded is None:
        return data
    text, encoding = decoded
    mark = text[:1] if text.startswith("\ufeff") else ""
    raw = text[len(mark) :].encode()
    out: list[bytes] = []
    at, line, counted = 0, 1, 0
    for found in sorted(columns_of_secrets(raw, 0, len(raw))):
        value, name = raw[found.start : found.end].decode(), found.name.decode("utf-8", "replace")
        if found.start < at or is_reference(value):
            continue
        line, counted = line + raw.count(b"\n", counted, found.start), found.start
        masked = session.masked_value(file, f"line {line}, {name}", RULE, value)
        out += (raw[at : found.start], masked.encode())
        at = found.end
    return (mark + b"".join((*out, raw[at:])).decode()).encode(encoding) if out else data
