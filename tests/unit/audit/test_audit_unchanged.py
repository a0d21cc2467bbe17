"""When inode and times of a file are believed."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.audit import unchanged
from provision.audit.clean_cache import CleanCache
from provision.audit.sources.walk import FoundFile
from provision.audit.unchanged import UnchangedFiles, has_no_writer, is_settled, open_cache, without_sigio
from provision.containers.blob import ReadLimits
from provision.detect.detector import Detector
from provision.detect.known import KnownKeys
from provision.detect.rules.builtin import BUILTIN
from provision.detect.rules.gitleaks import read_rules

SECOND = 10**9
FEW = BUILTIN[:3]
"""Rules: a detector with all of them takes a second to make."""
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="leases are Linux's")


def status(path: Path, **changed: int) -> os.stat_result:
    names = {"mode": 0, "uid": 4, "gid": 5}
    real = path.stat()
    values = list(real)
    for name, value in changed.items():
        values[names[name]] = value
    times = {name: getattr(real, name) for name in ("st_mtime_ns", "st_ctime_ns", "st_atime_ns")}
    return os.stat_result(values, times)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "f").write_bytes(b"x" * 8192)
    (tmp_path / "f").chmod(0o600)
    return tmp_path / "f"


@pytest.fixture
def quiet() -> Iterator[None]:
    with without_sigio():
        yield


def test_a_change_within_the_clocks_granularity_proves_nothing(file: Path) -> None:
    real = file.stat()
    assert not is_settled(real, real.st_ctime_ns)
    assert not is_settled(real, real.st_ctime_ns + SECOND)
    assert is_settled(real, real.st_ctime_ns + 3 * SECOND)
    assert not is_settled(real, real.st_ctime_ns - 3600 * SECOND), "the clock was set back"
    whole = os.stat_result(list(real), {"st_ctime_ns": 7 * SECOND})
    assert not is_settled(whole, 100 * SECOND), "a file system that counts seconds"


@linux
@pytest.mark.hostile
@pytest.mark.usefixtures("quiet")
def test_a_file_that_is_open_for_writing_or_mapped_has_a_writer(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    assert has_no_writer(descriptor)
    with file.open("r+b") as writer:
        assert not has_no_writer(descriptor)
        mapped = mmap.mmap(writer.fileno(), 4096)
    assert not has_no_writer(descriptor), "the mapping can still be written"
    mapped.close()
    assert has_no_writer(descriptor)
    os.close(descriptor)


@linux
def test_a_lease_is_only_taken_where_its_signal_is_ignored(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    assert signal.getsignal(signal.SIGIO) is not signal.SIG_IGN
    assert not has_no_writer(descriptor)
    with without_sigio():
        assert has_no_writer(descriptor)
    os.close(descriptor)
    assert signal.getsignal(signal.SIGIO) is not signal.SIG_IGN


@linux
@pytest.mark.hostile
def test_only_files_that_nobody_else_can_write_are_known_by_their_times(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "_timed_devices", lambda: frozenset({file.stat().st_dev}))
    cache = CleanCache(tmp_path / "none", b"k" * 32)
    files = UnchangedFiles(cache)
    for changed, expected in (
        ({}, True),
        ({"mode": 0o100644}, True),
        ({"mode": 0o100622}, False),
        ({"mode": 0o100602}, False),
        ({"mode": 0o100620, "gid": 12345678}, False),
        ({"uid": os.geteuid() + 1}, False),
    ):
        assert files._keeps_time(status(file, **changed)) is expected, changed
    monkeypatch.setattr(unchanged, "_timed_devices", frozenset)
    assert not UnchangedFiles(cache)._keeps_time(status(file))


@linux
@pytest.mark.parametrize(
    ("line", "trusted"),
    [
        ("27 1 7:0 / /mnt rw - ext4 /dev/loop0 rw", False),
        ("27 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw", True),
        ("27 1 8:1 / / rw - xfs /dev/sda1 rw", True),
        ("27 1 8:1 / /media/ada/x rw,nosuid,nodev - ext4 /dev/sdb1 rw,uhelper=udisks2", False),
        ("27 1 8:1 / /home rw,nosuid - ext4 /dev/sda2 rw", True),
        ("27 1 0:40 / /dev/shm rw - tmpfs tmpfs rw", False),
        ("27 1 0:41 / /net rw - nfs4 server:/ rw", False),
        ("27 1 0:42 / /fuse rw - fuse.sshfs ada@x: rw", False),
        ("27 1 0:43 / / rw - overlay overlay rw", False),
        ("27 1 8:1 / / rw - ext4 /dev/sda1 rw\n28 27 8:1 / /m rw,nosuid,nodev - ext4 /dev/sda1 rw", False),
        ("nonsense", False),
    ],
)
def test_file_systems_whose_times_are_believed(line: str, trusted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: line + "\n")
    assert bool(unchanged._timed_devices()) is trusted


@linux
def test_a_ctime_in_the_future_proves_nothing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "_timed_devices", lambda: frozenset({file.stat().st_dev}))
    before = CleanCache(tmp_path / "cache" / "clean", b"k" * 32)
    before.add([UnchangedFiles(before)._stamp(file.stat(), str(file), "file")])
    before.save()
    files = UnchangedFiles(CleanCache(tmp_path / "cache" / "clean", b"k" * 32))
    found = FoundFile(str(file), 8192, status=file.stat())
    assert files.holds(found)
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * SECOND)
    assert not files.holds(found)


def rules_of(allowed: str) -> Detector:
    text = f"[[rules]]\nid = 'mine'\nregex = 'x[0-9]+'\nkeywords = ['x']\n[rules.allowlist]\nregexes = ['{allowed}']\n"
    return Detector((*FEW, *read_rules(text.encode(), "f")[0]))


def test_whatever_changes_what_is_found_changes_the_key() -> None:
    known = KnownKeys(b"s" * 16, frozenset({("sk-aisa-", 51)}), {})
    detectors = [Detector(FEW), Detector(FEW, entropy=True), Detector(FEW, known=known), rules_of("x1"), rules_of("x2")]
    paths = [open_cache(d, ReadLimits(), full=False)._path for d in detectors]
    paths += [open_cache(Detector(FEW), ReadLimits(members=5), full=False)._path]
    assert len(set(paths)) == len(paths)
    assert open_cache(Detector(FEW), ReadLimits(), full=True)._path == paths[0]
