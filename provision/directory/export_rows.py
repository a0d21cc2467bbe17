"""Rows of an export, whatever its syntax: CSV with any usual separator, JSON of an API, LDIF.

Every row maps a column's normalized name to its text. Normalized means: lower case, without blanks, `_`, `-`, `#`, `.` and
without notes such as `[Required]`; of `User name [userPrincipalName] Required` the name in brackets is kept.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.directory.export_text import BadExportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROPERTY = re.compile(r"\[([a-z][A-Za-z0-9]*)\]")
_NOTE = re.compile(r"\[[^\]]*\]")
_DROPPED = re.compile(r"[\s_\-#.:/]+")
_SEPARATORS = ",;\t|"
MAX_ROWS = 1_000_000
MAX_CELL = 1 << 20


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One row: its line (or number in a list) and its cells by normalized column."""

    line: int
    cells: dict[str, str]

    def get(self, *columns: str) -> str:
        """The first cell of these columns that is not blank; empty if there is none."""
        return next((value for name in columns if (value := self.cells.get(name, "").strip())), "")


@dataclass(frozen=True, slots=True)
class ExportRows:
    """All rows. `partial` says why the rows are not all that the source has; empty if nothing says so."""

    columns: dict[str, str]
    """Normalized name of each column, with its spelling in the file."""
    rows: tuple[ExportRow, ...]
    syntax: str
    partial: str = ""
    notes: tuple[str, ...] = ()
    marks: frozenset[str] = field(default_factory=frozenset)
    """What the file says about itself beside its columns: `scim`, `okta`, `ldif`."""


def normalized(header: str) -> str:
    """The name of a column as it is compared."""
    found = _PROPERTY.search(header)
    return _DROPPED.sub("", found[1] if found else _NOTE.sub("", header)).casefold()


def read_rows(text: str) -> ExportRows:
    """Parse an export by what it looks like. Raises BadExportError."""
    start = text.lstrip("\ufeff \t\r\n")[:200]
    if start[:1] in {"[", "{"}:
        return _json_rows(text.lstrip("\ufeff"))
    if re.match(r"(?i)(version:\s*1|dn::?\s)", start) and not start.lower().startswith("version:v"):
        return _ldif_rows(text)
    return _csv_rows(text)


def _csv_rows(text: str) -> ExportRows:
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    skipped = 0
    while lines and (not lines[0].strip() or re.match(r'(?i)"?(#TYPE\b|version:\s*v|sep=)', lines[0].lstrip())):
        lines.pop(0)
        skipped += 1
    if not lines:
        raise BadExportError("the export is empty", hint="export it again")
    separator = _separator(lines[0])
    reader = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=separator)
    try:
        header = [cell.strip() for cell in next(reader)]
        rows = tuple(_csv_body(reader, [normalized(cell) for cell in header], skipped))
    except csv.Error as e:
        raise BadExportError(f"line {reader.line_num + skipped} is not CSV: {e}") from e
    names = [normalized(cell) for cell in header]
    twice = sorted({header[i] for i, name in enumerate(names) if name and names.count(name) > 1})
    notes = (f"columns with one name, of which the first counts: {', '.join(twice)}",) if twice else ()
    columns: dict[str, str] = {}
    for name, cell in zip(names, header, strict=True):
        if name:
            columns.setdefault(name, cell)
    return ExportRows(columns, rows, "CSV", "", notes)


def _separator(header: str) -> str:
    """The separator that occurs most in the header, outside of quotes."""
    counts = Counter(re.sub(r'"[^"]*"', "", header))
    return max(_SEPARATORS, key=lambda each: counts[each])


def _csv_body(reader: Any, names: Sequence[str], skipped: int) -> Iterator[ExportRow]:
    for count, row in enumerate(reader):
        if count >= MAX_ROWS:
            raise BadExportError(f"the export has more than {MAX_ROWS:,} rows")
        if not any(cell.strip() for cell in row):
            continue
        cells: dict[str, str] = {}
        for name, cell in zip(names, row, strict=False):
            if name:
                cells.setdefault(name, _from_hex(cell.strip()))
        yield ExportRow(reader.line_num + skipped, cells)


