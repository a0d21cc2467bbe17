"""No page of a masked database keeps the old values."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from leakcraft import LITERAL, literal

from provision.containers.sqlite_rewriter import DatabaseError, rewrite_database, rewrite_database_file

KEYS = [literal(number) for number in range(6)]
WORD = KEYS[2].split(b"-")[1]
"""What a full-text index keeps of a key."""


def mask(place: str, row: Mapping[str, object]) -> list[object]:
    return [masked(cell) for cell in row.values()]


def masked(cell: object) -> object:
    if isinstance(cell, str):
        return LITERAL.sub(b"masked...", cell.encode()).decode()
    return LITERAL.sub(b"masked...", cell) if isinstance(cell, bytes) else cell


def image_masked(image: bytes) -> bytes:
    out = io.BytesIO()
    rewrite_database_file(io.BytesIO(image), out, mask)
    return out.getvalue()


def fill(db: sqlite3.Connection) -> None:
    text = [key.decode() for key in KEYS]
    db.execute('CREATE TABLE "od""d" (a TEXT PRIMARY KEY, b, c AS (a)) WITHOUT ROWID')
    db.execute('INSERT INTO "od""d" VALUES (?, ?)', (text[0], KEYS[1]))
    db.execute('INSERT INTO "od""d" VALUES (?, ?)', ("plain", 7))
    db.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
    db.execute("INSERT INTO words VALUES (?)", (f"say {text[2]} aloud",))
    db.execute("CREATE TABLE gone (v)")
    db.execute("INSERT INTO gone VALUES (?)", (text[3],))
    db.execute("DELETE FROM gone")
    db.commit()


def check(db: sqlite3.Connection) -> None:
    assert db.execute('SELECT a, b, c FROM "od""d" ORDER BY a').fetchall() == [
        ("masked...", b"masked...", "masked..."),
        ("plain", 7, "plain"),
    ], "types stay"
    assert db.execute("SELECT body FROM words WHERE words MATCH 'masked'").fetchall() == [("say masked... aloud",)]
    assert db.execute("SELECT count(*) FROM words WHERE words MATCH 'leak'").fetchone() == (0,), "the index is rebuilt"
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        fill(db)
    assert rewrite_database(path, mask) == 2, "rows"
    assert not any(key in file.read_bytes() for file in tmp_path.iterdir() for key in (*KEYS, WORD))
    with closing(sqlite3.connect(path)) as db:
        check(db)


@pytest.mark.parametrize("marked_as_wal", [False, True])
def test_an_image(marked_as_wal: bool) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        fill(db)
        image = db.serialize()
    marks = b"\2\2" if marked_as_wal else image[18:20]
    masked = image_masked(image[:18] + marks + image[20:])
    assert masked[18:20] == marks
    assert WORD in image
    assert not any(key in masked for key in (*KEYS, WORD))
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(masked[:18] + b"\1\1" + masked[20:])
        check(db)
    assert rewrite_database_file(io.BytesIO(masked), io.BytesIO(), mask) == (0, ())


def test_a_secret_only_in_free_pages_is_removed() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("CREATE TABLE t (v)")
        db.execute("INSERT INTO t VALUES (?)", (KEYS[0].decode(),))
        db.execute("DELETE FROM t")
        db.commit()
        image = db.serialize()
    assert KEYS[0] in image
    assert KEYS[0] not in image_masked(image)


def test_damage_is_an_error() -> None:
    with pytest.raises(DatabaseError, match="cannot be read or rewritten"):
        image_masked(b"SQLite format 3\0" + bytes(500))


def test_equal_masks_in_a_column_of_unique_values_get_numbers(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "u.db")) as db:
        db.execute("CREATE TABLE t (v TEXT UNIQUE)")
        db.executemany("INSERT INTO t VALUES (?)", [(key.decode(),) for key in KEYS])
        db.commit()
    assert rewrite_database(tmp_path / "u.db", mask) == len(KEYS)
    with closing(sqlite3.connect(tmp_path / "u.db")) as db:
        values = {value for (value,) in db.execute("SELECT v FROM t")}
    assert values == {"masked...", *(f"masked...{number}" for number in range(2, len(KEYS) + 1))}
