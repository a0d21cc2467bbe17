"""Read and write files safely: nothing is lost, and no link leads outside.

Every write goes to a temporary file in the target's directory, which is flushed and then renamed. Files that must change
together go through a `transaction.Transaction`.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import hashlib
import json
import os
import re
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from provision.errors import ProvisionError
from provision.windows_acl import keep_private

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED_PIPE = "a named pipe"
"""What the message of `read_bounded` calls a FIFO, such as the `.env` that a password manager provides."""
STAGED_SUFFIX = ".provision-new"
"""The suffix of staged files, so that a cleanup after a crash removes only our own."""
_REFUSING = {"win32", "cygwin"}
"""Systems that rename no file onto one that another process has open."""
STAGED_BY_PROCESS = re.compile(r"\.([0-9a-f]{8})-([0-9a-f]{1,8})-[0-9a-f]{12}\.provision-new$")
"""Names that `staged_path` makes; what is staged for a journal has others."""


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


def write_chosen(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file that the user named: as `write_atomic`, but into an existing device or pipe, such as /dev/null."""
    if not path.exists() or path.is_file():
        write_atomic(path, data, mode=mode)
        return
    try:
        path.write_bytes(data)
    except OSError as e:
        raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace the content of `path` atomically. `durable` also survives a power cut, for about 0.5 ms per file.

    A link, pipe or device that is there is replaced and not opened: others may have put it there.
    """
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
    return target.with_name(f".{target.name}.{_system()}-{os.getpid():x}-{os.urandom(6).hex()}{STAGED_SUFFIX}")


def _system() -> str:
    """A short name of what process ids are unique in: this host, and on Linux the namespace."""
    import socket  # noqa: PLC0415  only what writes needs it

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
    made = STAGED_BY_PROCESS.search(name) if name.endswith(STAGED_SUFFIX) else None
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
    for_journal = path.with_name(f".{path.name}.change-{os.urandom(8).hex()}{STAGED_SUFFIX}")
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
        import socket  # noqa: PLC0415  as above

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
