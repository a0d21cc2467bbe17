"""Read and write files safely: nothing is lost, and no link leads outside.

Every write goes to a temporary file in the target's directory, which is flushed and then renamed. Files that must change
together go through a `Transaction`: all are staged, then one journal is renamed into place (the commit), then each file is
renamed. After a crash, `recover` finishes a committed change and removes an uncommitted one. Journals hold only relative
names and no secrets, and recovery never leaves its folder: a journal in a user's home must not control a process that runs as
root.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import hashlib
import json
import os
import re
import secrets
import socket
import stat
import sys
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from provision.errors import ProvisionError
from provision.windows_acl import keep_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAMED_PIPE = "a named pipe"
"""What the message of `read_bounded` calls a FIFO, such as the `.env` that a password manager provides."""
STAGED_SUFFIX = ".provision-new"
"""The suffix of staged files, so that a cleanup after a crash removes only our own."""
_REFUSING = {"win32", "cygwin"}
"""Systems that rename no file onto one that another process has open."""
_STAGED = re.compile(r"\.([0-9a-f]{8})-([0-9a-f]{1,8})-[0-9a-f]{12}\.provision-new$")


class FileProblemError(ProvisionError):
    """A file cannot be read or written. The message has its name and the system's reason."""


class LockedError(ProvisionError):
    """Another process holds the lock. The message says who, where and for how long."""


def read_bounded(path: Path, limit_bytes: int, *, follow: bool = True) -> bytes:
    """Read a regular file of at most `limit_bytes`. FIFOs, devices and larger files are refused.

    Raises FileNotFoundError if it is missing, FileProblemError for everything else.
    """
    with open_regular(path, follow=follow) as file:
        try:
            expected = min(os.fstat(file.fileno()).st_size, limit_bytes) + 1  # read() allocates what it is asked for
            data = file.read(expected) or b""  # None where nothing is there yet (/proc/kmsg)
            if len(data) == expected <= limit_bytes:  # the file grew, or has no known size (/proc)
                data += file.read(limit_bytes + 1 - len(data)) or b""
        except OSError as e:
            raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
    if len(data) > limit_bytes:
        raise FileProblemError(f"{path} is larger than {limit_bytes} bytes", hint="check that it is the right file")
    return data


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading; never waits for a FIFO. Raises as `read_bounded`."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise FileNotFoundError(e.errno, e.strerror, str(path)) from e
    except OSError as e:
        raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):  # before fdopen, which raises its own error for folders
        os.close(descriptor)
        kind = f", but {NAMED_PIPE}" if stat.S_ISFIFO(mode) else ""
        raise FileProblemError(f"{path} is not a regular file{kind}")
    return os.fdopen(descriptor, "rb")


