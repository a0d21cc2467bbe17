"""Plain text and tables as an output format. Untrusted text may hold terminal escapes or a key: `printable` makes it safe.

On a terminal a table fits its width: cells are wrapped between words, and a table that is still too wide has one block per row.
Remarks are wrapped too (`remark`). Nothing is ever cut, and elsewhere (a pipe, a file) every row is one line. Colour marks words
that are states, nothing else.
"""

from __future__ import annotations

import codecs
import os
import sys
from typing import TYPE_CHECKING

from provision.detect.shapes import mask_secrets
from provision.report.fitting import display_width, fitted_line, pieces_of, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TextIO

_SHORTEST_SECRET = 14
_GAP = 2
_GOOD, _UNSURE, _BAD, _MUTED = "32", "33", "31", "2"
_STATES: Mapping[str, str] = {
    **dict.fromkeys(("ok", "current", "verified", "trusted", "valid"), _GOOD),
    **dict.fromkeys(
        ("warning", "behind", "silent", "drifted", "expired", "overdue", "hazards", "medium", "high"), _UNSURE
    ),
    **dict.fromkeys(
        (
            "problem",
            "error",
            "failed",
            "misrouted",
            "leaked",
            "key_invalid",
            "unfunded",
            "rejected",
            "critical",
            "not believed",
        ),
        _BAD,
    ),
    **dict.fromkeys(("unknown", "not looked at", "never heard", "skipped", "unverified", "-"), _MUTED),
}
"""State words by the SGR code of their colour; a cell is coloured if it is exactly such a word."""
_PREFIXES = {"error:": _BAD, "warning:": _UNSURE, "hint:": _MUTED, "CRITICAL": _BAD, "HIGH": _UNSURE}


_FALLBACKS = {
    "…": "...",
    "·": "-",
    "—": "-",
    "–": "-",  # noqa: RUF001
    "→": "->",
    "×": "x",  # noqa: RUF001
    "≤": "<=",
    "≥": ">=",
    "█": "#",
    "░": ".",
    "▲": "^",
    "▼": "v",
    "’": "'",  # noqa: RUF001
    "“": '"',
    "”": '"',
}
"""Our symbols that an old console cannot show."""


def register_fallbacks() -> str:
    """Register how a character is written that a terminal's encoding does not have; returns the name of the error handler."""

    def fallback(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        return "".join(
            _FALLBACKS.get(c) or c.encode("ascii", "backslashreplace").decode()
            for c in error.object[error.start : error.end]
        ), error.end

    codecs.register_error("provision-fallback", fallback)
    return "provision-fallback"


class _Result:
    """What the running command prints on standard output: prose and tables for a reader, or data for a program."""

    is_data = False


def results_are_data() -> None:
    """Say that the result is written to a file or in a format for programs: then nothing depends on the terminal."""
    _Result.is_data = True


def results_are_prose() -> None:
    """Forget what an earlier command of this process printed."""
    _Result.is_data = False


def terminal_width() -> int | None:
    """The columns that a result may use; None if it does not go to a terminal, or is data."""
    return None if _Result.is_data else columns_of(sys.stdout)


def columns_of(stream: TextIO) -> int | None:
    """The width of the terminal that a stream goes to: COLUMNS if it is set, else what the terminal says; None for others."""
    if not stream.isatty():
        return None
    columns = int(text) if (text := os.environ.get("COLUMNS", "")).isdecimal() else 0
    if not columns:
        try:
            columns = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):  # a stream without a descriptor
            columns = 0
    return max(columns or 80, 20)


def has_colour(stream: TextIO) -> bool:
    """Whether colour may be written: to a terminal that knows it, unless NO_COLOR is set (no-color.org)."""
    return os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR") and stream.isatty()


def remark(line: str, stream: TextIO) -> str:
    """A line for a reader: fitted to the terminal that the stream goes to, and coloured by its severity."""
    columns = columns_of(stream)
    return painted(fitted_line(line, columns) if columns else line, stream)


