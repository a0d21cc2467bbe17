"""CSV (RFC 4180) with the line and column of every cell.

Comma-separated, UTF-8 with or without byte order mark, LF or CRLF. A cell in double quotes may contain commas, line breaks
and doubled quotes. Empty rows and rows that begin with `#` (after blanks) are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import Problem
from provision.formats.located import BrokenTextError, decode_utf8, mark, place, position_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = re.compile(r'[^,"\r\n]*')
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"')
_BREAK = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of a cell, its mark (see `located.mark`), and where it is in the file's text, with its quotes."""

    text: str
    mark: int
    start: int = 0
    end: int = 0


def read_csv(data: bytes, file: str) -> Iterator[list[Cell]]:
    """Yield the rows that are not empty or comments, each a list of cells. Raises BrokenTextError at a syntax error."""
    text = decode_utf8(data, file)
    offset, line, start = 0, 1, 0
    while offset < len(text):
        row: list[Cell] = []
        while True:
            at, column = offset, offset - start + 1
            cell, offset = _cell(text, offset, file)
            row.append(Cell(cell, mark(line, column), at, offset))
            breaks = text.count("\n", at, offset)
            if breaks:
                line, start = line + breaks, text.rfind("\n", at, offset) + 1
            if offset < len(text) and text[offset] == ",":
                offset += 1
                continue
            break
        ending = _BREAK.match(text, offset)
        if ending:
            offset, line, start = ending.end(), line + 1, ending.end()
        elif offset < len(text):
            message = (
                "a quote is inside an unquoted cell" if text[offset] == '"' else "a carriage return without a line feed"
            )
            hint = "put the whole cell in double quotes and double the quotes inside"
            raise BrokenTextError(Problem("csv-syntax", message, place(file, position_of(text, offset)), hint))
        if any(c.text.strip() for c in row) and not row[0].text.lstrip().startswith("#"):
            yield row


def _cell(text: str, offset: int, file: str) -> tuple[str, int]:
    if text[offset : offset + 1] != '"':
        end = _PLAIN.match(text, offset).end()  # type: ignore[union-attr]  # matches the empty text too
        return text[offset:end], end
    quoted = _QUOTED.match(text, offset)
    if not quoted:
        at = place(file, position_of(text, offset))
        raise BrokenTextError(
            Problem("csv-syntax", "this quote is never closed", at, "end the cell with a double quote")
        )
    end = quoted.end()
    if end < len(text) and text[end] not in ",\r\n":
        at = place(file, position_of(text, end))
        raise BrokenTextError(
            Problem("csv-syntax", "text follows a closing quote", at, "double the quotes inside a cell")
        )
    return quoted.group(1).replace('""', '"'), end
