"""Redacting files: databases, archives, recordings; in place and beside; nothing secret left, everything else as it was."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import re
import sqlite3
import stat
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from redactcraft import aisa_key, known, opaque, pieces_left, session

from provision.cli.main import run
from provision.files import FileProblemError
from provision.redact.files import redact_in_place, redact_to
from provision.redact.session import CannotExamineError

KEY = aisa_key("files")
PLAIN = opaque("files")
"""A key without a prefix, which only its fingerprint tells."""


class _Finished:
    """How a command of this process ended."""

    def __init__(self, code: int, stdout: bytes, stderr: bytes) -> None:
        self.returncode, self.stdout, self.stderr = code, stdout, stderr


def _run(*args: str | Path, stdin: bytes | None = None, cwd: Path | None = None) -> _Finished:
    """The command, on real descriptors, but without starting another Python."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(stdin or b"")
        files[0].seek(0)
        saved = [os.dup(number) for number in range(3)]
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        folder = Path.cwd()
        os.chdir(cwd or folder)
        streams = (sys.stdin, sys.stdout, sys.stderr)
        sys.stdin, sys.stdout, sys.stderr = (open(n, mode, closefd=False) for n, mode in enumerate(("r", "w", "w")))  # noqa: SIM115
        try:
            code = run([str(arg) for arg in args])
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            os.chdir(folder)
            for number, descriptor in enumerate(saved):
                os.dup2(descriptor, number)
                os.close(descriptor)
        for file in files:
            file.seek(0)
        return _Finished(code, files[1].read(), files[2].read())


def _redacted(path: Path, *keys: str) -> bytes:
    target = path.with_name("redacted-" + path.name)
    redact_to(path, target, session(*keys))
    return target.read_bytes()


# in place


def test_in_place_keeps_mode_times_and_links(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(f"before {KEY} after\n")
    file.chmod(0o640)
    os.utime(file, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))
    link = tmp_path / "link"
    link.symlink_to(file)
    assert redact_in_place(link, session())
    status = file.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert (status.st_atime_ns, status.st_mtime_ns) == (1_600_000_000_123_456_789, 1_500_000_000_987_654_321)
    assert link.is_symlink()
    assert re.fullmatch(r"before \[REDACTED:aisa-key#[0-9a-f]{4}\] after\n", file.read_text())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "notes.txt"]


