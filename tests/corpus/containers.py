"""Secrets in containers: SQLite (live, deleted, in the log), archives in archives, compressed logs, git history."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sqlite3
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corpus.kinds import Kind
    from corpus.truth import Writer

_SCHEMA = "CREATE TABLE messages (id INTEGER PRIMARY KEY, session TEXT, role TEXT, content TEXT)"
_GIT = {
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.com",
    "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z", "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


def _rows(w: Writer, count: int) -> list[tuple[str, str, str]]:
    return [
        ("s1", w.rng.choice(("user", "assistant")), f"message {w.rng.randrange(10**6)} about nothing " * 6)
        for _ in range(count)
    ]


def _fill(base: sqlite3.Connection, w: Writer, secrets: list[Kind]) -> None:
    base.execute(_SCHEMA)
    for secret in secrets:
        base.executemany("INSERT INTO messages (session, role, content) VALUES (?,?,?)", _rows(w, 20))
        base.execute(
            "INSERT INTO messages (session, role, content) VALUES ('s1','user',?)", (f"here: {secret.value} thanks",)
        )
    base.executemany("INSERT INTO messages (session, role, content) VALUES (?,?,?)", _rows(w, 20))
    base.commit()


def sqlite_rows(w: Writer) -> None:
    secrets = [w.known(), w.token()]
    path = w.path("state.db")
    base = sqlite3.connect(path)
    _fill(base, w, secrets)
    base.close()
    w.say(path, *secrets)


def sqlite_overflow(w: Writer) -> None:
    """A long row: the key lies across two overflow pages."""
    secrets = [w.known(), w.token()]
    path = w.path("state.db")
    base = sqlite3.connect(path)
    base.execute(_SCHEMA)
    for secret in secrets:
        before = " ".join(w.rng.choice(("word", "more", "text")) for _ in range(3000))
        for cut in range(8170, 8190, 7):
            base.execute(
                "INSERT INTO messages (session, role, content) VALUES ('s','user',?)",
                (before[:cut] + " " + secret.value + " " + before,),
            )
    base.commit()
    base.close()
    w.say(path, *secrets)


def sqlite_deleted(w: Writer) -> None:
    secrets = [w.known(), w.token()]
    path = w.path("state.db")
    base = sqlite3.connect(path)
    base.execute("PRAGMA secure_delete=OFF")
    _fill(base, w, secrets)
    base.execute("DELETE FROM messages WHERE content LIKE 'here: %'")
    base.commit()
    base.close()
    w.say(path, *secrets)


def sqlite_log(w: Writer) -> None:
    """A key that so far is in the write-ahead log only."""
    secret, path = w.known(), w.path("state.db")
    live = w.path("live.tmp")
    base = sqlite3.connect(live)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA wal_autocheckpoint=0")
    _fill(base, w, [])
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.execute("INSERT INTO messages (session, role, content) VALUES ('s2','user',?)", (f"key {secret.value}",))
    base.commit()
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{live}{suffix}", f"{path}{suffix}")
    base.close()
    for left in live.parent.glob("live.tmp*"):
        left.unlink()
    w.say(path.with_name("state.db-wal"), secret)


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _tar(files: dict[str, bytes], mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _env(secrets: list[Kind]) -> bytes:
    return "".join(f"{s.variable}={s.value}\n" for s in secrets).encode()


def zip_file(w: Writer) -> None:
    secrets = [w.known(), w.any()]
    w.write("backup.zip", _zip({".env": _env(secrets), "README": b"nothing"}), *secrets)


def zip_in_tar(w: Writer) -> None:
    secrets = [w.known(), w.any()]
    inner = _zip({"home/.env": _env(secrets)})
    packed = _tar({"backups/b.zip": inner, "x.txt": b"x" * 999}, "w")
    w.write("all.tar.gz", gzip.compress(packed, mtime=0), *secrets)


def tar_in_zip(w: Writer) -> None:
    secrets = [w.known(), w.any()]
    w.write("support.zip", _zip({"logs.tar.bz2": _tar({"a/agent.log": b"x\n" + _env(secrets)}, "w:bz2")}), *secrets)


def gzip_log(w: Writer) -> None:
    secrets = [w.known(), w.any()]
    w.write("agent.log.2.gz", gzip.compress(b"start\n" + _env(secrets) + b"end\n", mtime=0), *secrets)


def _git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, **_GIT, "HOME": str(folder)}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _repository(w: Writer) -> Path:
    folder = w.path("repo/.gitignore").parent
    _git(folder, "init", "-q", "-b", "main")
    (folder / ".gitignore").write_text(".env\n")
    _git(folder, "add", ".")
    _git(folder, "commit", "-qm", "begin")
    return folder


def _commit(folder: Path, name: str, data: bytes, message: str) -> None:
    (folder / name).write_bytes(data)
    _git(folder, "add", "-f", name)
    _git(folder, "commit", "-qm", message)


def git_removed(w: Writer) -> None:
    """Committed, removed, three commits ago."""
    secrets, folder = [w.known(), w.any()], _repository(w)
    _commit(folder, "config.py", b"# settings\n" + _env(secrets), "add settings")
    _commit(folder, "config.py", b"# settings\n", "remove what should not be here")
    for number in range(3):
        _commit(folder, "notes.txt", f"note {number}\n".encode(), f"note {number}")
    w.say(folder, *secrets)


def git_branch(w: Writer) -> None:
    """On a branch that nobody has checked out, packed."""
    secrets, folder = [w.known(), w.any()], _repository(w)
    _git(folder, "checkout", "-qb", "experiment")
    _commit(folder, "try.env", _env(secrets), "try")
    _git(folder, "checkout", "-q", "main")
    _git(folder, "gc", "-q")
    w.say(folder, *secrets)


def git_stash(w: Writer) -> None:
    secrets, folder = [w.known(), w.any()], _repository(w)
    _commit(folder, "app.conf", b"a=1\n", "conf")
    (folder / "app.conf").write_bytes(b"a=1\n" + _env(secrets))
    _git(folder, "stash", "push", "-q")
    w.say(folder, *secrets)


def git_dangling(w: Writer) -> None:
    """Amended away: only a dangling object holds it, and no log of references."""
    secrets, folder = [w.known(), w.any()], _repository(w)
    _commit(folder, "app.conf", _env(secrets), "oops")
    (folder / "app.conf").write_bytes(b"a=1\n")
    _git(folder, "commit", "-qa", "--amend", "-m", "clean")
    _git(folder, "reflog", "expire", "--expire=now", "--all")
    w.say(folder, *secrets)


CONTAINER_LANES: tuple[Callable[[Writer], None], ...] = (
    sqlite_rows, sqlite_overflow, sqlite_deleted, sqlite_log, zip_file, zip_in_tar, tar_in_zip, gzip_log, git_removed, git_branch,
    git_stash, git_dangling,
)  # fmt: skip
