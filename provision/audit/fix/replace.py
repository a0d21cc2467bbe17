"""Replace a file only if it is still what the fix was made from, while other programs may write to it.

On Linux a read lease shows whether any program has the file open for writing, and makes one that opens it meanwhile wait. The old
and the new file change places in one step, so that a writer who came in between gets the old file back, with all its lines. The
old file stays open until the end of the plan: a program that looked up its name before may write to it after. Where the file
system has no leases, and on other systems, the content is compared right before the rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.bundle.dist import system_exchange
from provision.endpoint.privileges import as_owner
from provision.errors import ProvisionError
from provision.files import FileProblemError, open_regular, replace_file, staged_file, sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_WAIT_S, _PAUSE_S = 2.0, 0.005
_WATCH_S = 1.0
"""How long an old file stays open at least: on a loaded machine, a program opens a file long after it looked up the name."""
_MOST_OPEN = 200


class FileInUseError(ProvisionError):
    """The file was changed, or is being written, by another program. It was not changed by this one."""


class LateWriters:
    """The old files of a plan, held open so that what a program still writes to one of them can be appended to the new one."""

    def __init__(self) -> None:
        self._replaced: deque[_Replaced] = deque()
        self._in_use: list[tuple[Path, FileInUseError]] = []

    def __enter__(self) -> LateWriters:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._replaced:
            each.file.close()
        self._replaced.clear()

    def hold(self, path: Path, file: BinaryIO, size_bytes: int) -> None:
        """Keep `file` open, which was replaced by the one at `path` and had `size_bytes` then."""
        self._replaced.append(_Replaced(path, file, size_bytes, time.monotonic() + _WATCH_S))

    def make_room(self) -> None:
        """Let go of the oldest file when many are open. With the process's own rights: not inside `as_owner`."""
        if len(self._replaced) > _MOST_OPEN:
            self._finish(self._replaced.popleft())

    def finish(self) -> list[tuple[Path, FileInUseError]]:
        """Wait until every old file was held long enough; returns the files of which a program still has the old state open."""
        while self._replaced:
            self._finish(self._replaced.popleft())
        return self._in_use

    def _finish(self, replaced: _Replaced) -> None:
        time.sleep(max(0.0, replaced.until - time.monotonic()))
        path = replaced.path
        try:
            with replaced.file as file, as_owner(path), _leased(path, file):
                _append_late(path, file, replaced.size_bytes)
        except (ProvisionError, OSError):
            self._in_use.append((path, _replaced_in_use(path)))


@dataclass(frozen=True, slots=True)
class _Replaced:
    path: Path
    file: BinaryIO
    size_bytes: int
    until: float
    """In seconds of the monotonic clock."""


def replace_unchanged(path: Path, was: bytes | None, data: bytes, mode: int, late: LateWriters) -> None:
    """Replace the content of `path` if it still equals `was` (None: the file must not exist) and no other program writes to it.

    Raises FileInUseError and FileProblemError; the file is then as the other program left it.
    """
    with _staged(path, data, mode) as staged:
        if was is None:
            _create(path, staged)
        else:
            with contextlib.ExitStack() as opened:
                file = opened.enter_context(_opened(path))
                with _leased(path, file) as lease:
                    _require_same(path, file, was)
                    size_bytes = _exchange(path, staged, file, was, lease)
                if size_bytes is not None:
                    opened.pop_all()
                    late.hold(path, file, size_bytes)
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


def _exchange(path: Path, staged: Path, file: BinaryIO, was: bytes, lease: _Lease) -> int | None:
    """Put `staged` in place; returns the size of the old file in bytes, or None if it could not stay open."""
    exchange = system_exchange()
    if exchange is None:
        file.close()  # Windows replaces no open file
        replace_file(staged, path)
        return None
    exchange(str(staged), str(path))
    if not (_same_file(staged, file) and _content(file) == was and lease.is_held()):
        exchange(str(staged), str(path))
        raise _changed(path)
    staged.unlink()
    return len(was) + lease.carry_over(path, file, len(was))


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


def _replaced_in_use(path: Path) -> FileInUseError:
    return FileInUseError(
        f"{path.name} was replaced while another program had it open",
        hint="stop Hermes, then compare the file with the backup",
    )


class _Lease:
    """A read lease on an open file; without support for leases it is always held and nothing is carried over."""

    def __init__(self, take: Callable[[], bool], is_held: Callable[[], bool], release: Callable[[], None]) -> None:
        self._take, self.is_held, self.release = take, is_held, release

    def carry_over(self, path: Path, file: BinaryIO, size_bytes: int) -> int:
        """Append to `path` what a program wrote that opened the old file at the very moment of the exchange.

        Returns how many bytes that are. It fails with no error, because the file is replaced: LateWriters sees to the rest.
        """
        self.release()
        until = time.monotonic() + _WAIT_S
        while not self._take() and time.monotonic() < until:
            time.sleep(_PAUSE_S)
        try:
            return _append_late(path, file, size_bytes)
        except OSError:
            return 0


def _append_late(path: Path, file: BinaryIO, size_bytes: int) -> int:
    """Append to `path` what the old file behind `file` has beyond `size_bytes`; returns how many bytes that are."""
    late = _content(file)[size_bytes:]
    if late:
        with path.open("ab") as new:
            new.write(late)
    return len(late)


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