def test_in_place_leaves_a_clean_file_untouched(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("nothing here\n")
    before = file.stat()
    assert not redact_in_place(file, session())
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_other_names_of_a_file_are_remarked(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(KEY)
    os.link(file, tmp_path / "other")
    used = session()
    redact_in_place(file, used)
    assert [remark.message for remark in used.notes.unsure] == ["other hard links to this file still hold the original"]


def test_a_file_that_cannot_be_examined_stays_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "x.7z"
    file.write_bytes(b"7z\xbc\xaf\x27\x1c" + KEY.encode())
    with pytest.raises(CannotExamineError):
        redact_in_place(file, session())
    assert [p.name for p in tmp_path.iterdir()] == ["x.7z"]


@pytest.mark.parametrize("kind", ["folder", "fifo", "missing"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(FileProblemError):
        redact_to(path, tmp_path / "y", session())
    assert not (tmp_path / "y").exists()


# databases


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.executescript(
        """
        PRAGMA journal_mode = WAL;
        CREATE TABLE messages (id INTEGER PRIMARY KEY, role TEXT, content TEXT, raw BLOB, n REAL);
        CREATE INDEX by_content ON messages(content);
        CREATE VIRTUAL TABLE messages_fts USING fts5(content, content=messages, content_rowid=id);
        CREATE TRIGGER keep AFTER UPDATE ON messages BEGIN INSERT INTO history VALUES (old.content); END;
        CREATE TABLE history (content TEXT);
        CREATE TABLE settings (name TEXT, value TEXT);
        CREATE TABLE accounts (user TEXT PRIMARY KEY, api_key TEXT) WITHOUT ROWID;
        CREATE VIRTUAL TABLE notes USING fts5(body);
        """
    )
    return database


def test_a_database_with_everything(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    database = _database(path)
    database.execute(
        "INSERT INTO messages VALUES (1, 'user', ?, ?, 1.5)", (f"my key is {KEY} ok", b"\0\1" + KEY.encode() + b"\xff")
    )
    database.execute("INSERT INTO messages VALUES (2, 'user', ?, NULL, NULL)", (f"known {PLAIN}",))
    database.execute("INSERT INTO messages VALUES (3, 'user', 'nothing', x'00ff', 2)")
    database.execute("INSERT INTO messages_fts(messages_fts) VALUES ('rebuild')")
    database.execute("INSERT INTO settings VALUES ('api_key', 'opaque-word-77'), ('theme', 'opaque-word-77')")
    database.execute("INSERT INTO accounts VALUES ('ada', 'Different.99.term'), ('bob', NULL)")
    database.execute("INSERT INTO notes VALUES (?)", (f"note {KEY}",))
    database.execute("INSERT INTO messages VALUES (4, 'user', ?, NULL, NULL)", (aisa_key("deleted"),))
    database.commit()
    database.execute("PRAGMA secure_delete = OFF")
    database.execute("DELETE FROM messages WHERE id = 4")
    database.commit()  # the log is not checkpointed: the reader must see it
    before = path.read_bytes()
    data = _redacted(path, KEY, PLAIN)
    assert path.read_bytes() == before
    for secret in (KEY, PLAIN, aisa_key("deleted"), "Different.99.term"):
        assert not pieces_left(secret.lower(), data.lower()), secret
    copy = tmp_path / "redacted-state.db"
    result = sqlite3.connect(copy)
    assert result.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = result.execute("SELECT * FROM messages ORDER BY id").fetchall()
    assert re.fullmatch(r"my key is \[REDACTED:known-key#\w{4}\] ok", rows[0][2])
    assert rows[0][3].startswith(b"\0\1[REDACTED:")
    assert rows[0][3].endswith(b"]\xff")
    assert rows[0][4] == 1.5
    assert rows[2] == (3, "user", "nothing", b"\0\xff", 2.0)
    assert dict(result.execute("SELECT * FROM settings"))["theme"] == "opaque-word-77"
    assert dict(result.execute("SELECT * FROM settings"))["api_key"].startswith("[REDACTED:secret-field#")
    assert dict(result.execute("SELECT * FROM accounts"))["bob"] is None
    assert result.execute("SELECT count(*) FROM history").fetchone() == (0,)  # the trigger did not run
    assert result.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall() == [("keep",)]
    assert result.execute("SELECT rowid FROM messages_fts WHERE messages_fts MATCH 'nothing'").fetchall() == [(3,)]
    assert result.execute("SELECT rowid FROM notes WHERE notes MATCH 'note'").fetchall() == [(1,)]
    result.execute("PRAGMA wal_checkpoint")
    database.close()


def test_a_secret_in_a_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = sqlite3.connect(path)
    database.execute(f"CREATE TABLE t (a TEXT DEFAULT '{KEY}')")
    database.commit()
    database.close()
    with pytest.raises(CannotExamineError, match="cannot be masked"):
        _redacted(path)
    assert not (tmp_path / "redacted-x.db").exists()


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"SQLite format 3\0" + random.Random(1).randbytes(5000))
    with pytest.raises(CannotExamineError):
        _redacted(path)


# archives


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            info.external_attr = 0o600 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


def _tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime, info.uname = len(data), 0o640, 1_700_000_000, "ada"
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
        archive.addfile(link)
    return out.getvalue()


def test_a_bundle_with_archives_in_archives(tmp_path: Path) -> None:
    inner = _tar({"deep/.env": f"TEAM_TOKEN={PLAIN}\n".encode(), "a.txt": b"clean\n"})
    path = tmp_path / "bundle.zip"
    members = {
        ".env": b"X=short-value\nHERMES_HOME=/x\n",
        "config.yaml": b"model: {api_key: abcdefghijk} # c\n",
        "logs/agent.log.gz": gzip.compress(f"line {KEY}\n".encode() * 50),
        "inner.tar.gz": inner,
        "inner.zip": _zip({"x/" + "y.json": json.dumps({"token": PLAIN}).encode()}),
        f"named-{KEY}.txt": b"x",
        "clean.bin": bytes(range(256)),
    }
    path.write_bytes(_zip(members))
    data = _redacted(path, KEY, PLAIN)
    with zipfile.ZipFile(io.BytesIO(data)) as result:
        assert [i.date_time for i in result.infolist()] == [(2026, 1, 2, 3, 4, 6)] * len(members)
        assert {i.external_attr >> 16 for i in result.infolist()} == {0o600}
        names = result.namelist()
        assert names[5].startswith("named-[REDACTED:known-key#")
        assert re.fullmatch(rb"X=\[REDACTED:env-value#\w{4}\]\nHERMES_HOME=/x\n", result.read(".env"))
        assert b"abcdefghijk" not in result.read("config.yaml")
        assert result.read("clean.bin") == bytes(range(256))
        log = gzip.decompress(result.read("logs/agent.log.gz"))
        assert log.count(b"[REDACTED:") == 50
        with tarfile.open(fileobj=io.BytesIO(result.read("inner.tar.gz"))) as deep:
            found = deep.getmembers()
            assert [(m.name, m.mode, m.mtime, m.uname) for m in found[:2]] == [
                ("deep/.env", 0o640, 1_700_000_000, "ada"),
                ("a.txt", 0o640, 1_700_000_000, "ada"),
            ]
            assert (found[2].name, found[2].linkname) == ("link", "a.txt")
            env = deep.extractfile("deep/.env")
            assert env is not None
            assert re.fullmatch(rb"TEAM_TOKEN=\[REDACTED:[a-z-]+#\w{4}\]\n", env.read())
        nested = zipfile.ZipFile(io.BytesIO(result.read("inner.zip")))
        assert json.loads(nested.read("x/y.json"))["token"].startswith("[REDACTED:")
    again = path.with_name("again.zip")
    redact_to(tmp_path / "redacted-bundle.zip", again, session(KEY, PLAIN))
    assert again.read_bytes() == data


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
def test_tars_of_every_packing(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(_tar({"a.txt": KEY.encode()}, mode))
    with tarfile.open(fileobj=io.BytesIO(_redacted(path))) as result:
        file = result.extractfile("a.txt")
        assert file is not None
        assert file.read().startswith(b"[REDACTED:aisa-key#")


def test_what_cannot_be_read_in_an_archive_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(
        _zip(
            {
                "a.7z": b"7z\xbc\xaf\x27\x1c" + b"x" * 50,
                "broken.gz": gzip.compress(bytes(range(256)))[:40],
                "ok.txt": b"ok",
            }
        )
    )
    done = _run("redact", path, "-o", tmp_path / "safe.zip")
    assert done.returncode == 4
    assert zipfile.ZipFile(tmp_path / "safe.zip").namelist() == ["ok.txt"]
    assert b"left out" in done.stderr
    assert b"a.7z" in done.stderr
    assert b"broken.gz" in done.stderr


def test_an_encrypted_member_is_left_out(tmp_path: Path) -> None:
    data = bytearray(_zip({"a.txt": KEY.encode()}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    path = tmp_path / "x.zip"
    path.write_bytes(bytes(data))
    used = session()
    redact_to(path, tmp_path / "y.zip", used)
    assert [remark.where for remark in used.notes.left_out] == ["a.txt"]
    assert zipfile.ZipFile(tmp_path / "y.zip").namelist() == []


def test_archives_nested_without_end_are_left_out(tmp_path: Path) -> None:
    data = b"x"
    for _ in range(12):
        data = _zip({"a.zip": data})
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    used = session()
    redact_to(path, tmp_path / "y.zip", used)
    assert "nested more than 8 deep" in used.notes.left_out[0].message


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\x", "a\0b"])
def test_names_of_members_lead_nowhere(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(_tar({name: KEY.encode()}, "w:"))
    _redacted(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["redacted-x.tar", "x.tar"]


# the command


def test_the_command_on_a_file_prints_it_redacted(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(f"see {KEY}\n")
    done = _run("redact", file, "--report", tmp_path / "r.json")
    assert done.returncode == 0
    assert re.fullmatch(rb"see \[REDACTED:aisa-key#\w{4}\]\n", done.stdout)
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["schema"] == "provision/redaction/v1"
    assert report["rules"] == {"aisa-key": 1}
    assert report["places"][0]["where"] == "line 1"
    assert not pieces_left(KEY, (tmp_path / "r.json").read_text(), 5)
    assert done.stdout.split(b"#")[1][:4].decode() == report["places"][0]["tag"]


def test_the_command_on_standard_input() -> None:
    done = _run("redact", "--mask", "fixed", stdin=f"a {KEY} b".encode())
    assert done.stdout == b"a [REDACTED] b"


def test_the_command_takes_an_archive_on_standard_input() -> None:
    done = _run("redact", stdin=_zip({"a.txt": KEY.encode()}))
    assert zipfile.ZipFile(io.BytesIO(done.stdout)).read("a.txt").startswith(b"[REDACTED:")


def test_several_files_go_into_a_folder_and_one_bad_one_does_not_stop_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(KEY)
    (tmp_path / "b").write_text(f"x {KEY}")
    done = _run("redact", tmp_path / "a", tmp_path / "missing", tmp_path / "b", "-o", tmp_path / "out")
    assert done.returncode == 4
    assert b"missing" in done.stderr
    assert (tmp_path / "out" / "b").read_text().startswith("x [REDACTED")
    assert (tmp_path / "out" / "a").exists()


def test_known_keys_come_from_a_file_of_fingerprints(tmp_path: Path) -> None:
    (tmp_path / "known.json").write_bytes(known(PLAIN).dump())
    done = _run("redact", "--known", tmp_path / "known.json", stdin=f"a {PLAIN} b".encode())
    assert re.fullmatch(rb"a \[REDACTED:known-key#\w{4}\] b", done.stdout)


@pytest.mark.parametrize(
    "args", [["-i"], ["-i", "x", "-o", "y"], ["--exec"], ["--exec", "-i", "--", "ls"], ["-", "x"], ["--mask", "none"]]
)
def test_contradictions_are_refused(args: list[str], tmp_path: Path) -> None:
    assert _run("redact", *args, cwd=tmp_path).returncode == 2


def test_binary_kinds_are_not_printed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(_zip({"a": b"b"}))
    done = _run("redact", tmp_path / "x")
    assert (done.returncode, done.stdout) == (4, b"")
    assert b"--output" in done.stderr


def test_known_keys_come_from_the_vault_of_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISION_CONFIG_DIR", str(tmp_path / "config"))
    workspace = tmp_path / "workspace"
    assert _run("init", workspace).returncode == 0
    assert _run("users", "add", "ada", "--profile", "engineering", cwd=workspace).returncode == 0
    assert _run("keys", "import", "-", stdin=f"user,key\nada,{PLAIN}\n".encode(), cwd=workspace).returncode == 0
    done = _run("redact", "--report", tmp_path / "r.json", stdin=f"a {PLAIN} b\n".encode(), cwd=workspace)
    assert re.fullmatch(rb"a \[REDACTED:known-key#\w{4}\] b\n", done.stdout), done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["places"][0]["owner"] == "ada"


def test_a_workspace_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "provision.toml").write_text("[")
    done = _run("redact", stdin=b"x\n", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"x\n")
    assert b"not masked by value" in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
def test_what_is_no_file_is_written_into_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"key {KEY}\n")
    for arguments, expected in (
        (["-o", "pipe", "a.txt"], b"key [REDACTED:aisa-key#"),
        (["--report", "pipe", "a.txt"], b'"provision/redaction/v1"'),
    ):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert _run("redact", *arguments, cwd=tmp_path).returncode == 0
            assert stat.S_ISFIFO(pipe.stat().st_mode)
            assert expected in os.read(reader, 1 << 16)
        finally:
            os.close(reader)
            pipe.unlink()
