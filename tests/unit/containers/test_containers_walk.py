"""Archives in archives: names, budgets, what is reported."""

from __future__ import annotations

import gzip
import io
import sqlite3
import tarfile
import zipfile
import zlib
from contextlib import closing

import pytest

from provision.containers.blob import Blob, PartKind, ReadLimits, Unreadable
from provision.containers.container_format import container_format
from provision.containers.walk import walk


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def unpacked(
    data: bytes, limits: ReadLimits | None = None
) -> tuple[dict[str | None, bytes], list[tuple[str | None, str]]]:
    """Contents by name, and what was not read."""
    contents, unread = {}, []
    file = io.BytesIO(data)
    blob, kind = Blob("/a", [data], "a"), container_format(data[:512])
    for item in walk(blob, limits or ReadLimits(), size=len(data), kind=kind, file=file):
        if isinstance(item, Blob) and item.part in (PartKind.BODY, PartKind.CELL):
            contents[item.where] = item.data if isinstance(item.data, bytes) else b"".join(item.data)
        elif isinstance(item, Unreadable):
            unread.append((item.where, item.reason))
    return contents, unread


def test_every_level_is_part_of_the_name() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (v)")
        db.execute("INSERT INTO t VALUES ('cell')")
        db.commit()
        base = db.serialize()
    data = zipped(log=b"text", inner=gzip.compress(tar(deep=b"deeper", db=base)))
    contents, unread = unpacked(data)
    assert unread == []
    assert contents["a!log"] == b"text"
    assert contents["a!inner!deep"] == b"deeper"
    assert b"cell" in contents["a!inner!db"]


def test_budgets_stop_bombs_and_keep_what_came_before() -> None:
    limits = ReadLimits(expanded_bytes=1000, expanded_ratio=1, members=3, nesting=2)
    contents, unread = unpacked(gzip.compress(tar(a=b"first", b=bytes(100_000))), limits)
    assert contents == {}
    assert "bomb" in unread[-1][1]
    contents, unread = unpacked(zipped(a=b"1", b=b"2", c=b"3", d=b"4"), limits)
    assert list(contents) == ["a!a", "a!b", "a!c"]
    assert unread == [("a!c", "it has too many members; the rest was not read")]
    contents, unread = unpacked(zipped(a=zipped(b=zipped(c=b"x"))), limits)
    assert contents == {}
    assert unread == [("a!a!b", "archives nested more than 2 deep: not opened")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zipped(x=b"7z\xbc\xaf\x27\x1c rest"), "damaged 7z: Bad7zFile"),
        (gzip.compress(b"text" * 100, mtime=0)[:-12], "damaged: it ends too early; the rest was not read"),
        (tar(x=b"y" * 1000)[:900], "damaged: it ends too early; the rest was not read"),
        (b"PK\3\4" + b"no zip at all", "damaged zip: its content does not match its header; read as raw bytes"),
    ],
)
def test_what_cannot_be_read_is_reported(data: bytes, reason: str) -> None:
    assert reason in [why for _, why in unpacked(data)[1]]


def test_loose_objects_of_a_repository_in_an_archive_are_read() -> None:
    objects = {f"r/.git/objects/ab/{'c' * 38}": zlib.compress(b"blob 4\0text")}
    contents, unread = unpacked(tar(**objects))
    assert list(contents.values()) == [b"blob 4\0text"]
    assert unread == []
