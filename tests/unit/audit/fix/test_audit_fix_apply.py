"""Applying changes with an encrypted backup, and undoing them."""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from leakcraft import NOW, LiteralDetector, literal

from provision.audit.fix import replace
from provision.audit.fix.apply import BackupError, FixResult, apply_fix, last_record, undo_fix
from provision.audit.fix.change import FixChange, NotFixed
from provision.errors import NothingMatchedError
from provision.keys.age import seal
from provision.keys.identities import generate_identity, identity_file, load_identities

DETECTOR = LiteralDetector()


class Desk:
    """A folder for backups and an identity that opens them."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "fixes"
        secret, self.recipient = generate_identity()
        self.identity = root / "identity.txt"
        self.identity.touch(0o600)
        self.identity.write_bytes(identity_file(secret, self.recipient, "now"))

    def fix(self, *changes: FixChange) -> FixResult:
        return apply_fix(changes, DETECTOR, self.folder, [self.recipient], NOW, clean=str)  # type: ignore[arg-type]

    def undo(self) -> FixResult:
        return undo_fix(last_record(self.folder), lambda: load_identities(self.identity))


@pytest.fixture(autouse=True)
def no_late_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replace, "_WATCH_S", 0.0)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_contents_modes_new_files_and_databases_come_back(tmp_path: Path, desk: Desk) -> None:
    text, mode, new, base = (tmp_path / name for name in ("text", "mode", "new", "base.db"))
    text.write_bytes(b"old " + literal(1))
    text.chmod(0o640)
    mode.touch()
    mode.chmod(0o644)
    with closing(sqlite3.connect(base)) as db:
        db.execute("CREATE TABLE t (v)")
        db.execute("INSERT INTO t VALUES (?)", (literal(2).decode(),))
        db.commit()
    done = desk.fix(
        FixChange(text, (), b"new", 0o640, was=text.read_bytes()),
        FixChange(mode, (), mode=0o600),
        FixChange(new, (), b"made", 0o600),
        FixChange(base, (), mode=0o600, database=True),
    )
    assert (len(done.changed), done.left) == (4, ())
    assert (text.read_bytes(), mode.stat().st_mode & 0o777, new.read_bytes()) == (b"new", 0o600, b"made")
    assert literal(2) not in base.read_bytes()
    assert done.backup is not None
    kept = done.backup.read_bytes() + last_record(desk.folder).read_bytes()
    assert literal(1) not in kept, "neither the backup nor the record shows a secret"
    undone = desk.undo()
    assert (len(undone.changed), undone.left, undone.backup) == (4, (), None)
    assert text.read_bytes() == b"old " + literal(1)
    assert mode.stat().st_mode & 0o777 == 0o644
    assert not new.exists()
    assert literal(2) in base.read_bytes()
    assert list(desk.folder.iterdir()) == [], "the backup is deleted"


def test_what_was_changed_since_the_fix_is_not_restored(tmp_path: Path, desk: Desk) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.write_bytes(b"old")
    desk.fix(*(FixChange(path, (), b"new", 0o600, was=b"old") for path in (one, two)))
    two.write_bytes(b"the user's")
    undone = desk.undo()
    assert undone.changed == (str(one),)
    why = "it was changed after the fix: restore it by hand from the backup (`age -d`)"
    assert undone.left == (NotFixed(str(two), why),)
    assert (one.read_bytes(), two.read_bytes()) == (b"old", b"the user's")
    assert undone.backup is not None
    assert undone.backup.exists()


def test_a_file_that_differs_from_the_plan_is_kept_and_the_others_are_fixed(tmp_path: Path, desk: Desk) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.write_bytes(b"old")
    done = desk.fix(FixChange(two, (), b"new", was=b"other"), FixChange(one, (), b"new", was=b"old"))
    assert done.left == (NotFixed(str(two), "two was changed in the meantime (run the command again)"),)
    assert (one.read_bytes(), two.read_bytes()) == (b"new", b"old")
    assert desk.undo().changed == (str(one),)
    assert (one.read_bytes(), two.read_bytes()) == (b"old", b"old")


def test_a_file_that_was_replaced_before_the_fix_failed_comes_back(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"old")

    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(replace, "sync_directory", fail)
        done = desk.fix(FixChange(path, (), b"new", 0o600, was=b"old"))
    assert (done.changed, [left.path for left in done.left]) == ((), [str(path)])
    assert path.read_bytes() == b"new"
    assert desk.undo().changed == (str(path),)
    assert path.read_bytes() == b"old"


def test_old_files_stay_open_for_a_second_and_few_at_a_time(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    open_: list[int] = []
    real = replace.LateWriters.make_room
    monkeypatch.setattr(replace, "_WATCH_S", 1.0)
    monkeypatch.setattr(replace, "_MOST_OPEN", 2)
    monkeypatch.setattr(replace, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=slept.append))
    monkeypatch.setattr(replace.LateWriters, "make_room", lambda late: (real(late), open_.append(len(late._replaced))))
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.write_bytes(b"old")
    assert len(desk.fix(*(FixChange(path, (), b"new", was=b"old") for path in paths)).changed) == 5
    assert (open_, slept) == ([1, 2, 2, 2, 2], [1.0] * 5)


@pytest.mark.parametrize("changed", [".env", "config.yaml"])
def test_the_files_of_a_home_change_together_or_not_at_all(tmp_path: Path, desk: Desk, changed: str) -> None:
    files = [tmp_path / name for name in (".env", "config.yaml")]
    for path in files:
        path.write_bytes(b"old")
    (tmp_path / changed).write_bytes(b"newer")
    done = desk.fix(*(FixChange(path, (), b"new", was=b"old", home=tmp_path) for path in files))
    assert len(done.left) == 2
    assert sorted(path.read_bytes() for path in files) == [b"newer", b"old"]


def test_without_a_fix_or_its_backup_there_is_no_undo(tmp_path: Path, desk: Desk) -> None:
    with pytest.raises(NothingMatchedError, match="no fix to undo"):
        desk.undo()
    (tmp_path / "one").touch()
    backup = desk.fix(FixChange(tmp_path / "one", (), mode=0o600)).backup
    assert backup is not None
    backup.unlink()
    with pytest.raises(BackupError, match="not found"):
        desk.undo()


def test_a_backup_that_was_changed_restores_nothing(tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "one").write_bytes(b"old")
    backup = desk.fix(FixChange(tmp_path / "one", (), b"new", was=b"old")).backup
    assert backup is not None
    member = tarfile.TarInfo("0")
    member.size = 2**70
    backup.write_bytes(seal(member.tobuf(tarfile.GNU_FORMAT), [desk.recipient]))
    with pytest.raises(BackupError, match="does not match its record"):
        desk.undo()
    assert (tmp_path / "one").read_bytes() == b"new"


def test_one_bad_file_stops_no_other(tmp_path: Path, desk: Desk) -> None:
    loop, broken, good = (tmp_path / name for name in ("loop.db", "broken.db", "good"))
    loop.symlink_to(loop)
    broken.write_bytes(b"SQLite format 3\0" + bytes(100))
    good.write_bytes(literal(1))
    changes = (FixChange(loop, (), database=True), FixChange(broken, (), database=True))
    done = desk.fix(*changes, FixChange(good, (), b"new", 0o600, was=good.read_bytes()))
    assert done.changed == (str(good),)
    assert {Path(left.path) for left in done.left} == {loop, broken}
    assert good.read_bytes() == b"new"
