"""Which files need not be scanned again: those that were scanned clean and cannot have changed since.

The owner of a file can set its times (`touch -d`), but not its ctime. Yet whoever may write a file can change it without a new
ctime: through a shared mapping that was written before, by a write that hangs while its pages arrive, on ext4 by an exchange of
blocks (EXT4_IOC_MOVE_EXT). A memory file system records no time for mappings at all, and a server, a FUSE program or a prepared
disk answers what it likes. So inode and times are believed only of files that no other user can write, on a local ext4 or XFS
file system, that no program has open for writing, and whose ctime is older than the clock's granularity. Every other file is
read, and is not scanned only when its content is known by digest. Windows has no ctime: there it is always the content.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from provision import __version__
from provision.audit.clean_cache import CleanCache, cache_path
from provision.programs import own_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.audit.sources.walk import FoundFile
    from provision.containers.blob import ReadLimits
    from provision.detect.detector import Detector

_LOCAL = frozenset({"ext4", "xfs"})
_LOOP_MAJOR = 7
_GRANULARITY_NS = 2 * 10**9
"""Clocks of file systems tick every 1 to 10 ms; FAT every 2 s."""
_ROOMS = ("audit", "containers", "detect", "formats")
_LIBRARIES = ("hyperscan", "re2", "brotli", "compression.zstd", "backports.zstd", "py7zr", "pypdfium2")
"""What recognises and reads content: with another one, the same file may show more."""


class UnchangedFiles:
    """Says which files were scanned clean before, and watches files that are scanned now. It pickles for worker processes."""

    def __init__(self, cache: CleanCache) -> None:
        self._cache = cache
        self._devices = _timed_devices()
        self._user = os.geteuid() if hasattr(os, "geteuid") else None

    def holds(self, file: FoundFile) -> bool:
        """Return whether a file that was listed is known by its inode and times."""
        return file.status is not None and self._holds(file.status, file.path, "file")

    def holds_object_file(self, status: os.stat_result, path: str) -> bool:
        """Return whether a file of a repository's objects is known: all in it was read, and its clean objects are known."""
        return self._holds(status, path, "object file")

    def git_object(self, name: bytes) -> tuple[bytes, bool]:
        """Return the token of an object's id, and whether its content was scanned clean before."""
        token = self._cache.token("object", name)
        return token, self._cache.use(token)

    def watch(self, path: str) -> FileWatch:
        """Return what decides about one file while it is read."""
        return FileWatch(self, path)

    def stamp(self, descriptor: int, status: os.stat_result, path: str, kind: str = "file") -> bytes | None:
        """Return the token of an open file's inode and times; None when these prove nothing. Call it before the file is read."""
        if not self._keeps_time(status) or not is_settled(status, time.time_ns()) or not has_no_writer(descriptor):
            return None
        return self._stamp(status, path, kind)

    def content(self, data: bytes, path: str) -> tuple[bytes, bool]:
        """Return the token of a file's content, and whether it was scanned clean before."""
        name = os.path.basename(path)  # noqa: PTH119  some formats are recognised by their name
        token = self._cache.token("content", name, len(data), hashlib.blake2b(data).digest())
        return token, self._cache.use(token)

    def _holds(self, status: os.stat_result, path: str, kind: str) -> bool:
        if self._cache.is_empty or not self._keeps_time(status) or status.st_ctime_ns > time.time_ns():
            return False
        return self._cache.use(self._stamp(status, path, kind))

    def _stamp(self, status: os.stat_result, path: str, kind: str) -> bytes:
        name = os.path.basename(path)  # noqa: PTH119  as above
        of = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return self._cache.token(kind, *of, name)

    def _keeps_time(self, status: os.stat_result) -> bool:
        if status.st_dev not in self._devices or status.st_uid != self._user or status.st_mode & 0o002:
            return False
        return not status.st_mode & 0o020 or _is_own_group(status.st_gid)


class FileWatch:
    """Watches one file while it is read. `token` is then what a clean one is remembered by; None: it is not remembered."""

    __slots__ = ("_files", "_path", "token", "was_known")

    def __init__(self, files: UnchangedFiles, path: str) -> None:
        self._files = files
        self._path = path
        self.token: bytes | None = None
        self.was_known = False

    def opened(self, descriptor: int, status: os.stat_result) -> None:
        """Note an open file, before anything of it is read."""
        self.token = self._files.stamp(descriptor, status, self._path)

    def is_known(self, data: bytes) -> bool:
        """Return whether the whole content was scanned clean before."""
        if self.token is None:
            self.token, self.was_known = self._files.content(data, self._path)
        return self.was_known

    def forget(self) -> None:
        """The result depends on more than this file."""
        self.token = None


def open_cache(detector: Detector, limits: ReadLimits, *, full: bool) -> CleanCache:
    """Open the cache for audits with these rules, keys and limits, by this program on this machine."""
    used = (detector.digest(), repr(limits), __version__, sys.version, sys.platform, own_code(*_ROOMS), _libraries())
    key = hashlib.sha256(repr(used).encode()).digest()
    return CleanCache(cache_path(key), key, full=full)


def _libraries() -> list[tuple[str, int]]:
    found = []
    for name in _LIBRARIES:
        with contextlib.suppress(ImportError, OSError, ValueError):
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.origin:
                found.append((spec.origin, Path(spec.origin).stat().st_mtime_ns))
    return found


def is_settled(status: os.stat_result, now_ns: int) -> bool:
    """Return whether any later change of a file gives it another ctime; whole seconds come from coarse file systems."""
    return status.st_ctime_ns < now_ns - _GRANULARITY_NS and status.st_ctime_ns % 10**9 != 0


def has_no_writer(descriptor: int) -> bool:
    """Return whether no program has a file open for writing, or mapped: only then the kernel gives a read lease (fcntl(2)).

    An opener in that very moment waits some microseconds and SIGIO is sent here: see `without_sigio`.
    """
    if not sys.platform.startswith("linux") or signal.getsignal(signal.SIGIO) is not signal.SIG_IGN:
        return False
    import fcntl  # noqa: PLC0415  Linux only

    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def without_sigio() -> Iterator[None]:
    """Ignore SIGIO, which would end this process, while leases are taken. A no-op outside the main thread and off Linux."""
    before = None
    with contextlib.suppress(ValueError):
        if sys.platform.startswith("linux"):
            before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(ValueError):  # a generator that another thread closes
                signal.signal(signal.SIGIO, before)


@functools.cache
def _is_own_group(group: int) -> bool:
    """Whether a group is the private group of this user (Debian, Fedora): of the same name, with no other member."""
    import grp  # noqa: PLC0415  POSIX only
    import pwd  # noqa: PLC0415

    try:
        user, named = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and named.gr_name == user.pw_name and set(named.gr_mem) <= {user.pw_name}


def _timed_devices() -> frozenset[int]:
    """Return the devices whose file systems set ctime themselves, and that no user brought: mounts by users (udisks, `user` in
    fstab) are `nosuid,nodev`."""
    found: dict[int, bool] = {}
    if not sys.platform.startswith("linux"):
        return frozenset()
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines():
            before, _, after = line.partition(" - ")
            words = before.split()
            major, _, minor = words[2].partition(":")
            local = after.split()[0] in _LOCAL and int(major) != _LOOP_MAJOR
            trusted = local and not {"nosuid", "nodev"} <= set(words[5].split(","))
            device = os.makedev(int(major), int(minor))
            found[device] = found.get(device, True) and trusted
    return frozenset(device for device, trusted in found.items() if trusted)
