"""Change rows of SQLite databases so that no page of the file keeps the old values.

Rows are changed in one transaction with `secure_delete`; triggers, which could copy old values, are removed meanwhile; full-text
indexes are rebuilt (they hold the words of deleted text), and VACUUM writes the file without free pages. The schema does not
change.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from provision.containers.steps import copy_to
from provision.errors import ProvisionError
from provision.scratch import Scratch, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    MaskRow = Callable[[str, Mapping[str, object]], Sequence[object]]
    """Returns the new values of a row, for its place (`messages: row 12`) and its values by column."""

BUSY_MS = 3000
_SHADOWS = ("_data", "_idx", "_content", "_docsize", "_config", "_segments", "_segdir", "_stat")
_INDEXES = ("using fts5", "using fts4", "using fts3")
_MOST_EQUAL = 1_000_000
_IN_MEMORY_BYTES = 128 << 20
_COUNTER = (1).to_bytes(4, "big")
_VERSION = int("{}{:03}{:03}".format(*sqlite3.sqlite_version_info)).to_bytes(4, "big")
"""In the header, how often file and schema were changed, and by which release last: they differ with how it was opened."""
_NO_LOG = b"\1\1"
"""In the header, the mark of a database without a write-ahead log."""


class DatabaseError(ProvisionError):
    """A database cannot be masked; nothing in it was changed."""


class RewrittenDatabase(NamedTuple):
    """How many rows were changed, and which full-text tables have no text of their own and became empty."""

    rows: int
    emptied: tuple[str, ...]


def rewrite_database(path: Path, mask_row: MaskRow) -> int:
    """Mask the rows of a database in place, under its own lock; returns how many changed. Raises DatabaseError."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)) as db:
            return _rewrite(db, mask_row).rows
    except sqlite3.Error as e:
        if isinstance(e, sqlite3.OperationalError) and ("locked" in str(e) or "busy" in str(e)):
            raise DatabaseError(f"{path.name} is in use", hint="stop Hermes, then run the command again") from e
        raise DatabaseError(f"{path.name} cannot be masked: {type(e).__name__}", hint="check it by hand") from e


def rewrite_database_file(source: IO[bytes], target: IO[bytes], mask_row: MaskRow) -> RewrittenDatabase:
    """Write a copy of a database with masked rows and without free pages. Equal contents become equal bytes.

    A source that is a file on disk is read with its write-ahead log, and is not changed. Raises DatabaseError.
    """
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    try:
        if size <= _IN_MEMORY_BYTES:
            with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
                source.seek(18)
                marks = source.read(2)  # whether it may have a write-ahead log beside it
                source.seek(0)
                changed = _copy_changed(db, source, mask_row, Path())
                image = db.serialize()
                target.write(image[:18] + (_NO_LOG if _on_disk(source) else marks) + image[20:24])
                target.write(_COUNTER + image[28:40] + _COUNTER + image[44:92] + _COUNTER + _VERSION + image[100:])
        else:
            with scratch_folder(Scratch.DATABASE) as folder:
                copy = folder / "copy.db"
                with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
                    changed = _copy_changed(db, source, mask_row, copy)
                with copy.open("rb") as result:
                    copy_to(result, target)
    except (sqlite3.Error, MemoryError) as e:
        raise DatabaseError(f"this database cannot be read or rewritten: {type(e).__name__}") from e
    return changed


def _copy_changed(db: sqlite3.Connection, source: IO[bytes], mask_row: MaskRow, copy: Path) -> RewrittenDatabase:
    """Copy the source into `db` and change it there; with its write-ahead log if it is a file on disk."""
    db.execute("PRAGMA trusted_schema = OFF")
    if _on_disk(source):
        _copy_from(db, Path(source.name))
    elif copy.name:
        original = copy.with_name("original.db")
        with original.open("wb") as file:
            copy_to(source, file)
            file.seek(18)
            file.write(_NO_LOG)
        _copy_from(db, original)
    else:
        data = source.read()
        db.deserialize(data[:18] + _NO_LOG + data[20:])
    return _rewrite(db, mask_row)


def _on_disk(source: IO[bytes]) -> bool:
    return isinstance(getattr(source, "name", None), str | os.PathLike)


