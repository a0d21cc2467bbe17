"""Redact SQLite databases: write a copy in which every text and blob is redacted, without pages that hold old values.

The source is opened read-only (with its write-ahead log, if there is one) and never changed. SQLite itself makes the
copy and rebuilds its indexes and full-text tables. At the end the bytes of the copy are searched again; if a secret is
still there, in a schema or a table that cannot be changed, the database is refused.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from provision.detect.match import Confidence
from provision.detect.secret_names import names_secret, plain_value
from provision.redact.masks import masked_already
from provision.redact.notes import Remark
from provision.redact.session import CannotExamineError
from provision.redact.stream import redact_bytes
from provision.redact.structured.json_text import RULE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.redact.session import Session

_SHADOWS = ("_data", "_idx", "_content", "_docsize", "_config", "_segments", "_segdir", "_stat")
_NAME_COLUMNS = frozenset({"name", "key", "k", "setting", "variable", "var", "option"})
_VALUE_COLUMNS = frozenset({"value", "val", "v", "data", "content"})


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a database; see `RedactFile`."""
    with tempfile.TemporaryDirectory(prefix="provision-redact-") as folder:  # mode 0700; SQLite needs named files
        copy = Path(folder, "copy.db")
        try:
            with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as database:
                _fill(database, source, copy)
                _redact(database, file, session)
            with copy.open("rb") as result:
                _require_clean(result, file, session)
                result.seek(0)
                shutil.copyfileobj(result, target, 1 << 20)
        except sqlite3.Error as e:
            raise CannotExamineError(f"this database cannot be read or rewritten: {type(e).__name__}") from e


def _fill(database: sqlite3.Connection, source: BinaryIO, copy: Path) -> None:
    """Copy the source into `database`: with its write-ahead log if it is a file on disk, else from its bytes."""
    name = getattr(source, "name", None)
    if not isinstance(name, str):
        original = copy.with_name("original.db")
        with original.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        name = str(original)
    database.execute("PRAGMA trusted_schema = OFF")
    with contextlib.closing(
        sqlite3.connect(f"file:{quote(str(Path(name).resolve()))}?mode=ro", uri=True)
    ) as original_db:
        original_db.backup(database)
    database.execute("PRAGMA journal_mode = DELETE")
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA foreign_keys = OFF")
    database.text_factory = lambda data: data.decode("utf-8", "surrogateescape")


def _redact(database: sqlite3.Connection, file: str, session: Session) -> None:
    schema = database.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    triggers = [(name, sql) for kind, name, sql in schema if kind == "trigger"]
    full_text = [name for kind, name, sql in schema if kind == "table" and sql and _full_text(sql)]
    shadows = {name + ending for name in full_text for ending in _SHADOWS}
    virtual = {
        name for kind, name, sql in schema if kind == "table" and sql and sql.upper().startswith("CREATE VIRTUAL")
    }
    tables = [name for kind, name, sql in schema if kind == "table" and name not in virtual | shadows and sql]
    database.execute("BEGIN")
    for name, _ in triggers:  # triggers could copy old values to other tables
        database.execute(f"DROP TRIGGER {_quoted(name)}")
    for name in tables:
        _table(database, name, file, session)
    for name in full_text:
        _full_text_table(database, name, file, session)
    for _, sql in triggers:
        database.execute(sql)
    database.execute("COMMIT")
    database.execute("VACUUM")


def _table(database: sqlite3.Connection, table: str, file: str, session: Session) -> None:
    columns = database.execute(f"PRAGMA table_xinfo({_quoted(table)})").fetchall()
    kept = [name for _, name, _, _, _, _, hidden in columns if not hidden]
    key = _key(database, table, [(name, place) for _, name, _, _, _, place, _ in columns if place])
    fields = ", ".join(_quoted(name) for name in (*key, *kept))
    rows = database.execute(f"SELECT {fields} FROM {_quoted(table)}")  # noqa: S608  names are quoted
    changes: list[tuple[list[object], list[object]]] = []
    for row in rows:
        old_key, old = list(row[: len(key)]), list(row[len(key) :])
        where = f"{table}: row {old_key[0]}" if key == ["rowid"] else table
        new = _row(dict(zip(kept, old, strict=True)), file, where, session)
        if new != old:
            changes.append((old_key, new))
    assign = ", ".join(f"{_quoted(name)} = ?" for name in kept)
    match = " AND ".join(f"{_quoted(name)} IS ?" for name in key)
    statement = f"UPDATE {_quoted(table)} SET {assign} WHERE {match}"  # noqa: S608
    for old_key, new in changes:
        database.execute(statement, (*new, *old_key))


def _key(database: sqlite3.Connection, table: str, primary: list[tuple[str, int]]) -> list[str]:
    try:
        database.execute(f"SELECT rowid FROM {_quoted(table)} LIMIT 0")  # noqa: S608
    except sqlite3.OperationalError:  # WITHOUT ROWID
        return [name for name, _ in sorted(primary, key=lambda column: column[1])]
    return ["rowid"]


def _row(row: dict[str, object], file: str, where: str, session: Session) -> list[object]:
    """Return the new values of a row. A secret is named by its column, or by the name in a table of names and values."""
    named_secret = any(
        isinstance(value, str) and column.lower() in _NAME_COLUMNS and names_secret(value)
        for column, value in row.items()
    )
    new: list[object] = []
    for column, value in row.items():
        place = f"{where}, {column}"
        secret = names_secret(column) or (named_secret and column.lower() in _VALUE_COLUMNS)
        if secret and isinstance(value, str) and not plain_value(value):
            new.append(session.masked_value(file, place, RULE, value))
        else:
            new.append(_value(value, file, place, session))
    return new


def _value(value: object, file: str, where: str, session: Session) -> object:
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogateescape")
        masked = redact_bytes(data, session, file, where)
        return masked.decode("utf-8", "surrogateescape") if masked != data else value
    return redact_bytes(value, session, file, where) if isinstance(value, bytes) else value


def _full_text(sql: str) -> bool:
    head = sql.lower().split("(", 1)[0]
    return "using fts" in " ".join(head.split())


def _full_text_table(database: sqlite3.Connection, table: str, file: str, session: Session) -> None:
    """Redact a full-text table's own content, then rebuild its index; a table without content is emptied."""
    content = f"{table}_content"
    if database.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (content,)).fetchone():
        database.execute("PRAGMA writable_schema = ON")
        _table(database, content, file, session)
        database.execute("PRAGMA writable_schema = OFF")
    for command in ("rebuild", "delete-all"):
        with contextlib.suppress(sqlite3.Error):
            database.execute(f"INSERT INTO {_quoted(table)}({_quoted(table)}) VALUES (?)", (command,))  # noqa: S608
            return
    raise CannotExamineError(f"the index of the full-text table {table} cannot be rebuilt")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(1 << 20):
        yield chunk


def _require_clean(result: BinaryIO, file: str, session: Session) -> None:
    for match in session.detector.scan_chunks(_chunks(result)):
        if masked_already(match.secret.reveal()):
            continue
        if match.known or match.confidence is Confidence.HIGH:
            raise CannotExamineError("a secret is in a place that cannot be masked, possibly in a table's definition")
        session.notes.unsure.append(Remark(file, f"byte {match.start}", f"possible secret (rule {match.rule})"))
