"""Masking: every format stays readable, every other byte stays, twice is once."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing

import pytest
from leakcraft import LiteralDetector, literal, match

from provision.audit.fix import mask as module
from provision.audit.fix.mask import MaskError, is_maskable, mask_content, mask_text
from provision.containers.blob import ReadLimits
from provision.detect.match import Confidence, Match

DETECTOR = LiteralDetector()
KEY = literal(1)
TEXT = b"before " + KEY + b" after\n"
MASKED = b"before masked... after\n"


def masked(data: bytes) -> bytes:
    return mask_content("name", data, DETECTOR)  # type: ignore[arg-type]


def a_zip(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = b"comment"
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def a_tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o640
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [
        (gzip.compress, gzip.decompress),
        (bz2.compress, bz2.decompress),
        (lzma.compress, lzma.decompress),
        (bytes, bytes),
    ],
)
def test_compressed_streams(pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]) -> None:
    once = masked(pack(TEXT))
    assert unpack(once) == MASKED
    assert masked(once) == once
    clean = pack(b"nothing here")
    assert masked(clean) is clean


def test_archives_keep_members_and_comments() -> None:
    once = masked(a_zip(log=TEXT, other=b"x", inner=a_tar(deep=TEXT)))
    with zipfile.ZipFile(io.BytesIO(once)) as archive:
        assert archive.comment == b"comment"
        assert {n: archive.read(n) for n in ("log", "other")} == {"log": MASKED, "other": b"x"}
        with tarfile.open(fileobj=io.BytesIO(archive.read("inner"))) as inner:
            (info,) = inner.getmembers()
            assert (info.mode, inner.extractfile(info).read()) == (0o640, MASKED)  # type: ignore[union-attr]
    assert masked(once) == once


def test_a_database_without_a_secret_stays_as_it_is() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (v)")
        clean = db.serialize()
        db.execute("INSERT INTO t VALUES (?)", (TEXT.decode(),))
        db.commit()
        dirty = db.serialize()
    assert masked(clean) == clean
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(masked(dirty))
        assert db.execute("SELECT v FROM t").fetchall() == [(MASKED.decode(),)]


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = TEXT
    for _ in range(10):
        deep = a_zip(x=deep)
    with pytest.raises(MaskError, match="nested more than 8 deep"):
        masked(deep)
    few = ReadLimits(expanded_bytes=1000, expanded_ratio=1)
    with pytest.raises(MaskError, match="far more than its own size"):
        mask_content("name", gzip.compress(bytes(2000)), DETECTOR, few)  # type: ignore[arg-type]
    with pytest.raises(MaskError, match="damaged"):
        masked(gzip.compress(TEXT)[:-9])
    monkeypatch.setattr(module, "LARGEST_BYTES", 1000)
    with pytest.raises(MaskError, match="too large to mask"):
        masked(bytes(1001))


class Spans:
    """Finds a secret in several pieces, with an encoding."""

    def __init__(self, *spans: tuple[int, int], encodings: tuple[str, ...] = ()) -> None:
        self.spans, self.encodings = spans, encodings

    def scan(self, data: bytes) -> list[Match]:
        return [match("x").at(self.spans, self.encodings)]


def test_pieces_become_one_mask_and_utf16_stays_utf16() -> None:
    assert mask_text(b"a SEC\n  RET b", Spans((2, 5), (8, 11))) == b"a masked...\n   b"  # type: ignore[arg-type]
    data = "x KEY y".encode("utf-16-le")
    found = Spans((4, 10), encodings=("utf-16",))
    assert mask_text(data, found).decode("utf-16-le") == "x masked... y"  # type: ignore[arg-type]
    data = "x KEY y".encode("utf-16-be")
    assert mask_text(data, found).decode("utf-16-be") == "x masked... y"  # type: ignore[arg-type]


def test_only_matches_that_are_certain_enough_are_masked() -> None:
    assert is_maskable(match("x", confidence=Confidence.MEDIUM))
    assert not is_maskable(match("x", confidence=Confidence.LOW))
    assert mask_text(TEXT, DETECTOR, lambda _: False) == TEXT  # type: ignore[arg-type]
