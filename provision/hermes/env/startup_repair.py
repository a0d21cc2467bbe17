"""Repair a `.env` as Hermes does before it reads the file (`hermes_cli/env_loader.py`, `_sanitize_env_file_if_needed`).

The repair removes byte order marks, UTF-16, NUL bytes and stray white space, adds a missing last newline and splits two
known variables on one line. Then Hermes rewrites the whole file. A file that needs no repair keeps every byte, BOM included.
"""

from __future__ import annotations

import codecs
import io

from provision.hermes.facts.selection import NEWEST_VERIFIED

_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)  # the first one begins with the mark of UTF-16: check UTF-32 first
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_STRUCTURED = ("://", "?", "&")


def is_utf32(data: bytes) -> bool:
    """Return whether the file begins with the byte order mark of UTF-32. Hermes does not repair such a file."""
    return data.startswith(_UTF32)


def is_utf16(data: bytes) -> bool:
    """Return whether the file begins with the byte order mark of UTF-16. Hermes rewrites such a file as UTF-8."""
    return not is_utf32(data) and data.startswith(_UTF16)


def decode_env(data: bytes) -> tuple[str, str]:
    """Return text and encoding as Hermes makes python-dotenv read the file: UTF-8 with any BOM kept, else Latin-1."""
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def repair_env(data: bytes, known: frozenset[str] = NEWEST_VERIFIED.known_env) -> bytes:
    """Return the file as Hermes leaves it before loading; the same bytes if no repair is needed.

    `known` are the names that the release recognizes inside a line.
    """
    if is_utf32(data):
        return data
    utf16 = is_utf16(data)
    if utf16:
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            return data
    else:
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        if text.startswith("\ufffd"):  # Hermes does not save this: it would become part of the first name
            return data
    original = list(io.StringIO(text, newline=None))
    repair = repair_lines([line.replace("\0", "") for line in original], known)
    return "".join(repair).encode("utf-8", "replace") if utf16 or repair != original else data


def repair_lines(lines: list[str], known: frozenset[str] = NEWEST_VERIFIED.known_env) -> list[str]:
    """Strip lines and split lines with several known variables (`hermes_cli/config.py`, `_sanitize_env_lines`)."""
    repair: list[str] = []
    for line in lines:
        raw = line.rstrip("\r\n")
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            repair.append(raw + "\n")
        else:
            repair.extend(part + "\n" for part in _cut(stripped, known))
    return repair


def _cut(line: str, known: frozenset[str]) -> list[str]:
    starts = _starts(line, known)
    if len(starts) < 2 or starts[0] != 0:
        return [line]
    parts = [line[start:end] for start, end in zip(starts, [*starts[1:], len(line)], strict=True)]
    if any(_structured(part.split("=", 1)[1]) for part in parts[:-1]):
        return [line]
    return [part.strip() for part in parts if part.strip()]


def _structured(value: str) -> bool:
    return any(mark in value for mark in _STRUCTURED) or any(map(str.isspace, value))


def _starts(line: str, known: frozenset[str]) -> list[int]:
    """Return the starts of known names directly before a `=`; `LM_API_KEY=` inside `GLM_API_KEY=` does not count."""
    if line.count("=") < 2:
        return [0] if line.partition("=")[0] in known else []
    longest = max(map(len, known), default=0)
    spans = set()
    at = line.find("=")
    while at >= 0:
        spans |= {(start, at) for start in range(max(0, at - longest), at) if line[start:at] in known}
        at = line.find("=", at + 1)
    return sorted(s for s, e in spans if not any(s2 <= s and e2 >= e and (s2, e2) != (s, e) for s2, e2 in spans))
