"""Pages of an SQLite file, and a write-ahead log applied as SQLite itself applies it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from provision.containers.sqlite_pages import FREED, SqlitePages
from provision.containers.sqlite_reader import open_in_memory


def test_frames_of_before_the_log_began_anew_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA wal_autocheckpoint = 0")
    base.execute("CREATE TABLE t (n, v)")
    base.execute("BEGIN")
    base.executemany("INSERT INTO t VALUES (?, ?)", ((n, "old" * 100) for n in range(400)))
    base.execute("COMMIT")
    base.execute("PRAGMA wal_checkpoint(RESTART)")
    base.execute("UPDATE t SET v = 'new' WHERE n = 399")  # overwrites the first frames only
    log = path.with_name("state.db-wal")
    copied = open_in_memory(path.read_bytes(), log.read_bytes(), 1 << 24)
    assert log.stat().st_size > 20 * 4096, "frames of before are still there"
    query = "SELECT n, v FROM t ORDER BY n"
    assert copied.execute(query).fetchall() == base.execute(query).fetchall()
    copied.close()
    base.close()


def pages_of(image: bytes) -> SqlitePages:
    return SqlitePages(lambda offset, length: image[offset : offset + length], len(image))


def database(*statements: str) -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("PRAGMA page_size = 1024")
        db.execute("PRAGMA secure_delete = OFF")
        for statement in statements:
            db.execute(statement)
        return db.serialize()


def test_live_rows_deleted_rows_and_freed_pages() -> None:
    image = database(
        "CREATE TABLE t (v)",
        "CREATE TABLE gone (v)",
        "INSERT INTO t VALUES ('first row'), ('deleted row')",
        "INSERT INTO gone VALUES ('in a page that is freed')",
        "DELETE FROM t WHERE v = 'deleted row'",
        "DROP TABLE gone",
    )
    pages = pages_of(image)
    assert (pages.page_bytes, pages.count, pages.wal) == (1024, len(image) // 1024, False)
    assert pages.state(image.index(b"first row")) == (2, None)
    assert pages.state(image.index(b"deleted row") + 4) == (2, "a deleted row, not overwritten")
    assert pages.state(image.index(b"in a page that is freed")) == (3, FREED)


def test_a_value_across_two_freed_pages_is_joined() -> None:
    value = "".join(f"{number:05}" for number in range(3000))
    image = database("CREATE TABLE t (v)", f"INSERT INTO t VALUES ('{value}')", "DROP TABLE t")
    across = 0
    for _, data, joint in pages_of(image).joints():
        around = data[joint - 20 : joint + 20].decode("latin-1")
        across += around in value
    assert across >= 1


@pytest.mark.parametrize("header", [b"", b"SQLite format 3\0" + bytes(84), b"SQLite format 3\0\x03\xe8" + bytes(82)])
def test_impossible_page_sizes_are_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="page size"):
        pages_of(header)


@pytest.mark.hostile
def test_a_free_list_that_loops_ends() -> None:
    image = bytearray(database("CREATE TABLE t (v)", "CREATE TABLE g (v)", "DROP TABLE g"))
    trunk = int.from_bytes(image[32:36], "big")
    start = (trunk - 1) * 1024
    image[start : start + 8] = trunk.to_bytes(4, "big") + (1 << 31).to_bytes(4, "big")
    assert pages_of(bytes(image)).state(start)[1] == FREED