def read_optional(path: Path, limit_bytes: int) -> bytes | None:
    """Like `read_bounded`, but None if the file is missing."""
    try:
        return read_bounded(path, limit_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace the content of `path` atomically. `durable` also survives a power cut, for about 0.5 ms per file.

    An existing target that is not a regular file, such as /dev/null, is written directly: a rename would replace it.
    """
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(data)
        except OSError as e:
            raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e
        return
    staged = staged_file(path, data, mode, durable=durable)
    try:
        replace_file(staged, path)
    except OSError as e:
        staged.unlink(missing_ok=True)
        raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e
    if durable:
        sync_directory(path.parent)


def replace_file(staged: Path, target: Path) -> None:
    """Rename onto a file, as `Path.replace`. On Windows a scanner or a reader that has it open is waited for, up to 2.5 s."""
    waits = (0.05, 0.1, 0.2, 0.4, 0.75, 1.0) if sys.platform in _REFUSING else ()
    for wait in waits:
        with contextlib.suppress(PermissionError):
            staged.replace(target)
            return
        time.sleep(wait)
    staged.replace(target)


def sync_directory(path: Path) -> None:
    """Flush a directory's entries to disk. A no-op on Windows. Raises FileProblemError."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as e:
        raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e


def staged_path(target: Path) -> Path:
    """A name for the next content of `target`, in the same folder.

    A run that is killed leaves such a file. The next process that writes into the folder removes it: the name says which process
    of which system made it, and that it is not running any more.
    """
    sweep_once(target.parent)
    return target.with_name(f".{target.name}.{_system()}-{os.getpid():x}-{secrets.token_hex(6)}{STAGED_SUFFIX}")


def _system() -> str:
    """A short name of what process ids are unique in: this host, and on Linux the namespace."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]


@functools.cache
def sweep_once(folder: Path) -> None:
    """Remove what killed runs of this system left in a folder; looks once per process, since a folder can be large."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_abandoned(entry.name):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108  scandir yields strings


def is_abandoned(name: str) -> bool:
    """Whether a process of this system staged the file, and does not run any more."""
    made = _STAGED.search(name) if name.endswith(STAGED_SUFFIX) else None
    return bool(made and made[1] == _system() and not is_running(int(made[2], 16)))


def is_running(process: int) -> bool:
    """Whether a process of this system runs; on Windows always true."""
    if os.name == "nt":
        return True  # asking with a signal would end it there: such files stay
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def staged_file(path: Path, data: bytes, mode: int, *, durable: bool = True, in_journal: bool = False) -> Path:
    """Write a new file beside `path`, for the caller to rename; one for a journal is not swept. Raises FileProblemError."""
    for_journal = path.with_name(f".{path.name}.change-{secrets.token_hex(8)}{STAGED_SUFFIX}")
    staged = for_journal if in_journal else staged_path(path)  # the next write into the folder sweeps only the latter
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(staged, flags, mode & 0o600 or 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if os.name != "nt":
                os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        keep_private(staged, mode)
    except OSError as e:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)
        raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e
    return staged


class Transaction:
    """Change several files below `root` together. A context manager; leaving it without an exception commits."""

    def __init__(self, root: Path, *, journal: str, durable: bool = True) -> None:
        self._root = root
        self._journal = root / journal
        self._durable = durable
        self._steps: list[dict[str, str | None]] = []

    def __enter__(self) -> Transaction:
        return self

    def write(self, name: str, data: bytes, *, mode: int = 0o600) -> None:
        """Stage new content for `name`, relative to the root, as a POSIX path."""
        target = self._root / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = staged_file(target, data, mode, durable=self._durable, in_journal=True)
        self._steps.append({"target": name, "staged": staged.name})

    def remove(self, name: str) -> None:
        """Stage the removal of `name`. The file may be missing."""
        self._steps.append({"target": name, "staged": None})

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            self._sweep()
            return
        if not self._steps:
            return
        try:
            self._journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in {(self._root / str(step["target"])).parent for step in self._steps}:
                if self._durable and folder.is_dir():
                    sync_directory(folder)
            write_atomic(self._journal, json.dumps({"steps": self._steps}).encode(), durable=self._durable)
        except BaseException:
            with contextlib.suppress(OSError):
                self._journal.unlink(missing_ok=True)  # it may be in place, with its folder not flushed
            self._sweep()
            raise
        _apply(self._root, self._journal, self._steps, durable=self._durable)

    def _sweep(self) -> None:
        for step in self._steps:
            if step["staged"]:
                with contextlib.suppress(OSError):
                    (self._root / str(step["target"])).with_name(step["staged"]).unlink(missing_ok=True)


def recover(root: Path, *, journal: str, folders: Iterable[str] = ()) -> bool:
    """Finish a committed transaction after a crash, and remove the staged files of an uncommitted one.

    The caller holds the transaction's lock. Staged files are searched in the root, in the journal's folder and in `folders`,
    relative to the root. Returns whether a committed change was finished. An invalid journal, or one that leads through a
    symbolic link, is refused.
    """
    path = root / journal
    data = read_optional(path, 64 << 20)
    steps = _journal_steps(path, root, data) if data is not None else []
    if steps:
        _apply(root, path, steps, durable=True)
    for folder in {root, path.parent, *(root / name for name in folders)}:
        if folder.is_dir() and not _through_link(root, folder / "any"):
            for stray in folder.glob(f".*{STAGED_SUFFIX}"):
                with contextlib.suppress(OSError):  # what a running process stages stays
                    if is_abandoned(stray.name) or not _STAGED.search(stray.name):
                        stray.unlink()
    return bool(steps)


def _journal_steps(path: Path, root: Path, data: bytes) -> list[dict[str, str | None]]:
    try:
        steps = json.loads(data)["steps"]
        for step in steps:
            if not (_safe_target(step["target"]) and _safe_staged(step["staged"])):
                raise ValueError(step)
            if _through_link(root, root / step["target"]):
                raise ValueError(step)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise FileProblemError(
            f"{path} is not a valid journal, or leads outside its folder",
            hint="inspect it; if it is not needed, remove it and run the same command again",
        ) from e
    return list(steps)


def _safe_target(name: str) -> bool:
    bad = {"..", ".git"} & set(name.lower().split("/")) or set(name) & set("\\:\0")  # git can bring a journal
    return bool(PurePosixPath(name).name) and name[0] != "/" and not bad


def _safe_staged(name: str | None) -> bool:
    return name is None or (name.startswith(".") and name.endswith(STAGED_SUFFIX) and not set(name) & set("/\\:\0"))


def _through_link(root: Path, path: Path) -> bool:
    """Whether a folder between `root` and `path` is a symbolic link, which could lead anywhere."""
    folder = path.parent
    while folder != root and folder.is_relative_to(root):
        if folder.is_symlink():
            return True
        folder = folder.parent
    return False


def _apply(root: Path, journal: Path, steps: list[dict[str, str | None]], *, durable: bool) -> None:
    folders = set()
    for step in steps:
        target = root / str(step["target"])
        folders.add(target.parent)
        try:
            if step["staged"] is None:
                target.unlink(missing_ok=True)
            else:
                staged = target.with_name(step["staged"])
                if staged.exists():  # missing if a crash happened after this rename
                    replace_file(staged, target)
        except OSError as e:
            raise FileProblemError(
                f"cannot write {target}: {e.strerror or e}",
                hint="fix that and run the same command again; it continues from here",
            ) from e
    try:
        if durable:
            for folder in folders:
                if folder.is_dir():
                    sync_directory(folder)
        journal.unlink(missing_ok=True)
        if durable:
            sync_directory(journal.parent)
    except OSError as e:
        raise FileProblemError(
            f"the change is made, but cannot be flushed to the disk: {e.strerror or e}",
            hint="check the disk, then run the same command again",
        ) from e


@contextlib.contextmanager
def locked(path: Path, doing: str, *, wait_s: float = 10.0) -> Iterator[None]:
    """Hold the lock file `path`. A note beside it says who holds it, where and since when.

    The lock belongs to the process: the system releases it when the process dies, so a leftover file is harmless. Raises
    LockedError after `wait_s` seconds.
    """
    import filelock  # noqa: PLC0415  imports asyncio; only commands that write pay for it

    note = path.with_name(path.name + ".holder")
    if path.is_symlink():  # older releases of filelock would truncate what it leads to
        raise FileProblemError(f"cannot lock {path}: it is a link", hint="see who made it, then remove it")
    lock = filelock.FileLock(path, timeout=wait_s)
    try:
        lock.acquire()
    except filelock.Timeout as e:
        raise LockedError(
            f"{path} is locked by {_holder(note)}", hint="wait until it ends, then run the same command again"
        ) from e
    except OSError as e:
        raise FileProblemError(f"cannot lock {path}: {e.strerror or e}") from e
    try:
        for stray in path.parent.glob(f".{note.name}.*{STAGED_SUFFIX}"):  # of a holder that was killed
            stray.unlink(missing_ok=True)
        if note.is_symlink() or (note.exists() and not note.is_file()):  # writing into a pipe would wait for a reader
            note.unlink()
        me, here = _user(), socket.gethostname()
        holder = {"who": me, "host": here, "pid": os.getpid(), "doing": doing, "since": time.time()}
        write_atomic(note, json.dumps(holder).encode(), mode=0o644, durable=False)
        yield
    finally:
        with contextlib.suppress(OSError):  # it would hide what went wrong; without its lock the note says nothing
            note.unlink(missing_ok=True)
        lock.release()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "an unknown user"


def _holder(note: Path) -> str:
    try:
        holder = json.loads(read_bounded(note, 4096))
        age_s = max(0, int(time.time() - float(holder["since"])))
        return f"{holder['who']}@{holder['host']} (pid {holder['pid']}, {holder['doing']}, for {age_s} s)"
    except (FileNotFoundError, FileProblemError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "another process"
