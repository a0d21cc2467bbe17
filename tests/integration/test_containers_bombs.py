"""Every format has its bomb: reading stops and says so, rewriting refuses, and neither takes memory or time for it."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import resource
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
from hidingforms import cell, chunk, pdf, png, seven, table, tarred, varint, zipped, zstd
from sourcescraft import look_through

from provision.audit.fix.mask import mask_content
from provision.containers.formats.registry import FORMATS
from provision.detect.detector import Detector

ZEROS = bytes(64 << 20)


def deep(pack: Callable[[bytes], bytes], times: int = 12) -> bytes:
    data = b"end"
    for _ in range(times):
        data = pack(data)
    return data


def sparse_tar() -> bytes:
    """Ten KB whose one member says that it has six GB (GNU tar's sparse format 1.0)."""
    blocks = b"1\n0\n512\n".ljust(512, b"\0") + b"x" * 512
    headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "a",
        "GNU.sparse.realsize": str(6 << 30),
    }
    return tarred({"a": blocks}, pax_headers=headers)


def old_sparse_tar() -> bytes:
    """The same in the older format, with the map in the header."""
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"%011o\0" % (6 << 30)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header) + b"x" * 512 + bytes(1024)


def snappy_bomb(data: bytes) -> bytes:
    """A block that says it is small and repeats its first bytes for ever."""
    return varint(3 << 30) + bytes([15 << 2]) + data[:16] + b"\xfe\x10\0" * 100_000


def pack_bomb() -> bytes:
    """A pack whose object is a gigabyte of zeros, and one with a delta that repeats its base."""
    size = 1 << 30
    head = bytes([0x30 | size & 15 | 0x80])
    rest = size >> 4
    body = zlib.compress(bytes(64 << 20), 9)
    return b"PACK\0\0\0\2\0\0\0\1" + head + varint(rest) + body + bytes(20)


def delta_bomb() -> bytes:
    base = bytes(60000)
    first = bytes([0x30 | len(base) & 15 | 0x80]) + varint(len(base) >> 4) + zlib.compress(base)
    delta = varint(len(base)) + varint(3 << 30) + b"\xb0\xff\xff" * 60000
    offset = len(first)
    low = bytes([offset & 0x7F]) if offset < 128 else bytes([((offset >> 7) - 1) & 0x7F | 0x80, offset & 0x7F])
    second = bytes([0x60 | len(delta) & 15 | 0x80]) + varint(len(delta) >> 4) + low + zlib.compress(delta)
    return b"PACK\0\0\0\2\0\0\0\2" + first + second + bytes(20)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gzip": ("gzip", lambda: gzip.compress(ZEROS, 1)),
    "bzip2": ("bzip2", lambda: bz2.compress(ZEROS)),
    "xz": ("xz", lambda: lzma.compress(ZEROS, preset=0)),
    "lzma": ("lzma", lambda: lzma.compress(ZEROS, lzma.FORMAT_ALONE, preset=0)),
    "zlib": ("zlib", lambda: zlib.compress(ZEROS)),
    "zstd": ("zstd", lambda: zstd(ZEROS)),
    "brotli": ("brotli", lambda: brotli.compress(ZEROS, quality=5)),
    "deflate": ("deflate", lambda: zlib.compress(b" " * len(ZEROS), wbits=-15)),
    "zip": ("zip", lambda: zipped({"a": ZEROS})),
    "zip behind a program": ("zip", lambda: b"MZ" + bytes(100) + zipped({"a": ZEROS})),
    "zip of many": ("zip", lambda: zipped({f"{number}": b"x" for number in range(3000)})),
    "zip in zip": ("zip", lambda: deep(lambda data: zipped({"a": data}))),
    "tar of many": ("tar", lambda: gzip.compress(tarred({f"{number}": b"x" for number in range(3000)}))),
    "tar": ("tar", lambda: zipped({"a.tar": tarred({"a": ZEROS})})),
    "gzip in gzip": ("gzip", lambda: deep(gzip.compress)),
    "7z": ("7z", lambda: seven({"a": ZEROS})),
    "png": ("png", lambda: png(chunk(b"zTXt", b"C\0\0" + zlib.compress(ZEROS)))),
    "pdf": ("pdf", lambda: pdf(ZEROS)),
    "leveldb": ("leveldb table", lambda: table(b"k", b"v" * 64, snappy_bomb)),
    "git pack": ("git pack", pack_bomb),
    "git delta": ("git pack", delta_bomb),
    "git bundle": ("git bundle", lambda: b"# v2 git bundle\n" + b"0" * 40 + b" main\n\n" + delta_bomb()),
    "office": (
        "office text",
        lambda: zipped({"word/document.xml": b"<?xml?><a x='schemas.openxmlformats.org/'/>" + ZEROS}),
    ),
    "ar": ("ar", lambda: gzip.compress(b"!<arch>\n" + b"a/".ljust(48) + b"%-10d`\n" % len(ZEROS) + ZEROS, 1)),
    "registry": ("registry export", lambda: gzip.compress(b"REGEDIT4\r\n" + ZEROS, 1)),
    "leveldb log": ("leveldb log", lambda: zipped({"000003.log": struct.pack("<IHB", 0, 100, 1) + ZEROS})),
    "base64": ("gzip", lambda: b"x: " + base64.b64encode(gzip.compress(ZEROS, 1))),
    "base64 of a zip": ("zip", lambda: b"x: " + base64.b64encode(zipped({"a": ZEROS}))),
    "PDF in base 85": ("pdf", lambda: pdf(base64.a85encode(zlib.compress(ZEROS)), deflate=False, filters=b"/A85 /Fl")),
    "cell": ("gzip", lambda: cell(gzip.compress(ZEROS, 1))),
}
NAMES = {"leveldb": "000005.ldb", "leveldb log": "a.zip", "brotli": "a.br"}
MEMORY_BYTES = 450 << 20
"""What a process may take for any bomb, Python and the matchers included; all of them unpack to more than 64 MiB."""


