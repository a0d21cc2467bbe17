"""Files that change together: whatever step a process dies at, recovery leaves all old or all new, and nothing strays."""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from provision import files, transaction
from provision.files import (
    STAGED_SUFFIX,
    FileProblemError,
    LockedError,
    locked,
    read_bounded,
    read_optional,
    staged_file,
    write_atomic,
    write_chosen,
)
from provision.transaction import Transaction, recover

JOURNAL = ".provision/transaction.json"
OLD = {".env": b"old env", "config.yaml": b"old config", "sub/gone": b"old gone"}
NEW = {".env": b"new env", "config.yaml": b"new config", "sub/deep/added": b"new added"}
FOLDERS = ("sub", "sub/deep")


def _old(root: Path, old: dict[str, bytes] = OLD) -> None:
    for name, data in old.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def _change(root: Path) -> None:
    with Transaction(root, journal=JOURNAL) as change:
        change.write("sub/deep/added", NEW["sub/deep/added"])
        change.write(".env", NEW[".env"])
        change.write("config.yaml", NEW["config.yaml"], mode=0o644)
        change.remove("sub/gone")
        change.remove("never-was")


def _state(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _dies_at(step: int, root: Path, act: Callable[[], object]) -> bool:
    """Run `act` in a fork that is killed right before its file operation number `step`; whether it lived."""
    child = os.fork()
    if child == 0:
        left = step

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(root) in str(arguments[0]):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        code = 1
        try:
            sys.addaudithook(hook)
            act()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code == 0


posix = pytest.mark.skipif(os.name == "nt", reason="forks and POSIX signals")


@posix
def test_death_at_any_step_of_a_change(tmp_path: Path) -> None:
    ends = []
    for step in range(100):
        root = tmp_path / str(step)
        root.mkdir()
        _old(root)
        lived = _dies_at(step, root, lambda root=root: _change(root))  # type: ignore[misc]
        committed = recover(root, journal=JOURNAL, folders=FOLDERS)
        state = _state(root)
        assert state in (OLD, NEW), f"step {step}: {sorted(state)}"
        assert not recover(root, journal=JOURNAL, folders=FOLDERS)
        assert _state(root) == state
        ends.append((state == NEW, committed))
        if lived:
            break
    assert lived
    assert ends[0] == (False, False)
    assert ends[-1] == (True, False)
    assert (True, True) in ends
    assert sorted(new for new, _ in ends) == [new for new, _ in ends], "there is one moment of commitment"


@posix
def test_death_at_any_step_of_the_recovery(tmp_path: Path) -> None:
    journal_only = 0
    for step in range(100):
        root = tmp_path / str(step)
        root.mkdir()
        _old(root)
        at = next(n for n in range(100) if _committed_at(n, root))
        journal_only = max(journal_only, at)
        lived = _dies_at(step, root, lambda root=root: recover(root, journal=JOURNAL, folders=FOLDERS))  # type: ignore[misc]
        recover(root, journal=JOURNAL, folders=FOLDERS)
        assert _state(root) == NEW, f"step {step}"
        if lived:
            break
    assert lived
    assert step > 3


def _committed_at(step: int, root: Path) -> bool:
    """Whether a change that dies at `step` is committed; if not, the root is as before."""
    _dies_at(step, root, lambda: _change(root))
    if (root / JOURNAL).exists():
        return True
    recover(root, journal=JOURNAL, folders=FOLDERS)
    return False


def test_an_exception_in_the_block_changes_nothing(tmp_path: Path) -> None:
    _old(tmp_path)

    def fail() -> None:
        with Transaction(tmp_path, journal=JOURNAL) as change:
            change.write(".env", b"new")
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert _state(tmp_path) == OLD


def test_an_empty_change_leaves_no_journal(tmp_path: Path) -> None:
    with Transaction(tmp_path, journal=JOURNAL):
        pass
    assert _state(tmp_path) == {}


def test_a_full_or_read_only_disk_is_an_error_and_leaves_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _old(tmp_path)
    before = _state(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileProblemError, match=r"config.yaml: No space left on device"):
        write_atomic(tmp_path / "config.yaml", b"new")
    with pytest.raises(FileProblemError, match="No space left"):
        _change(tmp_path)
    assert _state(tmp_path) == before


def _committed(root: Path, old: dict[str, bytes] = OLD) -> None:
    """A change that was killed right behind its commit."""
    _old(root, old)
    child = os.fork()
    if child == 0:
        transaction._apply = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        _change(root)
        os._exit(1)
    os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed")
def test_what_a_killed_run_committed_outlives_other_writes_into_its_folders(tmp_path: Path) -> None:
    """The next command first takes a lock there, whose note is a write: it must not sweep away what the journal still names."""
    _committed(tmp_path)
    files.sweep_once.cache_clear()
    with locked(tmp_path / ".config.yaml.lock", "the next command"):
        write_atomic(tmp_path / "sub" / "other", b"x")
        assert recover(tmp_path, journal=JOURNAL, folders=FOLDERS)
    state = {name: data for name, data in _state(tmp_path).items() if not name.endswith((".lock", "sub/other"))}
    assert state == NEW


@posix
@pytest.mark.parametrize("name", ["config.yaml", "sub/deep/added"])
def test_a_committed_change_whose_new_content_is_gone_is_not_called_finished(tmp_path: Path, name: str) -> None:
    """As after `git clean`, which leaves the journal in its ignored folder."""
    _committed(tmp_path)
    (staged,) = (tmp_path / name).parent.glob(f".{Path(name).name}.*{STAGED_SUFFIX}")
    staged.unlink()
    before = _state(tmp_path)
    with pytest.raises(FileProblemError, match=f"cannot be finished: the new content of {name} is gone") as e:
        recover(tmp_path, journal=JOURNAL, folders=FOLDERS)
    assert str(tmp_path / JOURNAL) in e.value.hint
    assert _state(tmp_path) == before
    (tmp_path / JOURNAL).unlink()
    assert not recover(tmp_path, journal=JOURNAL, folders=FOLDERS)
    assert _state(tmp_path) == OLD


@posix
def test_a_file_that_was_renamed_and_grew_since_is_not_gone(tmp_path: Path) -> None:
    """As the event log, in which a command notes that the rest of its change failed."""
    _committed(tmp_path)
    (staged,) = tmp_path.glob(f".config.yaml.*{STAGED_SUFFIX}")
    staged.replace(tmp_path / "config.yaml")
    with (tmp_path / "config.yaml").open("ab") as file:
        file.write(b"and more")
    assert recover(tmp_path, journal=JOURNAL, folders=FOLDERS)
    assert _state(tmp_path) == NEW | {"config.yaml": NEW["config.yaml"] + b"and more"}


@posix
def test_a_file_that_is_written_as_it_was_is_not_gone(tmp_path: Path) -> None:
    _committed(tmp_path, NEW)
    (staged,) = tmp_path.glob(f".config.yaml.*{STAGED_SUFFIX}")
    staged.replace(tmp_path / "config.yaml")
    assert recover(tmp_path, journal=JOURNAL, folders=FOLDERS)
    assert _state(tmp_path) == NEW


@posix
def test_a_journal_that_does_not_say_what_was_before_is_finished(tmp_path: Path) -> None:
    _committed(tmp_path)
    steps = json.loads((tmp_path / JOURNAL).read_bytes())["steps"]
    (staged,) = tmp_path.glob(f".config.yaml.*{STAGED_SUFFIX}")
    staged.replace(tmp_path / "config.yaml")
    _journal(tmp_path, {"steps": [{name: step[name] for name in ("target", "staged")} for step in steps]})
    assert recover(tmp_path, journal=JOURNAL, folders=FOLDERS)
    assert _state(tmp_path) == NEW


def test_a_journal_that_cannot_be_taken_back_keeps_its_staged_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _old(tmp_path)
    unlink = Path.unlink

    def stays(path: Path, missing_ok: bool = False) -> None:
        if path == tmp_path / JOURNAL:
            raise OSError(errno.EIO, "Input/output error", str(path))
        unlink(path, missing_ok)

    def write(path: Path, data: bytes, **options: object) -> None:
        path.write_bytes(data)
        raise FileProblemError(f"cannot write {path}")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", stays)
        patched.setattr(transaction, "write_atomic", write)
        with pytest.raises(FileProblemError, match="cannot write"):
            _change(tmp_path)
    assert recover(tmp_path, journal=JOURNAL, folders=FOLDERS)
    assert _state(tmp_path) == NEW


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed")
def test_recovery_leaves_what_a_running_process_stages_in_the_same_folder(tmp_path: Path) -> None:
    staged = staged_file(tmp_path / "report.html", b"of this process", 0o600)
    child = os.fork()
    if child == 0:
        change = Transaction(tmp_path, journal=JOURNAL)
        change.write("config.yaml", b"never committed")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert not recover(tmp_path, journal=JOURNAL)
    assert [path.name for path in tmp_path.rglob(f"*{STAGED_SUFFIX}")] == [staged.name]


def _journal(root: Path, content: object) -> Path:
    path = root / JOURNAL
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


STAGED = f".x.123456{STAGED_SUFFIX}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        {"steps": 5},
        {"steps": ["x"]},
        {"steps": [{}]},
        {"steps": [{"target": "x"}]},
        {"steps": [{"target": "", "staged": None}]},
        {"steps": [{"target": ".", "staged": None}]},
        {"steps": [{"target": "../victim", "staged": None}]},
        {"steps": [{"target": "sub/../../victim", "staged": None}]},
        {"steps": [{"target": "/etc/passwd", "staged": None}]},
        {"steps": [{"target": "sub\\..\\victim", "staged": None}]},
        {"steps": [{"target": "C:victim", "staged": None}]},
        {"steps": [{"target": ".git/config", "staged": None}]},
        {"steps": [{"target": "sub/.GIT/config", "staged": None}]},
        {"steps": [{"target": "a\0b", "staged": None}]},
        {"steps": [{"target": 7, "staged": None}]},
        {"steps": [{"target": "ok", "staged": 7}]},
        {"steps": [{"target": "ok", "staged": f"../{STAGED}"}]},
        {"steps": [{"target": "ok", "staged": ".bashrc"}]},
        {"steps": [{"target": "ok", "staged": f"id_rsa{STAGED_SUFFIX}"}]},
        {"steps": [{"target": "link/victim", "staged": None}]},
        {"steps": [{"target": "link/victim", "staged": STAGED}]},
        {"steps": [{"target": "fine", "staged": None}, {"target": "../victim", "staged": None}]},
    ],
)
def test_a_hostile_journal_is_refused_and_nothing_is_touched(tmp_path: Path, content: object) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    for path in (tmp_path / "victim", outside / "victim", outside / STAGED, root / "fine", root / ".bashrc"):
        path.write_bytes(b"precious")
    (root / "link").symlink_to(outside, target_is_directory=True)
    _journal(root, content)
    before = _state(tmp_path)
    with pytest.raises(FileProblemError, match="not a valid journal") as e:
        recover(root, journal=JOURNAL, folders=("link",))
    assert e.value.hint
    assert _state(tmp_path) == before


