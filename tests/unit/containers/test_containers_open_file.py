"""Opening an untrusted file and reading it to its end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from provision.containers.blob import ReadLimits
from provision.containers.open_file import (
    CannotReadError,
    FileChunks,
    open_regular_file,
    read_at,
    read_beginning,
    special_file_kind,
)


def status_of(descriptor: int, **changed: int) -> os.stat_result:
    """The status of a file with another size or number of blocks."""

    class Status:
        st_size = changed.get("st_size", os.fstat(descriptor).st_size)
        st_blocks = changed.get("st_blocks", 1 << 40)

    return Status()  # type: ignore[return-value]


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "link").symlink_to("f")
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("link", "it has become a symbolic link"), ("pipe", "a named pipe"), (".", "a folder")):
        with pytest.raises(CannotReadError) as caught, open_regular_file(str(tmp_path / name)):
            pass
        assert (caught.value.reason, caught.value.failed) == (reason, False)
    with pytest.raises(CannotReadError) as caught, open_regular_file(str(tmp_path / "missing")):
        pass
    assert (caught.value.reason, caught.value.failed) == ("no such file or directory", True)
    with open_regular_file(str(tmp_path / "link"), follow=True) as (descriptor, status):
        assert (os.read(descriptor, 9), status.st_size) == (b"x", 1)
    assert read_beginning(str(tmp_path / "f")) == b"x"
    assert read_beginning(str(tmp_path / "link")) == b""


def test_a_read_elsewhere_does_not_move_the_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    with open_regular_file(str(tmp_path / "f")) as (descriptor, _):
        os.read(descriptor, 2)
        assert read_at(descriptor, 3, 5) == b"567"
        monkeypatch.delattr(os, "pread")  # as on Windows
        assert read_at(descriptor, 3, 6) == b"678"
        assert os.read(descriptor, 2) == b"23"


def test_a_file_that_grows_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(3 << 20))
    reasons: list[str] = []
    with open_regular_file(str(tmp_path / "f")) as (descriptor, _):
        chunks = FileChunks(
            descriptor, status_of(descriptor, st_size=10), ReadLimits(growth_bytes=1 << 20), reasons.append
        )
        assert sum(map(len, chunks)) == 2 << 20
    assert reasons == ["it grows faster than it is read: only the first 2 MiB were read"]


def test_a_file_without_a_size_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(b"content")
    with open_regular_file(str(tmp_path / "f")) as (descriptor, _):
        assert (
            b"".join(FileChunks(descriptor, status_of(descriptor, st_size=0), ReadLimits(), pytest.fail)) == b"content"
        )
    monkeypatch.setattr("provision.containers.open_file._SIZELESS_BYTES", 3)
    reasons: list[str] = []
    with open_regular_file(str(tmp_path / "f")) as (descriptor, _):
        list(FileChunks(descriptor, status_of(descriptor, st_size=0), ReadLimits(), reasons.append))
    assert reasons == ["it does not end: only the first 0 MiB were read"]


def test_offsets_behind_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with path.open("wb") as file:
        file.write(b"start")
        file.seek(8 << 20)
        file.write(b"end")
    with open_regular_file(str(path)) as (descriptor, status):
        chunks = FileChunks(descriptor, status, ReadLimits(), pytest.fail)
        data = b"".join(chunks)
        assert len(data) < 2 << 20 or not chunks.sparse  # some file systems keep no holes
        assert chunks.file_offset(data.index(b"start")) == 0
        assert chunks.file_offset(data.index(b"end")) == 8 << 20


def test_kinds_of_special_files() -> None:
    assert special_file_kind(stat.S_IFSOCK | 0o600) == "a socket"
    assert special_file_kind(stat.S_IFREG | 0o600) is None
    assert special_file_kind(stat.S_IFDIR | 0o700) is None