def test_every_format_has_a_bomb() -> None:
    assert {kind for kind, _ in BOMBS.values()} == FORMATS.keys()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """What a process of its own, with limited memory, says of each bomb."""
    folder = tmp_path_factory.mktemp("bombs")
    for number, (name, (_, make)) in enumerate(BOMBS.items()):
        data = make()
        assert len(data) < 1 << 20
        (folder / str(number)).mkdir()
        (folder / str(number) / NAMES.get(name, "a.bin")).write_bytes(data)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))

    run = subprocess.run(
        [sys.executable, str(Path(__file__).parents[1] / "craft" / "defuse.py"), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=limited,
        timeout=250,
    )
    return dict(zip(BOMBS, map(json.loads, run.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb(name: str, measured: dict[str, list[object]]) -> None:
    reasons, fixed, cpu_s = measured[name]
    assert reasons
    assert "MemoryError" not in str(reasons)
    assert fixed in ("refused", "unchanged")
    assert isinstance(cpu_s, float)
    assert cpu_s < 40


@pytest.mark.parametrize("make", [sparse_tar, old_sparse_tar])
def test_a_sparse_tar_takes_no_more_memory_than_it_has_bytes(make: Callable[[], bytes], tmp_path: Path) -> None:
    data = make()
    assert len(data) <= 10240
    (tmp_path / "a.tar").write_bytes(data)
    code = (
        "import sys; from pathlib import Path; from provision.audit.fix.mask import mask_content;"
        "from provision.detect.detector import Detector; data = Path(sys.argv[1]).read_bytes();"
        "assert mask_content('a.tar', data, Detector(())) == data"
    )

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.tar")], check=True, preexec_fn=limited, timeout=60)


def test_a_member_of_a_damaged_archive_stops_no_other(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bad.gz", gzip.compress(b"x" * 1000)[:-9])
        archive.writestr("good", b"text")
    (tmp_path / "a.zip").write_bytes(out.getvalue())
    result = look_through(tmp_path)
    assert [each.where for each in result.unread] == ["a.zip!bad.gz"]
    assert mask_content("a.zip", out.getvalue(), Detector(())) == out.getvalue()
