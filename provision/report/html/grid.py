"""The grid of a page: a table of many rows, which the page's script searches, sorts, filters and turns over.

Rows travel by column, compressed: a column with few different words is numbers into a list of them. The first rows are in the
page as an ordinary table, for readers without JavaScript and for print.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from provision.report.html.when import When
from provision.report.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATIC_ROWS = 25
"""Rows that are in the page itself."""
_FEW = 1000
"""A column with at most so many different words is written as numbers."""

Cell = str | int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column with one cell per row. None is unknown, shown as `unknown`.

    A cell of a `time` is in seconds since 1970, shown as its distance to `now`. `words`: the order of values, for sorting and for
    the list of the filter; other values follow in the order of the alphabet. `tones`: colours of values. `unit` stands behind
    numbers. A column that is not `shown` can only be searched.
    """

    name: str
    cells: Sequence[Cell]
    kind: Literal["text", "pill", "number", "time"] = "text"
    unit: str = ""
    unknown: str = "-"
    words: Sequence[str] = ()
    tones: Mapping[str, str] | None = None
    shown: bool = True
    now: datetime | None = None

    def when(self, cell: Cell) -> When | None:
        """The cell of a `time`."""
        if not isinstance(cell, int) or self.now is None:
            return None
        return When(datetime.fromtimestamp(cell, UTC), self.now)

    def text(self, cell: Cell) -> str:
        """What a cell shows."""
        if cell is None:
            return self.unknown
        if when := self.when(cell):
            return when.words
        return f"{cell}{self.unit}" if self.kind == "number" else printable(str(cell))

    def tone(self, cell: Cell) -> str:
        """The tone of a cell."""
        return "muted" if cell is None else (self.tones or {}).get(str(cell), "neutral")

    def document(self) -> dict[str, object]:
        """The column as the script reads it."""
        head = {"name": self.name, "kind": self.kind, "unit": self.unit, "unknown": self.unknown, "shown": self.shown}
        if self.kind == "time" and self.now is not None:
            return {**head, "now": int(self.now.timestamp()), "cells": list(self.cells)}
        if self.kind == "number":
            return {**head, "cells": list(self.cells)}
        known = set(self.cells)
        if len(known) > _FEW and self.kind != "pill":
            return {**head, "cells": [None if cell is None else printable(str(cell)) for cell in self.cells]}
        first = [word for word in self.words if word in known]
        words = [*first, *sorted(str(word) for word in known - {None, *first})]
        number: dict[Cell, int | None] = {word: at for at, word in enumerate(words)}
        number[None] = None
        shown = [[printable(word), (self.tones or {}).get(word, "neutral")] for word in words]
        return {**head, "words": shown, "cells": [number[cell] for cell in self.cells]}


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of `noun`s. `filter` is the name of the column that the list beside the search chooses from."""

    title: str
    noun: str
    columns: Sequence[Column]
    filter: str
    hint: str

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0].cells)

    @property
    def shown(self) -> Sequence[Column]:
        """The columns that a reader sees."""
        return [column for column in self.columns if column.shown]

    @property
    def first_rows(self) -> range:
        """The rows that are in the page itself."""
        return range(min(self.rows, STATIC_ROWS))

    def island(self) -> str:
        """All rows, for the script: JSON, compressed with gzip's format, in base64. It holds no character that HTML knows."""
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        packed = bytearray(packer.compress(b'{"filter":' + encode(self.filter).encode() + b',"columns":['))
        for number, column in enumerate(self.columns):
            text = ("," if number else "") + encode(column.document())
            packed += packer.compress(text.encode("utf-8", "replace"))
        packed += packer.compress(b"]}") + packer.flush()
        return base64.b64encode(packed).decode()