def _copy_from(db: sqlite3.Connection, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as original:
        original.backup(db)
    db.execute("PRAGMA journal_mode = DELETE")


def _rewrite(db: sqlite3.Connection, mask_row: MaskRow) -> RewrittenDatabase:
    db.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    for pragma in ("trusted_schema = OFF", "secure_delete = ON", "foreign_keys = OFF"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("BEGIN EXCLUSIVE")
    try:
        changed = _change_rows(db, mask_row)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    # also when no row was changed: the secret may be in free pages
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return changed


def _change_rows(db: sqlite3.Connection, mask_row: MaskRow) -> RewrittenDatabase:
    schema = db.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    tables = [(name, " ".join(sql.lower().split())) for kind, name, sql in schema if kind == "table"]
    virtual = {name for name, sql in tables if sql.startswith("create virtual")}
    full_text = [name for name, sql in tables if name in virtual and any(kind in sql for kind in _INDEXES)]
    shadows = {name + ending for name in full_text for ending in _SHADOWS}
    triggers = [(name, sql) for kind, name, sql in schema if kind == "trigger"]
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {_quoted(name)}")
    changed = sum(
        _table(db, name, mask_row)
        for name, _ in tables
        if name not in virtual | shadows and not name.startswith("sqlite_")
    )
    emptied = []
    for name in full_text:
        rows, has_text = _full_text_table(db, name, mask_row)
        changed += rows
        emptied += [] if has_text else [name]
    for _, sql in triggers:
        db.execute(sql)
    return RewrittenDatabase(changed, tuple(emptied))


def _table(db: sqlite3.Connection, table: str, mask_row: MaskRow) -> int:
    columns = db.execute(f"PRAGMA table_xinfo({_quoted(table)})").fetchall()
    kept = [name for _, name, _, _, _, _, hidden in columns if not hidden]  # generated columns change with their source
    if not kept:
        return 0
    key = _key(db, table, [(name, place) for _, name, _, _, _, place, _ in columns if place])
    fields = ", ".join(_quoted(name) for name in (*key, *kept))
    rows = db.execute(f"SELECT {fields} FROM {_quoted(table)}")  # noqa: S608  names are quoted
    changes: list[tuple[list[object], list[object], list[object]]] = []
    for row in rows:
        old_key, old = list(row[: len(key)]), list(row[len(key) :])
        where = f"{table}: row {old_key[0]}" if key == ["rowid"] else table
        new = list(mask_row(where, dict(zip(kept, old, strict=True))))
        if new != old:
            changes.append((old_key, old, new))
    assign = ", ".join(f"{_quoted(name)} = ?" for name in kept)
    match = " AND ".join(f"{_quoted(name)} IS ?" for name in key)
    statement = f"UPDATE {_quoted(table)} SET {assign} WHERE {match}"  # noqa: S608
    for old_key, old, new in changes:
        _update(db, statement, old_key, old, new)
    return len(changes)


def _update(db: sqlite3.Connection, statement: str, key: list[object], old: list[object], new: list[object]) -> None:
    """Write a row. Where values must be unique, equal masks get a number."""
    values, number = new, 1
    while True:
        try:
            db.execute(statement, (*map(_storable, values), *map(_storable, key)))
        except sqlite3.IntegrityError:
            number += 1
            if number > _MOST_EQUAL:
                raise
            values = [_numbered(value, number) if value != was else value for value, was in zip(new, old, strict=True)]
        else:
            return


def _numbered(value: object, number: int) -> object:
    if isinstance(value, str):
        return f"{value}{number}"
    return value + str(number).encode() if isinstance(value, bytes) else value


def _storable(value: object) -> object:
    """Return a text that is not valid UTF-8 as its bytes: SQLite's interface refuses it."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogateescape")
    return value


def _key(db: sqlite3.Connection, table: str, primary: list[tuple[str, int]]) -> list[str]:
    try:
        db.execute(f"SELECT rowid FROM {_quoted(table)} LIMIT 0")  # noqa: S608
    except sqlite3.OperationalError:  # WITHOUT ROWID
        return [name for name, _ in sorted(primary, key=lambda column: column[1])]
    return ["rowid"]


def _full_text_table(db: sqlite3.Connection, table: str, mask_row: MaskRow) -> tuple[int, bool]:
    """Change a full-text table's own content, then rebuild its index; a table without content is emptied.

    Returns how many rows changed, and whether it has content.
    """
    content = f"{table}_content"
    changed = 0
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (content,)).fetchone():
        db.execute("PRAGMA writable_schema = ON")
        changed = _table(db, content, mask_row)
        db.execute("PRAGMA writable_schema = OFF")
    for command in ("rebuild", "delete-all"):
        with contextlib.suppress(sqlite3.Error):
            db.execute(f"INSERT INTO {_quoted(table)}({_quoted(table)}) VALUES (?)", (command,))  # noqa: S608
            return changed, command == "rebuild"
    raise DatabaseError(f"the index of the full-text table {table} cannot be rebuilt")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
