"""SQLite: the copy holds no secret in any row, index, page or full-text table; all else stays."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from typing import TYPE_CHECKING

import pytest
from redactcraft import aisa_key, opaque, pieces_left, session

from provision.redact.archives.containers import redact_file
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from pathlib import Path

KEY = aisa_key("sqlite")
WORD = opaque("sqlite", 14)


def made(folder: Path, *statements: str) -> bytes:
    path = folder / "made.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()
    return path.read_bytes()


def redacted(data: bytes) -> bytes:
    out = io.BytesIO()
    redact_file(io.BytesIO(data), out, "a.db", session())
    return out.getvalue()


def rows(folder: Path, data: bytes, query: str) -> list[tuple[object, ...]]:
    path = folder / "result.db"
    path.write_bytes(data)
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_texts_and_blobs_are_redacted_and_other_values_stay(tmp_path: Path) -> None:
    data = made(
        tmp_path,
        "CREATE TABLE m (id INTEGER PRIMARY KEY, body, n)",
        f"INSERT INTO m VALUES (1, 'see {KEY} there', 7), (2, CAST('{KEY}' AS BLOB), 1.5), (3, NULL, 'plain')",
    )
    result = redacted(data)
    assert not pieces_left(KEY, result)
    (_, text, seven), (_, blob, number), last = rows(tmp_path, result, "SELECT * FROM m")
    assert str(text).startswith("see [REDACTED:aisa-key#")
    assert isinstance(blob, bytes)
    assert blob.startswith(b"[REDACTED:aisa-key#")
    assert (seven, number, last) == (7, 1.5, (3, None, "plain"))


def test_a_deleted_value_is_not_in_the_copy(tmp_path: Path) -> None:
    data = made(
        tmp_path,
        "PRAGMA secure_delete = OFF",
        "CREATE TABLE m (body)",
        f"INSERT INTO m VALUES ('{KEY}'), ('plain')",
        "DELETE FROM m WHERE body != 'plain'",
    )
    assert pieces_left(KEY, data)
    assert not pieces_left(KEY, redacted(data))


@pytest.mark.parametrize(
    ("create", "insert"),
    [
        ("CREATE TABLE t (api_key)", f"INSERT INTO t VALUES ('{WORD}')"),
        ("CREATE TABLE t (name, value)", f"INSERT INTO t VALUES ('client_secret', '{WORD}')"),
        ("CREATE TABLE t (k TEXT PRIMARY KEY, v) WITHOUT ROWID", f"INSERT INTO t VALUES ('password', '{WORD}')"),
    ],
)
def test_a_column_or_a_row_names_a_secret(tmp_path: Path, create: str, insert: str) -> None:
    result = redacted(made(tmp_path, create, insert))
    assert not pieces_left(WORD, result, 6)
    [row] = rows(tmp_path, result, "SELECT * FROM t")
    assert str(row[-1]).startswith("[REDACTED:secret-field#")


def test_a_value_beside_another_name_stays(tmp_path: Path) -> None:
    data = made(tmp_path, "CREATE TABLE t (name, value)", f"INSERT INTO t VALUES ('colour', '{WORD}')")
    assert rows(tmp_path, redacted(data), "SELECT value FROM t") == [(WORD,)]


def test_a_full_text_table_finds_the_rest_of_the_text(tmp_path: Path) -> None:
    data = made(tmp_path, "CREATE VIRTUAL TABLE f USING fts5(body)", f"INSERT INTO f VALUES ('needle {KEY}')")
    result = redacted(data)
    assert not pieces_left(KEY, result)
    [(body,)] = rows(tmp_path, result, "SELECT body FROM f WHERE f MATCH 'needle'")
    assert str(body).startswith("needle [REDACTED:aisa-key#")


def test_a_trigger_does_not_run_and_is_kept(tmp_path: Path) -> None:
    data = made(
        tmp_path,
        "CREATE TABLE m (body)",
        "CREATE TABLE old (body)",
        "CREATE TRIGGER keep AFTER UPDATE ON m BEGIN INSERT INTO old VALUES (old.body); END",
        f"INSERT INTO m VALUES ('{KEY}')",
    )
    result = redacted(data)
    assert rows(tmp_path, result, "SELECT count(*) FROM old") == [(0,)]
    assert rows(tmp_path, result, "SELECT name FROM sqlite_schema WHERE type = 'trigger'") == [("keep",)]


def test_a_secret_in_the_schema_is_refused(tmp_path: Path) -> None:
    data = made(tmp_path, f"CREATE TABLE m (body DEFAULT '{KEY}')")
    with pytest.raises(CannotExamineError, match="cannot be masked"):
        redacted(data)


def test_a_damaged_database_is_refused() -> None:
    with pytest.raises(CannotExamineError, match="cannot be read or rewritten"):
        redacted(b"SQLite format 3\0" + bytes(range(256)) * 16)
