"""A bundle as a tar: reproducible, complete, and nothing but its files."""

from __future__ import annotations

import io
import tarfile

from bundlecraft import Shop

from provision.bundle.tar import bundle_tar

FILES = {**Shop(users=("ada",)).bundle("ada"), "b.txt": b"b", "a.txt": b"a"}


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    assert bundle_tar(FILES) == bundle_tar(dict(reversed(FILES.items())))


def test_the_archive_holds_the_files_in_a_fixed_order_with_fixed_metadata() -> None:
    with tarfile.open(fileobj=io.BytesIO(bundle_tar(FILES)), mode="r:") as archive:
        members = archive.getmembers()
        assert {m.name: archive.extractfile(m).read() for m in members} == FILES  # type: ignore[union-attr]
    assert [m.name for m in members[-2:]] == ["a.txt", "b.txt"]
    assert {(m.mtime, m.uid, m.gid, m.mode, m.uname) for m in members} == {(0, 0, 0, 0o644, "")}


def test_it_ends_with_two_empty_blocks_and_no_more() -> None:
    data = bundle_tar({"config.yaml": b"x"})
    assert len(data) == 4 * 512
    assert data[-1024:] == bytes(1024)
