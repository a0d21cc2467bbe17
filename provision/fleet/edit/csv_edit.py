"""Edit an inventory in CSV: only changed cells change; a missing column is added at the right.

A value that a spreadsheet would take for a formula is refused, not written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.fleet.edit.entry_edit import EntryEdit, InventoryEditError, unknown_user
from provision.fleet.inventory import LIST_SEPARATOR
from provision.fleet.machine_rows import OF_A_MACHINE
from provision.formats.csv_reader import Cell, read_csv
from provision.formats.edits import Edit, apply_edits
from provision.formats.located import BrokenTextError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def edit_csv(data: bytes, file: str, edits: Sequence[EntryEdit]) -> bytes:
    """Return the inventory with the edits. Raises InventoryEditError."""
    bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    users = {user for edit in edits for user in (edit.user, edit.fields.get("id", edit.user))}
    try:
        table = _Table(data.decode("utf-8-sig"), read_csv(data, file), users)
    except (BrokenTextError, UnicodeDecodeError) as e:
        raise _not_editable() from e
    for edit in edits:
        table.make(edit)
    text = table.written()
    if not table.is_as_wanted(read_csv(text.encode(), file)):
        raise InventoryEditError("the inventory would change in more than the edited rows", hint="edit it by hand")
    return bom + text.encode()


def _not_editable() -> InventoryEditError:
    return InventoryEditError("the inventory cannot be edited as it is", hint="provision check")


class _Row:
    """A row that may change: its old cells, none for a new row, its values now by column, and its place: the number of the old
    row that it is, or is behind."""

    def __init__(self, old: list[Cell] | None, values: dict[str, str], place: int) -> None:
        self.old = old
        self.before = dict(values)
        self.values = values
        self.place = place


class _Table:
    """The rows of the users concerned; of all others only where they end, and a digest of their cells."""

    def __init__(self, text: str, rows: Iterator[list[Cell]], users: set[str]) -> None:
        self._text = text
        self._break = "\r\n" if "\r\n" in text else "\n"
        self._header = next(rows, [])
        self._columns = [cell.text.strip() for cell in self._header]
        self._old_width = len(self._columns)
        if "id" not in self._columns:
            raise _not_editable()
        self._ends = [self._header[-1].end]
        self._digests = [0]
        self._changing: dict[int, _Row] = {}
        self._new: dict[int, list[_Row]] = {}
        self._by_id: dict[str, list[_Row]] = {}
        self._read(rows, users)

    def _read(self, rows: Iterator[list[Cell]], users: set[str]) -> None:
        at = self._columns.index("id")
        for place, row in enumerate(rows, 1):
            if len(row) != self._old_width:
                raise _not_editable()
            self._ends.append(row[-1].end)
            self._digests.append(_digest(row))
            user = row[at].text.strip()
            if user in users:
                values = {name: cell.text for name, cell in zip(self._columns, row, strict=True)}
                self._changing[place] = _Row(row, values, place)
                self._by_id.setdefault(user, []).append(self._changing[place])

    def make(self, edit: EntryEdit) -> None:
        """Make one edit."""
        if edit.new:
            if edit.user in self._by_id:
                raise InventoryEditError(f"user {edit.user!r} is in the inventory already")
            self._add(edit.user, edit.machine)
        rows = self._by_id.get(edit.user)
        if rows is None:
            raise unknown_user(edit.user)
        target = rows[0]
        if edit.machine is not None and edit.machine != target.values.get("machine", "").strip():
            named = [row for row in rows if row.values.get("machine", "").strip() == edit.machine]
            target = named[0] if named else self._add(edit.user, edit.machine)
        missing = {name: value for name, value in edit.absent.items() if not target.values.get(name, "").strip()}
        for name, value in {**edit.fields, **missing}.items():
            if name == "id":
                self._rename(edit.user, value)
            elif edit.machine is None or name in OF_A_MACHINE or target is rows[0]:
                self._set(target, name, value)
            else:
                self._set(rows[0], name, value)

    def _add(self, user: str, machine: str | None) -> _Row:
        same = self._by_id.setdefault(user, [])
        place = same[-1].place if same else len(self._ends) - 1
        row = _Row(None, {"id": user}, place)
        if machine is not None:
            self._set(row, "machine", machine)
        there = self._new.setdefault(place, [])
        behind = there.index(same[-1]) + 1 if same and same[-1] in there else 0 if same else len(there)
        there.insert(behind, row)
        same.append(row)
        return row

    def _rename(self, user: str, new: str) -> None:
        if new != user:
            self._by_id[new] = self._by_id.pop(user)
            for row in self._by_id[new]:
                row.values["id"] = new

    def _set(self, row: _Row, name: str, value: Any) -> None:
        text = LIST_SEPARATOR.join(value) if isinstance(value, list | tuple) else "" if value is None else str(value)
        if text.startswith(_FORMULA):
            raise InventoryEditError(f"{name}: a spreadsheet would run {text[:24]!r} as a formula", hint="correct it")
        if name not in self._columns:
            if not text and not isinstance(value, list | tuple):
                return  # an empty list needs its column
            self._columns.append(name)
        row.values[name] = text

    def written(self) -> str:
        """The text with the edits."""
        added = self._columns[self._old_width :]
        edits = []
        for place, end in enumerate(self._ends):
            row = self._changing.get(place)
            if row is not None and row.old is not None:
                for name, cell in zip(self._columns, row.old, strict=False):
                    if row.values.get(name, "") != row.before.get(name, ""):
                        edits.append(Edit(cell.start, cell.end, _cell(row.values[name])))
            more = [name if place == 0 else _cell(row.values.get(name, "")) if row else "" for name in added]
            behind = "".join(self._break + self._line(new) for new in self._new.get(place, ()))
            if more or behind:
                edits.append(Edit(end, end, "".join("," + text for text in more) + behind))
        return apply_edits(self._text, edits)

    def _line(self, row: _Row) -> str:
        return ",".join(_cell(row.values.get(name, "")) for name in self._columns)

    def is_as_wanted(self, rows: Iterator[list[Cell]]) -> bool:
        """Whether these rows are the old ones with the edits, and nothing else."""
        if [cell.text.strip() for cell in next(rows)] != self._columns:
            return False
        for place in range(len(self._ends)):
            if place and not self._is_same(place, next(rows, [])):
                return False
            if not all(_texts(next(rows, [])) == self._wanted(new) for new in self._new.get(place, ())):
                return False
        return next(rows, None) is None

    def _is_same(self, place: int, row: list[Cell]) -> bool:
        if changing := self._changing.get(place):
            return _texts(row) == self._wanted(changing)
        old, added = row[: self._old_width], row[self._old_width :]
        return (
            len(row) == len(self._columns) and _digest(old) == self._digests[place] and not any(c.text for c in added)
        )

    def _wanted(self, row: _Row) -> list[str]:
        return [row.values.get(name, "") for name in self._columns]


def _texts(row: list[Cell]) -> list[str]:
    return [cell.text for cell in row]


def _digest(row: list[Cell]) -> int:
    return hash(tuple(cell.text for cell in row))


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') or text != text.strip() else text