def painted(line: str, stream: TextIO) -> str:
    """A line whose first word, or `FILE:LINE:COLUMN: error:`, is coloured if it is a severity."""
    if has_colour(stream):
        for prefix, code in _PREFIXES.items():
            if line.startswith(prefix):
                return f"\x1b[{code}m{prefix}\x1b[0m{line[len(prefix) :]}"
            if f": {prefix} " in line[:300] and prefix.endswith(":"):
                return line.replace(f": {prefix} ", f": \x1b[{code}m{prefix}\x1b[0m ", 1)
    return line


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


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, indent: int = 0) -> str:
    """Columns separated by two spaces, without trailing blanks. Every line ends with a newline. Empty headers are no line."""
    lines = [tuple(headers), *(tuple(printable(str(cell)) for cell in row) for row in rows)]
    widths = [max(display_width(line[i]) for line in lines) for i in range(len(headers))]
    shown = lines if any(headers) else lines[1:]
    room = terminal_width()
    colour = room is not None and has_colour(sys.stdout)
    margin = " " * indent
    if room is None or sum(widths) + _GAP * (len(widths) - 1) + indent <= room:
        return "".join(margin + _row(line, widths, colour=colour) for line in shown)
    fitting = _fitted(lines, widths, room - indent)
    if fitting is None:
        return "".join(_block(lines[0], line, indent, room, colour=colour) for line in lines[1:])
    return "".join(
        margin + _row(part, fitting, colour=colour) for line in shown for part in _wrapped_row(line, fitting)
    )


def _row(cells: Sequence[str], widths: Sequence[int], *, colour: bool) -> str:
    padded = (
        _paint(cell, colour=colour) + " " * (width - display_width(cell))
        for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip() + "\n"


def _paint(cell: str, *, colour: bool) -> str:
    return f"\x1b[{_STATES[cell]}m{cell}\x1b[0m" if colour and cell in _STATES else cell


def _fitted(lines: Sequence[Sequence[str]], widths: Sequence[int], room: int) -> list[int] | None:
    """Widths of columns that fit, the widest ones narrowed; None if the longest piece of some column is too wide for that."""
    least = [max(display_width(piece) for line in lines for piece in pieces_of(line[i])) for i in range(len(widths))]
    fitted = list(widths)
    excess = sum(fitted) + _GAP * (len(fitted) - 1) - room
    while excess > 0:
        wide = [i for i in range(len(fitted)) if fitted[i] > least[i]]
        if not wide:
            return None
        widest = max(wide, key=lambda i: fitted[i])
        fitted[widest] -= 1
        excess -= 1
    return fitted


def _wrapped_row(cells: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    columns = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(len(parts) for parts in columns)
    return [[parts[at] if at < len(parts) else "" for parts in columns] for at in range(height)]


def _block(headers: Sequence[str], cells: Sequence[str], indent: int, room: int, *, colour: bool) -> str:
    """A row as lines: its first cell, then each other one that is not empty behind its header."""
    margin, label = " " * indent, max(display_width(header) for header in headers[1:]) if len(headers) > 1 else 0
    lines = [margin + _paint(cells[0], colour=colour)]
    for header, cell in zip(headers[1:], cells[1:], strict=True):
        if cell:
            first, *rest = wrapped(cell, max(room - indent - label - 2 * _GAP, 1))
            head, below = header + " " * (label - display_width(header)), " " * label
            if max(display_width(part) for part in (first, *rest)) > room - indent - label - 2 * _GAP:
                lines.append(f"{margin}  {head}")  # a piece that has more room below its header
                first, *rest = wrapped(cell, max(room - indent - 2 * _GAP, 1))
                head = below = ""
            lines.append(f"{margin}  {head}  {_paint(first, colour=colour)}")
            lines += [f"{margin}  {below}  {part}" for part in rest]
    return "".join(line.rstrip() + "\n" for line in lines)
