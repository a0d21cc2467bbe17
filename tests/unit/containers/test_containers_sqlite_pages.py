"""A database beside its write-ahead log is read as SQLite itself would read it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

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
    base.close()
