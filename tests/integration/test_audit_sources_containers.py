"""Databases and archives: what is in them, what was deleted from them, and what is built to stop or fill whoever opens them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sqlite3
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sourcescraft import a_key, look_through

from provision.containers import sqlite_reader
from provision.containers.blob import ReadLimits
from provision.containers.formats import zip_format as archives

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "state.db")
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT, extra BLOB)")
    yield connection
    connection.close()


def add(connection: sqlite3.Connection, *contents: str) -> None:
    connection.executemany("INSERT INTO messages (content) VALUES (?)", [(content,) for content in contents])
    connection.commit()


@pytest.mark.parametrize("memory_bytes", [1 << 27, 1 << 17])
def test_rows_have_a_table_a_number_and_a_column(
    tmp_path: Path, database: sqlite3.Connection, memory_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory, and, when it is larger than that allows, in place."""
    opened: list[str] = []
    for name in ("open_in_memory", "open_immutable"):
        real = getattr(sqlite_reader, name)
        monkeypatch.setattr(sqlite_reader, name, lambda *told, n=name, r=real: (opened.append(n), r(*told))[1])
    key, blob, long, odd, bare = (a_key() for _ in range(5))
    add(database, "x", f"take {key}", "y" * 40_000 + f" {long} " + "z" * 40_000, *("more " * 9000,) * 3)
    database.execute("INSERT INTO messages (id, extra) VALUES (77, ?)", (f"k={blob}".encode(),))
    database.execute('CREATE TABLE "od d" (a TEXT PRIMARY KEY, b) WITHOUT ROWID')
    database.execute('INSERT INTO "od d" VALUES (?, ?)', ("a", f"k={odd}"))
    database.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
    database.execute("INSERT INTO words VALUES (?)", (f"k {bare} k",))
    database.execute("PRAGMA writable_schema = ON")
    gone = "CREATE VIRTUAL TABLE gone USING what_is_not_here(a)"  # nothing of it is missed: its rows are other tables'
    database.execute("INSERT INTO sqlite_master VALUES ('table', 'gone', 'gone', 0, ?)", (gone,))
    database.commit()
    database.execute("PRAGMA journal_mode = WAL" if memory_bytes > 1 << 20 else "PRAGMA user_version = 7")
    before = sorted(path.name for path in tmp_path.iterdir())
    result = look_through(tmp_path, limits=ReadLimits(memory_bytes=memory_bytes))
    assert result.where(key) == ["messages:row 2, content"]
    assert result.where(long) == ["messages:row 3, content"]
    assert result.where(blob) == ["messages:row 77, extra"]
    assert result.where(odd) == ['"od d":row 1, b']
    assert "words_content:row 1, c0" in result.where(bare)
    assert not result.unread
    assert opened == ["open_in_memory" if memory_bytes > 1 << 20 else "open_immutable"]
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "nothing is made beside it"


def test_rows_that_are_only_in_the_write_ahead_log(tmp_path: Path, database: sqlite3.Connection) -> None:
    old, new = a_key(), a_key()
    add(database, f"k={old}")
    database.execute("PRAGMA journal_mode = WAL")
    add(database, f"k={new}")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert "state.db-wal" in names
    result = look_through(tmp_path / "state.db")
    assert result.where(old) == ["messages:row 1, content"]
    assert result.where(new) == ["messages:row 2, content"]
    raw = [f for f in look_through(tmp_path).found if f.place.path.endswith("-wal")]
    assert any(f.match.secret.reveal().startswith(new) for f in raw), "with whatever byte happens to follow it there"
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_deleted_rows_and_freed_pages_give_up_their_keys(tmp_path: Path, database: sqlite3.Connection) -> None:
    deleted, live = a_key(), a_key()
    across = [a_key() for _ in range(60)]
    add(database, f"k={live} ", f"k={deleted} ", "x")
    add(database, *("y" * (9000 + 30 * i) + f" {key} " + "z" * (9000 - 30 * i) for i, key in enumerate(across)))
    database.execute("DELETE FROM messages WHERE id = 2 OR id > 3")
    database.commit()
    result = look_through(tmp_path)
    assert "messages:row 1, content" in result.where(live)
    assert any("not overwritten" in str(where) for where in result.where(deleted))
    assert all("a freed page" in str(where) for key in across for where in result.where(key))
    assert set(across) <= set(result.keys()), "also those that lie across two pages"
    database.execute("VACUUM")
    assert set(look_through(tmp_path).keys()) == {live}


