"""Readers over arbitrary bytes, and positions that do not depend on how a stream arrives."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sqlite3
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.audit.match_blob import _Text
from provision.containers.blob import Blob, ReadLimits
from provision.containers.chunk_stream import ChunkStream, DamagedError
from provision.containers.file_reader import read_file
from provision.containers.formats.registry import FORMATS
from provision.containers.formats.tar_format import tar_steps
from provision.containers.steps import FormatInput, Member
from provision.formats.key_paths import key_paths

LIMITS = ReadLimits(whole_bytes=4096, memory_bytes=1 << 20, expanded_bytes=1 << 20, members=50, nesting=4)


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def samples() -> dict[str, bytes]:
    """One small container of each kind."""
    text = b"line one\nkey: value\n" * 20 + os.urandom(200)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name in ("a", "b" * 200):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a/b", text)
        out.writestr("t.tar", tar.getvalue())
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA page_size = 512")
    connection.execute("CREATE TABLE t (a TEXT, b)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [("x" * 50 * i, text) for i in range(12)])
    connection.execute("DELETE FROM t WHERE rowid % 3 = 0")
    connection.commit()
    base = connection.serialize()
    connection.close()
    return {
        "tar": tar.getvalue(), "zip": zipped.getvalue(), "gz": gzip.compress(tar.getvalue()), "bz2": bz2.compress(text),
        "xz": lzma.compress(text), "sqlite": base, "wal": base[:18] + b"\2\2" + base[20:],
    }  # fmt: skip


SAMPLES = samples()


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_stops_or_fools_a_reader(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(SAMPLES[kind])
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(damaged)
        total = 0
        for item in read_file(str(path), LIMITS):
            if isinstance(item, Blob):
                total += len(item.data) if isinstance(item.data, bytes) else sum(map(len, item.data))
    assert total <= 40 * (1 << 20)


@given(text=st.binary(max_size=3000), sizes=st.lists(st.integers(0, 700), max_size=12), data=st.data())
def test_lines_and_columns_do_not_depend_on_chunks(text: bytes, sizes: list[int], data: st.DataObject) -> None:
    text = text.replace(b"\x00", b"\n")
    seen = _Text()
    for _ in seen.reading(pieces(text, sizes)):
        pass
    for offset in data.draw(st.lists(st.integers(0, max(0, len(text) - 1)), max_size=8)) if text else []:
        line = text.count(b"\n", 0, offset) + 1
        assert seen.at(offset) == (line, offset - text.rfind(b"\n", 0, offset))
        (at, before), (end, after) = seen.around(offset, offset + 1)
        assert text[at:offset] == before
        assert text[end : end + len(after)] == after
        assert b"\n" not in before + after


@given(
    parts=st.lists(st.binary(max_size=2000), min_size=1, max_size=3),
    kind=st.sampled_from(
        [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress), ("zlib", zlib.compress)]
    ),
    sizes=st.lists(st.integers(1, 300), max_size=20),
    cut=st.integers(0, 4),
)
def test_compressed_streams_come_out_whole_or_say_that_they_do_not(parts, kind, sizes, cut) -> None:  # type: ignore[no-untyped-def]
    packed = b"".join(kind[1](part) for part in parts)
    out = b""
    try:
        source = FormatInput(ChunkStream(pieces(packed[: len(packed) - cut], sizes)), None, 1 << 27)
        for step in FORMATS[kind[0]](source, None):
            assert isinstance(step, Member)
            for chunk in step.chunks:
                out += chunk
    except DamagedError:
        assert cut
    else:
        assert not cut
        assert out == b"".join(parts)
    assert b"".join(parts).startswith(out)


NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=120).filter(
    lambda name: name not in {".", ".."}
)


@given(
    files=st.lists(st.tuples(NAME, st.binary(min_size=1, max_size=1500)), max_size=5),
    form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    sizes=st.lists(st.integers(1, 900), max_size=20),
)
def test_tars_are_read_as_tarfile_reads_them(files, form, sizes) -> None:  # type: ignore[no-untyped-def]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    steps = tar_steps(FormatInput(ChunkStream(pieces(out.getvalue(), sizes)), None, 1 << 27), None)
    assert [(step.name, b"".join(step.chunks)) for step in steps if isinstance(step, Member)] == files


@given(st.binary(max_size=400), st.sampled_from(["a.yaml", "a.json", ".env", "a.txt"]))
def test_key_paths_of_anything_are_harmless(data: bytes, name: str) -> None:
    path_at = key_paths(name, data)
    for offset in range(0, len(data), 7):
        path = path_at(offset)
        assert path is None or path.isprintable()
