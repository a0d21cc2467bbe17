"""Formats by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sqlite3
import zlib
from contextlib import closing

import brotli
import pytest
from hidingforms import table, zipped

from provision.containers.container_format import (
    COMPRESSED_FORMATS,
    UNKNOWN,
    UNSUPPORTED_FORMATS,
    container_elsewhere,
    container_format,
    container_of,
    elsewhere_in,
)
from provision.containers.formats.registry import FORMATS, RAW_TOO, REWRITTEN


def database() -> bytes:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (v)")
        return db.serialize()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (gzip.compress(b"x", mtime=0), "gzip"),
        (bz2.compress(b"x"), "bzip2"),
        (lzma.compress(b"x"), "xz"),
        (database(), "sqlite"),
        (b"PK\3\4", "zip"),
        (b"PK\5\6" + bytes(18), "zip"),
        (bytes(257) + b"ustar\0", "tar"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"BZhello, this is text", None),
        (b"BZh91AY&SX", None),
        (b"plain", None),
        (b"", None),
    ],
)
def test_first_bytes(head: bytes, expected: str | None) -> None:
    assert container_format(head[:512]) == expected


def test_every_format_is_either_readable_or_reported() -> None:
    from provision.containers.container_format import _MAGICS

    kinds = {kind for _, kind in _MAGICS}
    assert kinds - UNSUPPORTED_FORMATS <= {"sqlite", *FORMATS}
    assert not UNSUPPORTED_FORMATS & FORMATS.keys()
    assert FORMATS.keys() >= COMPRESSED_FORMATS | RAW_TOO | REWRITTEN


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


LINES = b"".join(b"%d: a line of a log\n" % number for number in range(9))
RANDOM = bytes(n * 167 % 256 for n in range(1, 1025))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"#!/bin/sh\n" + zipped({"a": b"x"}), "zip"),
        (b"x PK\5\6 is not the end of a zip" * 3, None),
        (bytes(32769) + b"CD001\1", "iso image"),
        (bytes(1080) + b"\x53\xef\1\0\1\0" + bytes(1000), "ext image"),
        (RANDOM + b"koly" + bytes(508), "dmg image"),
        (b"text\n" * 200 + table(b"k", b"v"), "leveldb table"),
        (RANDOM, UNKNOWN),
        (b"RIFF" + RANDOM, None),
        (RANDOM[:400], None),
        ("über alles, schöne Grüße\n".encode() * 50, None),
        ("über alles, schöne Grüße\n".encode("latin-1") * 50, None),
        (brotli.compress(LINES), "brotli"),
        (deflated(LINES), "deflate"),
        (deflated(LINES * 99), "deflate"),
        (b"", None),
    ],
)
def test_a_signature_elsewhere(data: bytes, expected: str | None) -> None:
    assert elsewhere_in(data) == expected
    assert container_elsewhere(lambda length, offset: data[offset : offset + length], len(data)) == expected
    assert container_of(data) == (None if expected == UNKNOWN else expected)