def test_a_sweep_does_not_follow_a_link(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / STAGED).write_bytes(b"precious")
    (root / STAGED).write_bytes(b"stray")
    (root / "link").symlink_to(outside, target_is_directory=True)
    assert not recover(root, journal=JOURNAL, folders=("link",))
    assert (outside / STAGED).exists()
    assert not (root / STAGED).exists()


def test_a_target_that_cannot_be_written_is_named_and_can_be_resumed(tmp_path: Path) -> None:
    _old(tmp_path)
    (tmp_path / "config.yaml").unlink()
    (tmp_path / "config.yaml").mkdir()
    (tmp_path / "config.yaml" / "x").write_bytes(b"")
    with pytest.raises(FileProblemError, match=r"cannot write .*config.yaml") as e:
        _change(tmp_path)
    assert "continues from here" in e.value.hint
    (tmp_path / "config.yaml" / "x").unlink()
    (tmp_path / "config.yaml").rmdir()
    assert recover(tmp_path, journal=JOURNAL)
    assert _state(tmp_path) == NEW


@posix
def test_only_what_the_user_named_is_written_into_a_pipe_or_device(tmp_path: Path) -> None:
    """Elsewhere others put it there: a pipe would wait for a reader."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(os.devnull)
    for name in ("fifo", "link"):
        write_atomic(tmp_path / name, b"new")
        assert (tmp_path / name).read_bytes() == b"new"
        assert not (tmp_path / name).is_symlink()
    os.mkfifo(tmp_path / "named")
    reader = os.open(tmp_path / "named", os.O_RDONLY | os.O_NONBLOCK)
    write_chosen(tmp_path / "named", b"report")
    assert os.read(reader, 100) == b"report"
    os.close(reader)
    write_chosen(tmp_path / "file", b"report")
    assert (tmp_path / "file").read_bytes() == b"report"


@posix
def test_reading_refuses_what_is_no_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "big").write_bytes(b"x" * 11)
    (tmp_path / "link").symlink_to(tmp_path / "big")
    with pytest.raises(FileProblemError, match="not a regular file"):
        read_bounded(tmp_path / "fifo", 10)
    with pytest.raises(FileProblemError, match="not a regular file"):
        read_bounded(tmp_path, 10)
    with pytest.raises(FileProblemError, match="larger than 10 bytes"):
        read_bounded(tmp_path / "big", 10)
    assert read_bounded(tmp_path / "big", 11) == b"x" * 11
    with pytest.raises(FileProblemError):
        read_bounded(tmp_path / "link", 11, follow=False)
    assert read_optional(tmp_path / "none", 10) is None
    assert read_optional(tmp_path / "big" / "below", 10) is None


@posix
def test_a_written_file_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        write_atomic(tmp_path / "a", b"", mode=0o644)
        os.umask(0)
        write_atomic(tmp_path / "b", b"", mode=0o600)
    finally:
        os.umask(mask)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "ab"] == [0o644, 0o600]


@posix
def test_a_lock_names_its_holder_and_ends_with_its_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(lock, "testing"):
            os.write(told, b"x")
            signal.pause()
    os.read(ready, 1)
    try:
        with pytest.raises(LockedError, match=rf"\(pid {child}, testing, for \d s\)"), locked(lock, "more", wait_s=0.1):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with locked(lock, "more", wait_s=0.1):
        assert json.loads((tmp_path / "lock.holder").read_bytes())["doing"] == "more"
    assert not (tmp_path / "lock.holder").exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc")
def test_a_file_that_does_not_know_its_size_is_read_whole() -> None:
    assert Path("/proc/self/status").stat().st_size == 0
    assert b"VmRSS" in read_bounded(Path("/proc/self/status"), 1 << 20)
    with pytest.raises(FileProblemError, match="larger than"):
        read_bounded(Path("/proc/self/status"), 100)


def test_a_pipe_in_place_of_the_holders_note_hangs_no_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock.holder")
    with locked(tmp_path / "lock", "install"):
        assert "install" in (tmp_path / "lock.holder").read_text()
    assert not (tmp_path / "lock.holder").exists()
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "lock.holder").symlink_to(tmp_path / "elsewhere")
    with locked(tmp_path / "lock", "install"):
        pass
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_a_holders_note_that_cannot_be_removed_hides_no_error_and_keeps_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"

    def full(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def renders(patched: pytest.MonkeyPatch) -> None:
        with locked(lock, "render"):
            patched.setattr(Path, "unlink", full)
            raise FileProblemError("cannot write the bundle")

    with monkeypatch.context() as patched, pytest.raises(FileProblemError, match="cannot write the bundle"):
        renders(patched)
    with locked(lock, "the next command", wait_s=0.1):
        pass


@posix
@pytest.mark.parametrize(
    "note",
    [b"[" * 4000, b'{"who": 1, "host": 1, "pid": 1, "doing": 1, "since": -1e999}', b"", b"[]", b"\xff", b"x" * 5000],
)
def test_whatever_a_holders_note_says_the_lock_is_said_to_be_held(tmp_path: Path, note: bytes) -> None:
    lock = tmp_path / "lock"
    with locked(lock, "testing"):
        (tmp_path / "lock.holder").write_bytes(note)
        waiting = os.fork()
        if waiting == 0:
            try:
                with locked(lock, "more", wait_s=0.1):
                    os._exit(1)
            except LockedError as e:
                os._exit(0 if "another process" in e.message else 2)
            finally:
                os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(waiting, 0)[1]) == 0
