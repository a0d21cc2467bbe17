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
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from provision.directory.export_text import BadExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROPERTY = re.compile(r"\[([a-z][A-Za-z0-9]*)\]")
_NOTE = re.compile(r"\[[^\]]*\]")
_LDIF = re.compile(r"(?i)(?:#(?!TYPE\b)[^\n]*\n(?: [^\n]*\n)*|\s*\n)*(?:version:\s*1\b|dn::?\s)")
_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, 0xFEFF])
_DROPPED = re.compile(r"[\s_\-#.:/]+")
_SEPARATORS = ",;\t|"
MAX_ROWS = 1_000_000
MAX_CELL = 1 << 20


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One row: its line (or number in a list) and its cells by normalized column."""

    line: int
    cells: dict[str, str]
    broken: str = ""
    """Why the cells may be in wrong columns; empty if nothing says so."""

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
    """The name of a column as it is compared.

    Entra's template for new users says `Block sign in (Yes/No) [accountEnabled] Required`: Yes means blocked.
    """
    found = _PROPERTY.search(header)
    if found and found[1] == "accountEnabled" and "block" in header[: found.start()].casefold():
        return "blockcredential"
    return _DROPPED.sub("", found[1] if found else _NOTE.sub("", header)).casefold()


def read_rows(text: str) -> ExportRows:
    """Parse an export by what it looks like. Raises BadExportError."""
    start = text.lstrip("\ufeff \t\r\n")[:200]
    if start[:1] in {"[", "{"}:
        return _json_rows(text.lstrip("\ufeff"))
    if start[:1] == "<":
        raise BadExportError("this is a page of HTML or XML, not an export", hint="sign in and download it again")
    if _LDIF.match(text.lstrip("\ufeff \t\r\n")):
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
    above = _lines_above(lines)
    del lines[:above]
    skipped += above
    separator = _separator(lines[0])
    reader = csv.reader(
        io.StringIO("".join(lines), newline=""), delimiter=separator, strict=True, skipinitialspace=True
    )
    try:
        header = [cell.strip() for cell in next(reader)]
        rows, is_short = _csv_body(reader, header, skipped)
    except csv.Error as e:
        if "unexpected end" in str(e):
            raise BadExportError(
                "the export ends inside of a quoted cell: it was cut off, or a quote is missing", hint="export it again"
            ) from e
        raise BadExportError(f"line {reader.line_num + skipped} is not CSV: {e}", hint="export it again") from e
    names = [normalized(cell) for cell in header]
    cut = bool(rows) and not lines[-1].endswith(("\n", "\r")) and (is_short or _is_half(rows, names[-1]))
    if cut:
        rows[-1] = replace(rows[-1], broken="the export was cut off in this row; export it again")
    twice = sorted({header[i] for i, name in enumerate(names) if name and names.count(name) > 1})
    notes: tuple[str, ...] = (f"columns with one name, of which the first counts: {', '.join(twice)}",) if twice else ()
    if above:
        notes += (f"{above} line{'s' * (above > 1)} above the headings skipped",)
    columns: dict[str, str] = {}
    for name, cell in zip(names, header, strict=True):
        if name:
            columns.setdefault(name, cell)
    return ExportRows(columns, tuple(rows), "CSV", "it ends in the middle of a row" if cut else "", notes)


def _separator(header: str) -> str:
    """The separator that occurs most in the header, outside of quotes."""
    counts = Counter(re.sub(r'"[^"]*"', "", header))
    return max(_SEPARATORS, key=lambda each: counts[each])


def _lines_above(lines: Sequence[str]) -> int:
    """How many lines of a report's title are above its headings: lines of one cell, before one of several cells."""
    for number, line in enumerate(lines[:10]):
        if any(each in line for each in _SEPARATORS):
            is_title = all("@" not in above for above in lines[:number])
            return number if is_title and len(line) - len(line.replace(_separator(line), "")) > 1 else 0
    return 0


def _is_half(rows: Sequence[ExportRow], column: str) -> bool:
    """Whether the last cell of the export is the beginning of a value that others have in full."""
    value = rows[-1].cells.get(column, "").casefold()
    others = {row.cells.get(column, "").casefold() for row in rows[:-1]}
    whole = {"true", "false"} if others & {"true", "false"} else set()
    return bool(value) and value not in others and any(each.startswith(value) for each in (others | whole) - {value})


