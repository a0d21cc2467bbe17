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
    from collections.abc import Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def edit_csv(data: bytes, file: str, edits: Sequence[EntryEdit]) -> bytes:
    """Return the inventory with the edits. Raises InventoryEditError."""
    bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    try:
        table = _Table(data.decode("utf-8-sig"), list(read_csv(data, file)))
    except (BrokenTextError, UnicodeDecodeError) as e:
        raise InventoryEditError("the inventory cannot be edited as it is", hint="provision check") from e
    for edit in edits:
        table.make(edit)
    text = table.written()
    if [[cell.text for cell in row] for row in read_csv(text.encode(), file)] != table.cells():
        raise InventoryEditError("the inventory would change in more than the edited rows", hint="edit it by hand")
    return bom + text.encode()


class _Row:
    """One row: its old cells, none for a new row, and its values now by column."""

    def __init__(self, old: list[Cell] | None, values: dict[str, str]) -> None:
        self.old = old
        self.before = dict(values)
        self.values = values


class _Table:
    def __init__(self, text: str, rows: list[list[Cell]]) -> None:
        self._text = text
        self._break = "\r\n" if "\r\n" in text else "\n"
        self._header, *body = rows
        self._columns = [cell.text.strip() for cell in self._header]
        self._old_width = len(self._columns)
        if "id" not in self._columns or any(len(row) != self._old_width for row in body):
            raise InventoryEditError("the inventory cannot be edited as it is", hint="provision check")
        self._rows = [_Row(row, {n: c.text for n, c in zip(self._columns, row, strict=True)}) for row in body]
        self._by_id: dict[str, list[_Row]] = {}
        for row in self._rows:
            self._by_id.setdefault(row.values["id"].strip(), []).append(row)

    def make(self, edit: EntryEdit) -> None:
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
        row = _Row(None, {"id": user})
        if machine is not None:
            self._set(row, "machine", machine)
        same = self._by_id.setdefault(user, [])
        self._rows.insert(self._rows.index(same[-1]) + 1 if same else len(self._rows), row)
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
            if not text:
                return
            self._columns.append(name)
        row.values[name] = text

    def cells(self) -> list[list[str]]:
        """The cells that the edited file must have."""
        return [self._columns, *([row.values.get(name, "") for name in self._columns] for row in self._rows)]

    def written(self) -> str:
        added = self._columns[self._old_width :]
        edits = [Edit(self._header[-1].end, self._header[-1].end, "".join(f",{name}" for name in added))]
        at = self._header[-1].end
        after: dict[int, list[str]] = {}
        for row in self._rows:
            if row.old is None:
                after.setdefault(at, []).append(",".join(_cell(row.values.get(n, "")) for n in self._columns))
                continue
            at = row.old[-1].end
            for name, cell in zip(self._columns, row.old, strict=False):
                if row.values.get(name, "") != row.before.get(name, ""):
                    edits.append(Edit(cell.start, cell.end, _cell(row.values[name])))
            more = "".join("," + _cell(row.values.get(name, "")) for name in added)
            edits.append(Edit(at, at, more))
        edits += [Edit(end, end, "".join(self._break + line for line in lines)) for end, lines in after.items()]
        return apply_edits(self._text, _in_place(edits))


def _in_place(edits: list[Edit]) -> list[Edit]:
    """The edits, with those at one place joined in their order."""
    joined: dict[tuple[int, int], str] = {}
    for edit in edits:
        key = (edit.start, edit.end)
        joined[key] = joined.get(key, "") + edit.text
    return [Edit(start, end, text) for (start, end), text in joined.items()]


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') or text != text.strip() else text