def test_a_deleted_copy_of_a_key_that_still_stands_in_a_row(tmp_path: Path, database: sqlite3.Connection) -> None:
    key = a_key()
    add(database, f"k={key} ", f"once more {key} ", "x")
    database.execute("DELETE FROM messages WHERE id = 2")
    database.commit()
    assert look_through(tmp_path).where(key) == ["messages:row 1, content", "page 2, a deleted row, not overwritten"]


def test_damaged_databases_are_reported_and_searched(tmp_path: Path, database: sqlite3.Connection) -> None:
    keys = [a_key() for _ in range(200)]
    add(database, *(f"k={key} " + "x" * 500 for key in keys))
    database.close()
    whole = (tmp_path / "state.db").read_bytes()
    page = int.from_bytes(whole[16:18], "big")
    (tmp_path / "state.db").unlink()
    torn = bytearray(whole)
    torn[5 * page : 5 * page + 12] = b"\xff" * 12  # a page's header
    looped = bytearray(whole)
    looped[32:40] = (2).to_bytes(4, "big") * 2  # the list of free pages begins at a page in use
    circle = bytearray(whole)
    circle[32:40] = (3).to_bytes(4, "big") + (1).to_bytes(4, "big")
    circle[2 * page : 2 * page + 8] = (3).to_bytes(4, "big") + bytes(4)  # a free page before itself
    cases = {
        "torn": bytes(torn),
        "cut": whole[: 10 * page + 77],
        "looped": bytes(looped),
        "circle": bytes(circle),
        "head": whole[:60],
        "size": whole[:16] + b"\0\3" + whole[18:],
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        result = look_through(tmp_path / name)
        expected = {key for key in keys if key.encode() in data}
        assert expected <= set(result.keys()), name
        if name != "looped":
            assert result.reasons(failed=True), name


def test_a_schema_that_wants_to_run_or_to_last_for_ever(tmp_path: Path, database: sqlite3.Connection) -> None:
    key = a_key()
    add(database, f"k={key}")
    database.execute(
        "CREATE VIEW v AS WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i, writefile('/tmp/x', i) FROM r"
    )
    database.execute("CREATE TABLE g (a, b AS (length(zeroblob(200000000))))")
    database.execute("INSERT INTO g (a) VALUES (1)")
    database.commit()
    started = time.monotonic()
    result = look_through(tmp_path)
    assert result.where(key) == ["messages:row 1, content"]
    assert time.monotonic() - started < 45


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def tarred(mode: str, **members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_archives_in_archives_down_to_key_path_and_row(tmp_path: Path, database: sqlite3.Connection) -> None:
    key, row = a_key(), a_key()
    add(database, f"k={row}")
    config = f"a: 1\nproviders:\n  aisa: {{api_key: '{key}'}}\n".encode()
    inner = zipped(**{"home__config.yaml": config, "state.db": (tmp_path / "state.db").read_bytes()})
    (tmp_path / "state.db").unlink()
    for name, data in {
        "t.tar": tarred("w", **{"b.zip": inner}),
        "t.tar.gz": tarred("w:gz", **{"b.zip": inner}),
        "t.txz": tarred("w:xz", **{"b.zip": inner}),
        "t.tar.bz2": tarred("w:bz2", **{"b.zip": inner}),
    }.items():
        (tmp_path / name).write_bytes(data)
        result = look_through(tmp_path / name)
        assert result.places(key) == [f"{tmp_path}/{name}:3:20 ({name}!b.zip!home/config.yaml: providers.aisa.api_key)"]
        assert result.where(row) == [f"{name}!b.zip!state.db: messages:row 1, content"]
        assert not result.unread
    for suffix, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        (tmp_path / f"x.log.{suffix}").write_bytes(pack(f"a\nk={key}\n".encode()) + pack(f"more k={row}\n".encode()))
        result = look_through(tmp_path / f"x.log.{suffix}")
        assert result.where(key) == result.where(row) == [f"x.log.{suffix}!x.log"], "one stream behind the other"


def test_a_member_is_called_by_its_whole_name(tmp_path: Path) -> None:
    key, name = a_key(), "/".join(["deep"] * 60) + "/.env"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / "t.tar", "w", format=form) as archive:
            info = tarfile.TarInfo(name)
            info.size = len(text := f"k={key}\n".encode())
            archive.addfile(info, io.BytesIO(text))
        assert look_through(tmp_path / "t.tar").where(key) == [f"t.tar!{name}: k"]


def test_what_is_hidden_beside_the_members(tmp_path: Path) -> None:
    key, before = a_key(), a_key()
    (tmp_path / "t.tar").write_bytes(tarred("w", a=b"x") + f"k={key}\n".encode() + b"\n" * 600)
    assert look_through(tmp_path / "t.tar").where(key) == ["t.tar!(after the end mark)"]
    (tmp_path / "app.pyz").write_bytes(f"#!/bin/sh\nexport K={before}\n".encode() + zipped(a=f"k={key}".encode()))
    assert set(look_through(tmp_path / "app.pyz").keys()) == {key, before}


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    key = a_key()
    text = f"k={key}\n".encode() + os.urandom(4000)
    whole = zipped(a=text, b=b"y" * 1000)
    locked = bytearray(whole)
    for at in (6, whole.rindex(b"PK\1\2", 0, whole.rindex(b"PK\1\2")) + 8):
        locked[at] |= 1
    cases = {
        "cut.gz": gzip.compress(text)[:-900],
        "bad.gz": gzip.compress(text)[:2000] + b"\xff" * 2000,
        "cut.zip": whole[:-30],
        "bad.zip": whole[:600] + bytes(300) + whole[900:],
        "locked.zip": bytes(locked),
        "cut.tar": tarred("w", a=text)[:3000],
        "a.7z": b"7z\xbc\xaf\x27\x1c" + bytes(100),
        "a.zst": b"\x28\xb5\x2f\xfd" + bytes(100),
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        result = look_through(tmp_path / name)
        assert result.reasons(failed=True), name
        assert not any(key in str(u) for u in result.unread)
    assert look_through(tmp_path / "cut.gz").keys() == {key: 1}, "what comes before the damage is read"
    assert "encrypted" in str(look_through(tmp_path / "locked.zip").unread)


def test_a_table_of_contents_that_no_memory_would_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.zip").write_bytes(zipped(**{f"m{n}": b"x" for n in range(100)}))
    assert not look_through(tmp_path).unread
    monkeypatch.setattr(archives, "_DIRECTORY_BYTES", 4000)
    assert look_through(tmp_path).reasons(failed=True) == [
        "damaged zip: its table of contents is too large; read as raw bytes"
    ]


def test_bombs_are_cut_off_and_reported(tmp_path: Path) -> None:
    key = a_key()
    zeros = bytes(64 << 20)
    layer = zipped(a=zeros)
    for _ in range(6):
        layer = zipped(**{f"m{i}": layer for i in range(16)})
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for i in range(3000):
            archive.writestr(f"{i}", b"x")
    nest = f"k={key}".encode()
    for i in range(12):
        nest = gzip.compress(nest) if i % 2 else zipped(n=nest)
    pax = tarfile.TarInfo("a")
    pax.type = b"x"
    pax.size = 1 << 33
    cases = {
        "zeros.gz": gzip.compress(zeros, 1),
        "zeros.tar.xz": lzma.compress(tarred("w", a=zeros), preset=0),
        "layers.zip": layer,
        "many.zip": many.getvalue(),
        "deep": nest,
        "pax.tar": pax.tobuf() + bytes(1024),
    }
    limits = ReadLimits(expanded_bytes=8 << 20, expanded_ratio=100, members=1000, nesting=8)
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        started = time.monotonic()
        result = look_through(tmp_path / name, limits=limits)
        assert time.monotonic() - started < 40, name
        if name != "pax.tar":
            assert result.reasons(failed=True), name
    assert peak_mib(tmp_path) < 400


def peak_mib(folder: Path) -> float:
    """The peak memory of a scan in a process of its own."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from sourcescraft import look_through; look_through(sys.argv[1]);"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(Path(__file__).parents[1] / "craft")],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1]) / 1024


def test_a_quine_ends(tmp_path: Path) -> None:
    """A member that is its own archive (here: a chain of them), as in droste.zip."""
    data = b"end"
    for _ in range(40):
        data = zipped(r=data)
    (tmp_path / "r.zip").write_bytes(data)
    assert any("nested" in reason for reason in look_through(tmp_path).reasons(failed=True))
