"""Mask cells of an SQLite database, so that no page of the file keeps the old values.

Rows are changed in one transaction with `secure_delete`, full-text indexes are rebuilt (they hold the words of deleted text),
and VACUUM rewrites the file without free pages. The schema does not change.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY_MS = 3000
_INDEX = ("using fts5", "using fts4", "using fts3")


class DatabaseError(ProvisionError):
    """A database cannot be masked; its transaction was rolled back."""


def mask_database(path: Path, mask: Callable[[bytes], bytes]) -> int:
    """Mask every text and blob of a database; returns the number of distinct values changed. Raises DatabaseError."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)) as db:
            return _mask(db, mask)
    except sqlite3.Error as e:
        if isinstance(e, sqlite3.OperationalError) and ("locked" in str(e) or "busy" in str(e)):
            raise DatabaseError(f"{path.name} is in use", hint="stop Hermes, then run the command again") from e
        raise DatabaseError(f"{path.name} cannot be masked: {type(e).__name__}", hint="check it by hand") from e


def mask_database_image(data: bytes, mask: Callable[[bytes], bytes]) -> bytes:
    """Mask a database that is given as bytes; nothing is written to disk. Raises DatabaseError."""
    # a database that may have a write-ahead log beside it; in memory there is none
    wal = data[18:20] == b"\x02\x02"
    try:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.deserialize(data[:18] + b"\x01\x01" + data[20:] if wal else data)
            if not _mask(db, mask) and mask(data) == data:  # no secret in its rows or its free pages
                return data
            masked = db.serialize()
    except sqlite3.Error as e:
        raise DatabaseError(f"the database cannot be masked: {type(e).__name__}", hint="check it by hand") from e
    return masked[:18] + b"\x02\x02" + masked[20:] if wal else masked


def _mask(db: sqlite3.Connection, mask: Callable[[bytes], bytes]) -> int:
    db.text_factory = bytes
    db.execute("PRAGMA secure_delete = ON")
    db.execute("BEGIN EXCLUSIVE")
    try:
        changed = sum(_mask_column(db, table, column, mask) for table, column in list(_columns(db)))
        for name in list(_indexes(db)) if changed else []:
            db.execute(f"INSERT INTO {_quoted(name)}({_quoted(name)}) VALUES ('rebuild')")  # noqa: S608  quoted
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    # also when no row was changed: the secret may be in free pages
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return changed


def _tables(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """List every table with its SQL in lower case, except SQLite's own and the shadow tables of virtual ones."""
    rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql IS NOT NULL").fetchall()
    found = [(name.decode(), sql.decode("utf-8", "replace").lower()) for name, sql in rows]
    virtual = tuple(f"{name.lower()}_" for name, sql in found if sql.startswith("create virtual"))
    for name, sql in found:
        if not name.lower().startswith(("sqlite_", *virtual)):
            yield name, sql


def _columns(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """List columns that hold values themselves. A full-text table does, unless another table is its content."""
    for table, sql in _tables(db):
        if sql.startswith("create virtual") and (not _full_text(sql) or "content=" in sql.replace(" ", "")):
            continue
        for name, hidden in db.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall():
            if not hidden:  # generated columns change with their source
                yield table, name.decode()


def _indexes(db: sqlite3.Connection) -> Iterator[str]:
    for name, sql in _tables(db):
        if _full_text(sql):
            yield name


def _full_text(sql: str) -> bool:
    return sql.startswith("create virtual") and any(kind in sql for kind in _INDEX)


def _mask_column(db: sqlite3.Connection, table: str, column: str, mask: Callable[[bytes], bytes]) -> int:
    """Change every value of one column that holds a secret. Whole values are compared, so tables need no row id."""
    t, c = _quoted(table), _quoted(column)
    rows = db.execute(f"SELECT DISTINCT {c}, typeof({c}) FROM {t} WHERE typeof({c}) IN ('text', 'blob')")  # noqa: S608
    changes = []
    for value, kind in rows:
        masked = mask(value)
        if masked != value:
            changes.append((value, masked, kind == b"text"))
    for value, masked, text in changes:
        cast = "CAST(? AS TEXT)" if text else "?"
        db.execute(f"UPDATE {t} SET {c} = {cast} WHERE {c} IS {cast}", (masked, value))  # noqa: S608
    return len(changes)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
