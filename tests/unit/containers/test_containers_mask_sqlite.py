"""No page of a masked database keeps the old values."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from leakcraft import LITERAL, literal

from provision.containers.mask_sqlite import DatabaseError, mask_database, mask_database_image

KEYS = [literal(number) for number in range(6)]
WORD = KEYS[2].split(b"-")[1]
"""What a full-text index keeps of a key."""


def mask(cell: bytes) -> bytes:
    return LITERAL.sub(b"masked...", cell)


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
    assert mask_database(path, mask) == 3
    assert not any(key in file.read_bytes() for file in tmp_path.iterdir() for key in (*KEYS, WORD))
    with closing(sqlite3.connect(path)) as db:
        check(db)


@pytest.mark.parametrize("marked_as_wal", [False, True])
def test_an_image(marked_as_wal: bool) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        fill(db)
        image = db.serialize()
    marks = b"\2\2" if marked_as_wal else image[18:20]
    masked = mask_database_image(image[:18] + marks + image[20:], mask)
    assert masked[18:20] == marks
    assert WORD in image
    assert not any(key in masked for key in (*KEYS, WORD))
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(masked[:18] + b"\1\1" + masked[20:])
        check(db)
    assert mask_database_image(masked, mask) is masked


def test_a_secret_only_in_free_pages_is_removed() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("CREATE TABLE t (v)")
        db.execute("INSERT INTO t VALUES (?)", (KEYS[0].decode(),))
        db.execute("DELETE FROM t")
        db.commit()
        image = db.serialize()
    assert KEYS[0] in image
    assert KEYS[0] not in mask_database_image(image, mask)


def test_damage_is_an_error() -> None:
    with pytest.raises(DatabaseError, match="cannot be masked"):
        mask_database_image(b"SQLite format 3\0" + bytes(500), mask)
