"""Reading and writing files so that nothing is lost and nothing foreign is followed.

Every write is a temporary file in the target's own directory, flushed, then renamed. Several files that must change
together go through a `Transaction`: all are staged, then one journal is renamed into place (the moment of commitment),
then each is renamed; whoever comes next after a crash calls `recover`, which finishes a committed change and sweeps an
uncommitted one away. Journals hold relative names only and never secrets, and recovery never leaves its folder: a
journal in a user's home must not be able to steer a process that runs as root.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import secrets
import socket
import stat
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STAGED_SUFFIX = ".provision-new"
"""Ends the name of every staged file, so that a sweep after a crash can tell ours from anybody else's."""


class FileProblemError(ProvisionError):
    """A file cannot be read or written; the message names it and the reason the system gave."""


class LockedError(ProvisionError):
    """Somebody else is at work here; the message names who, where and since when."""


def read_bounded(path: Path, limit_bytes: int, *, follow: bool = True) -> bytes:
    """The bytes of a regular file of at most `limit_bytes`; FIFOs, devices and larger files are refused, not waited for.

    Raises FileNotFoundError when there is none, FileProblemError for everything else.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise FileNotFoundError(e.errno, e.strerror, str(path)) from e
    except OSError as e:
        raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):  # before fdopen, which has an error of its own for folders
        os.close(descriptor)
        raise FileProblemError(f"{path} is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        try:
            expected = min(status.st_size, limit_bytes) + 1  # read() takes memory for all that it is asked for
            data = file.read(expected)
            if len(data) == expected <= limit_bytes:  # it grew, or is of a kind that does not know its size (/proc)
                data += file.read(limit_bytes + 1 - len(data))
        except OSError as e:
            raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
    if len(data) > limit_bytes:
        raise FileProblemError(f"{path} is larger than {limit_bytes} bytes", hint="this cannot be what it is taken for")
    return data


def read_optional(path: Path, limit_bytes: int) -> bytes | None:
    """`read_bounded`, or None when there is no such file."""
    try:
        return read_bounded(path, limit_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace `path` by `data` in one step; `durable` also survives a power cut, at about half a millisecond a file.

    What is there already and is no file, such as /dev/null, is written into: renaming would put a file in its place.
    """
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(data)
        except OSError as e:
            raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e
        return
    staged = _stage(path, data, mode, durable=durable)
    try:
        staged.replace(path)
    except OSError as e:
        staged.unlink(missing_ok=True)
        raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Flush a directory's entries to disk; a no-op where the system has no such thing (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stage(path: Path, data: bytes, mode: int, *, durable: bool) -> Path:
    staged = path.with_name(f".{path.name}.{secrets.token_hex(6)}{STAGED_SUFFIX}")
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
    except OSError as e:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)
        raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e
    return staged


class Transaction:
    """Files below `root` that change together. Use as a context manager; leaving it normally commits.

    >>> with Transaction(root, journal=".provision/transaction.json") as change:
    ...     change.write(".env", data, mode=0o600)
    ...     change.write("config.yaml", config, mode=0o600)   # renamed in this order
    """

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
        staged = _stage(target, data, mode, durable=self._durable)
        self._steps.append({"target": name, "staged": staged.name})

    def remove(self, name: str) -> None:
        """Stage the removal of `name`; absent is fine."""
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
            self._sweep()
            raise
        _apply(self._root, self._journal, self._steps, durable=self._durable)

    def _sweep(self) -> None:
        for step in self._steps:
            if step["staged"]:
                with contextlib.suppress(OSError):
                    (self._root / str(step["target"])).with_name(step["staged"]).unlink(missing_ok=True)


def recover(root: Path, *, journal: str, folders: Iterable[str] = ()) -> bool:
    """Finish a committed transaction that a crash cut short, and remove what an uncommitted one left behind.

    Call it under the lock that the transaction ran under. Staged files are looked for in the root, in the journal's
    folder, and in `folders`, relative to the root. Returns whether a committed change was finished. A journal that is
    not one of ours, or that leads through a symbolic link, is refused, never followed.
    """
    path = root / journal
    data = read_optional(path, 1 << 20)
    steps = _journal_steps(path, root, data) if data is not None else []
    finished = bool(steps)
    if finished:
        _apply(root, path, steps, durable=True)
    for folder in {root, path.parent, *(root / name for name in folders)}:
        if folder.is_dir() and not _through_link(root, folder / "any"):
            for stray in folder.glob(f".*{STAGED_SUFFIX}"):
                with contextlib.suppress(OSError):
                    stray.unlink()
    return finished


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
            f"{path} is not a journal of provision, or leads out of its folder",
            hint="look at it; if nothing explains it, remove it and run the same command again",
        ) from e
    return list(steps)


def _safe_target(name: str) -> bool:
    target = PurePosixPath(name)
    return bool(target.name) and not target.is_absolute() and ".." not in target.parts and not set(name) & set("\\:\0")


def _safe_staged(name: str | None) -> bool:
    return name is None or (name.startswith(".") and name.endswith(STAGED_SUFFIX) and not set(name) & set("/\\:\0"))


def _through_link(root: Path, path: Path) -> bool:
    """Whether a folder between `root` and `path` is a symbolic link: a user could point it anywhere."""
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
                if staged.exists():  # already renamed when a recovery runs after a crash between two renames
                    staged.replace(target)
        except OSError as e:
            raise FileProblemError(
                f"cannot write {target}: {e.strerror or e}",
                hint="mend that and run the same command again; it goes on from here",
            ) from e
    if durable:
        for folder in folders:
            if folder.is_dir():
                sync_directory(folder)
    journal.unlink(missing_ok=True)
    if durable:
        sync_directory(journal.parent)


@contextlib.contextmanager
def locked(path: Path, doing: str, *, wait_s: float = 10.0) -> Iterator[None]:
    """Hold the lock file `path` while doing something; the file says who holds it, where and since when.

    The lock itself belongs to the process (the system lets go of it when that dies), so a file that was left behind is
    harmless. Raises LockedError after `wait_s` seconds.
    """
    import filelock  # noqa: PLC0415  imports asyncio; only commands that write pay for it

    note = path.with_name(path.name + ".holder")
    lock = filelock.FileLock(path, timeout=wait_s)
    try:
        lock.acquire()
    except filelock.Timeout as e:
        raise LockedError(f"{path} is held by {_holder(note)}", hint="wait for it to end; nothing was changed") from e
    except OSError as e:
        raise FileProblemError(f"cannot lock {path}: {e.strerror or e}") from e
    try:
        for stray in path.parent.glob(f".{note.name}.*{STAGED_SUFFIX}"):  # of a holder that was killed while writing it
            stray.unlink(missing_ok=True)
        holder = {
            "who": _user(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "doing": doing,
            "since": time.time(),
        }
        write_atomic(note, json.dumps(holder).encode(), mode=0o644, durable=False)
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "an unknown user"


def _holder(note: Path) -> str:
    try:
        said = json.loads(read_bounded(note, 4096))
        age_s = max(0, int(time.time() - float(said["since"])))
        return f"{said['who']}@{said['host']} (pid {said['pid']}, {said['doing']}, for {age_s} s)"
    except (FileNotFoundError, FileProblemError, ValueError, KeyError, TypeError):
        return "another process"