def _csv_body(reader: Any, header: Sequence[str], skipped: int) -> tuple[list[ExportRow], bool]:
    """The rows, and whether the last one is too short: spreadsheets leave out empty cells at the end, so others may be too.

    A row with more cells than headings has cells in wrong columns, unless every row ends in a separator.
    """
    names = [normalized(cell) for cell in header]
    rows: list[ExportRow] = []
    longer: list[int] = []
    row: list[str] = []
    for count, row in enumerate(each for each in reader if _has_values(each, header)):
        if count >= MAX_ROWS:
            raise BadExportError(f"the export has more than {MAX_ROWS:,} rows")
        cells: dict[str, str] = {}
        for name, cell in zip(names, row, strict=False):
            if name:
                cells.setdefault(name, _from_hex(cell.translate(_INVISIBLE).strip()))
        if len(row) > len(names):
            longer += [] if len(row) == len(names) + 1 and not row[-1].strip() else [-1]
            longer.append(count)
        rows.append(ExportRow(reader.line_num + skipped, cells))
    if -1 in longer or len(longer) < len(rows):
        for count in (each for each in longer if each >= 0):
            rows[count] = replace(rows[count], broken="more cells than headings: a separator is not quoted")
    return rows, len(row) < len(names)


def _has_values(row: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a row is neither empty nor the headings again, where files were joined."""
    return any(cell.strip() for cell in row) and [cell.strip() for cell in row] != header


def _from_hex(cell: str) -> str:
    """csvde writes text that is not ASCII as X'C3A9'."""
    if not re.fullmatch(r"X'(?:[0-9A-Fa-f]{2})+'", cell):
        return cell
    return _text_of(bytes.fromhex(cell[2:-1])) or cell


def _text_of(data: bytes) -> str:
    """A value as text; empty if it is binary, such as a GUID, although some of these are text by chance."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    return "" if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text) else text


def _json_rows(text: str) -> ExportRows:
    root = _json(text)
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


def _json(text: str) -> Any:
    """A JSON text, or one object a line."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as e:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            if len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines):
                return [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            pass
        raise BadExportError("the export looks like JSON, but is not valid", hint="export it again") from e


def _partial(root: dict[str, Any], count: int) -> str:
    """Why a page of an API is not everything."""
    total = next((root[k] for k in ("totalResults", "totalCount") if isinstance(root.get(k), int)), None)
    if total is not None and total > count:
        return f"it has {count} of {total} users"
    if root.get("@odata.nextLink") or root.get("nextPageToken"):
        return "it is one page of several"
    return ""


def _flat(item: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The values of a JSON object by their path. Of a list of addresses that of the work comes first."""
    found: dict[str, str] = {}
    for key, value in item.items():
        name = prefix + normalized(key.rpartition(":")[2] if key.startswith("urn:") else key)
        if isinstance(value, dict):
            found |= _flat(value, name)
        elif isinstance(value, list):
            ordered = sorted(value, key=_rank)
            for number, each in enumerate(ordered):
                if isinstance(each, dict):
                    found |= _flat(each, f"{name}{number}")
                else:
                    found[f"{name}{number}"] = str(each)
            found[name] = ";".join(
                str(e.get("display", e.get("value", ""))) if isinstance(e, dict) else str(e) for e in ordered
            )
        else:
            found[name] = "" if value is None else str(value).translate(_INVISIBLE)
    return found


def _rank(value: Any) -> int:
    """The order of several addresses: the primary one, those of the work, others, private ones."""
    if not isinstance(value, dict):
        return 2
    if value.get("primary") in (True, "True", "true"):
        return 0
    return {"work": 1, "home": 3}.get(str(value.get("type")).casefold(), 2)


def _ldif_rows(text: str) -> ExportRows:
    """RFC 2849 as ldifde and ldapsearch write it: folded lines, base64 values, comments."""
    rows: list[ExportRow] = []
    cells: dict[str, str] = {}
    start, partial = 0, ""
    lines = re.sub(r"\r?\n ", "", text).splitlines()
    for number, line in enumerate([*lines, ""], 1):
        if line.startswith("#") or re.match(r"(?i)version:\s*1\s*$", line):
            continue
        if not line.strip():
            if "dn" in cells:
                rows.append(ExportRow(start, cells))
            elif not cells.get("result", "0").startswith("0"):
                partial = f"the search ended early: {cells['result'][:40]}"
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
    return ExportRows(columns, tuple(rows), "LDIF", partial, (), frozenset({"ldif"}))


def _base64(value: str) -> str:
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError:
        return ""
    return _text_of(data) or data.hex()
