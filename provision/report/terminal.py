"""Plain text and tables as an output format. Untrusted text may hold terminal escapes or a key: `printable` makes it safe."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from provision.detect.shapes import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_SHORTEST_SECRET = 14


def printable(text: str) -> str:
    """Mask keys, and escape control, bidirectional and other invisible characters as `\\x1b`, `\\u202e`; newlines too."""
    if len(text) >= _SHORTEST_SECRET:
        text = mask_secrets(text)
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == " " else (f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}") for c in text
    )


def plural(count: int, noun: str) -> str:
    """Count with its noun: `1 file`, `2,000 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns separated by two spaces, without trailing blanks. Every line ends with a newline."""
    lines = [tuple(headers), *(tuple(printable(str(cell)) for cell in row) for row in rows)]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(headers))]
    return "".join(
        "  ".join(cell + " " * (widths[i] - _width(cell)) for i, cell in enumerate(line)).rstrip() + "\n"
        for line in lines
    )
