"""How Hermes 0.19 repairs a `.env` before it reads it (`hermes_cli/env_loader.py`, `_sanitize_env_file_if_needed`).

Byte order marks, UTF-16, NUL bytes, stray white space, a missing last newline and two known variables glued on one
line are put right, and the whole file is rewritten then; a file that needs none of it stays as it is, BOM included.
"""

from __future__ import annotations

import codecs
import io

from provision.hermes.facts.v0_19_env_names import KNOWN_ENV

_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)  # the first begins with UTF-16's mark: always ask for these first
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST = max(map(len, KNOWN_ENV))
_STRUCTURED = ("://", "?", "&")


def is_utf32(data: bytes) -> bool:
    """Whether the file begins with UTF-32's byte order mark: Hermes refuses to repair it."""
    return data.startswith(_UTF32)


def is_utf16(data: bytes) -> bool:
    """Whether the file begins with UTF-16's byte order mark: Hermes rewrites it as UTF-8."""
    return not is_utf32(data) and data.startswith(_UTF16)


def decode_env(data: bytes) -> tuple[str, str]:
    """Text and encoding as python-dotenv is made to read it: UTF-8 with any BOM kept, else Latin-1."""
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def repair_env(data: bytes) -> bytes:
    """The file as Hermes leaves it before loading; the same bytes when there is nothing to put right."""
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
        if text.startswith("\ufffd"):  # persisting this would glue the replacement onto the first name
            return data
    original = list(io.StringIO(text, newline=None))
    repair = repair_lines([line.replace("\0", "") for line in original])
    return "".join(repair).encode("utf-8", "replace") if utf16 or repair != original else data


def repair_lines(lines: list[str]) -> list[str]:
    """Stripped lines, glued known variables cut apart (`hermes_cli/config.py`, `_sanitize_env_lines`)."""
    repair: list[str] = []
    for line in lines:
        raw = line.rstrip("\r\n")
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            repair.append(raw + "\n")
        else:
            repair.extend(part + "\n" for part in _cut(stripped))
    return repair


def _cut(line: str) -> list[str]:
    starts = _starts(line)
    if len(starts) < 2 or starts[0] != 0:
        return [line]
    parts = [line[start:end] for start, end in zip(starts, [*starts[1:], len(line)], strict=True)]
    if any(_structured(part.split("=", 1)[1]) for part in parts[:-1]):
        return [line]
    return [part.strip() for part in parts if part.strip()]


def _structured(value: str) -> bool:
    return any(mark in value for mark in _STRUCTURED) or any(map(str.isspace, value))


def _starts(line: str) -> list[int]:
    """Where known names directly before a `=` begin; `LM_API_KEY=` inside `GLM_API_KEY=` does not count."""
    if line.count("=") < 2:
        return [0] if line.partition("=")[0] in KNOWN_ENV else []
    spans = set()
    at = line.find("=")
    while at >= 0:
        spans |= {(start, at) for start in range(max(0, at - _LONGEST), at) if line[start:at] in KNOWN_ENV}
        at = line.find("=", at + 1)
    return sorted(s for s, e in spans if not any(s2 <= s and e2 >= e and (s2, e2) != (s, e) for s2, e2 in spans))
