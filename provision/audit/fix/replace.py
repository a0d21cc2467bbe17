"""Replace a file only if it is still what the fix was made from, while other programs may write to it.

On Linux a read lease shows whether any program has the file open for writing, and makes one that opens it meanwhile wait. The old
and the new file change places in one step, so that a writer who came in between gets the old file back, with all its lines. Where
the file system has no leases, and on other systems, the content is compared right before the rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from provision.bundle.dist import system_exchange
from provision.errors import ProvisionError
from provision.files import FileProblemError, open_regular, replace_file, staged_file, sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_WAIT_S, _PAUSE_S = 2.0, 0.005
_GRACE_S = 0.05
"""How long the old file is held after the exchange: a program may have looked up its name just before, and open it only now."""


class FileInUseError(ProvisionError):
    """The file was changed, or is being written, by another program. It was not changed by this one."""


def replace_unchanged(path: Path, was: bytes | None, data: bytes, mode: int) -> None:
    """Replace the content of `path` if it still equals `was` (None: the file must not exist) and no other program writes to it.

    Raises FileInUseError and FileProblemError; the file is then as the other program left it.
    """
    with _staged(path, data, mode) as staged:
        if was is None:
            _create(path, staged)
        else:
            with _opened(path) as file, _leased(path, file) as lease:
                _require_same(path, file, was)
                _exchange(path, staged, file, was, lease)
        sync_directory(path.parent)


@contextlib.contextmanager
def _staged(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    staged = staged_file(path, data, mode)
    try:
        yield staged
    except OSError as e:
        raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e
    finally:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)


def _opened(path: Path) -> BinaryIO:
    try:
        return open_regular(path, follow=False)
    except FileNotFoundError:
        raise _changed(path) from None


def _create(path: Path, staged: Path) -> None:
    try:
        os.link(staged, path)
    except FileExistsError:
        raise _changed(path) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise _changed(path) from None
        replace_file(staged, path)


def _exchange(path: Path, staged: Path, file: BinaryIO, was: bytes, lease: _Lease) -> None:
    exchange = system_exchange()
    if exchange is None:
        file.close()  # Windows replaces no open file
        replace_file(staged, path)
        return
    exchange(str(staged), str(path))
    if _same_file(staged, file) and _content(file) == was and lease.is_held():
        staged.unlink()
        lease.carry_over(path, file, len(was))
    else:
        exchange(str(staged), str(path))
        raise _changed(path)


def _require_same(path: Path, file: BinaryIO, was: bytes) -> None:
    if not _same_file(path, file) or _content(file) != was:
        raise _changed(path)


def _same_file(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _changed(path: Path) -> FileInUseError:
    return FileInUseError(f"{path.name} was changed in the meantime", hint="run the command again")


class _Lease:
    """A read lease on an open file; without support for leases it is always held and nothing is carried over."""

    def __init__(self, take: Callable[[], bool], is_held: Callable[[], bool], release: Callable[[], None]) -> None:
        self._take, self.is_held, self.release = take, is_held, release

    def carry_over(self, path: Path, file: BinaryIO, size_bytes: int) -> None:
        """Append to `path` what a program wrote that had opened the old file at the very moment of the exchange."""
        time.sleep(_GRACE_S)
        self.release()
        until = time.monotonic() + _WAIT_S
        while not (free := self._take()) and time.monotonic() < until:
            time.sleep(_PAUSE_S)
        if late := _content(file)[size_bytes:]:
            with path.open("ab") as new:
                new.write(late)
        if not free:
            raise FileInUseError(
                f"{path.name} was replaced while another program had it open",
                hint="stop Hermes, then compare the file with the backup",
            )


@contextlib.contextmanager
def _leased(path: Path, file: BinaryIO) -> Iterator[_Lease]:
    """Hold a read lease. Raises FileInUseError if a program has the file open for writing."""
    if not sys.platform.startswith("linux"):
        yield _Lease(lambda: True, lambda: True, lambda: None)
        return
    import fcntl  # noqa: PLC0415  not on Windows

    descriptor = file.fileno()

    def take() -> bool:
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as e:
            return e.errno != errno.EAGAIN  # every other error: no leases here
        return True

    def is_held() -> bool:
        return supported is False or fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_RDLCK

    def release() -> None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # sent when a writer waits; SIGIO would end this process
    if not take():
        raise FileInUseError(f"another program is writing to {path.name}", hint="stop it, then run the command again")
    supported = fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_RDLCK
    try:
        yield _Lease(take, is_held, release)
    finally:
        release()