def _from_hex(cell: str) -> str:
    """csvde writes text that is not ASCII as X'C3A9'."""
    if not re.fullmatch(r"X'(?:[0-9A-Fa-f]{2})+'", cell):
        return cell
    try:
        return bytes.fromhex(cell[2:-1]).decode()
    except UnicodeDecodeError:
        return cell


def _json_rows(text: str) -> ExportRows:
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise BadExportError("the export looks like JSON, but is not valid", hint="export it again") from e
    partial, marks = "", set[str]()
    items: Any = root
    if isinstance(root, dict):
        key = next(
            (k for k in ("Resources", "value", "users", "results", "data") if isinstance(root.get(k), list)), None
        )
        is_scim = "Resources" in root or "totalResults" in root
        items = root.get(key, []) if key else [] if is_scim else [root]
        if is_scim:
            marks.add("scim")
        partial = _partial(root, len(items))
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadExportError("the export is JSON without a list of users")
    if len(items) > MAX_ROWS:
        raise BadExportError(f"the export has more than {MAX_ROWS:,} users")
    rows = tuple(ExportRow(number, _flat(item)) for number, item in enumerate(items, 1))
    return ExportRows({name: name for row in rows for name in row.cells}, rows, "JSON", partial, (), frozenset(marks))


def _partial(root: dict[str, Any], count: int) -> str:
    """Why a page of an API is not everything."""
    total = next((root[k] for k in ("totalResults", "totalCount") if isinstance(root.get(k), int)), None)
    if total is not None and total > count:
        return f"it has {count} of {total} users"
    if root.get("@odata.nextLink") or root.get("nextPageToken"):
        return "it is one page of several"
    return ""


def _flat(item: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The values of a JSON object by their path. Of a list of addresses the primary one comes first."""
    found: dict[str, str] = {}
    for key, value in item.items():
        name = prefix + normalized(key.rpartition(":")[2] if key.startswith("urn:") else key)
        if isinstance(value, dict):
            found |= _flat(value, name)
        elif isinstance(value, list):
            ordered = sorted(value, key=lambda each: not (isinstance(each, dict) and each.get("primary") is True))
            for number, each in enumerate(ordered):
                if isinstance(each, dict):
                    found |= _flat(each, f"{name}{number}")
                else:
                    found[f"{name}{number}"] = str(each)
            found[name] = ";".join(
                str(e.get("display", e.get("value", ""))) if isinstance(e, dict) else str(e) for e in ordered
            )
        else:
            found[name] = "" if value is None else str(value)
    return found


def _ldif_rows(text: str) -> ExportRows:
    """RFC 2849 as ldifde and ldapsearch write it: folded lines, base64 values, comments."""
    rows: list[ExportRow] = []
    cells: dict[str, str] = {}
    start = 0
    lines = re.sub(r"\r?\n ", "", text).splitlines()
    for number, line in enumerate([*lines, ""], 1):
        if line.startswith("#") or re.match(r"(?i)version:\s*1\s*$", line):
            continue
        if not line.strip():
            if "dn" in cells:
                rows.append(ExportRow(start, cells))
            cells, start = {}, 0
            continue
        found = re.match(r"([A-Za-z][A-Za-z0-9.-]*)(?:;[^:]*)?(::?)\s?(.*)", line)
        if not found:
            raise BadExportError(f"line {number} is not LDIF")
        name, kind, value = found[1].casefold(), found[2], found[3]
        if kind == "::":
            value = _base64(value)
        start = start or number
        cells[name] = f"{cells[name]};{value}" if name in cells else value
    columns = {name: name for row in rows for name in row.cells}
    return ExportRows(columns, tuple(rows), "LDIF", "", (), frozenset({"ldif"}))


def _base64(value: str) -> str:
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError:
        return ""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.hex()  # objectGUID and other binary values
