"""Each format of containers by itself, whatever the first bytes say; what is found in it is walked through as in `audit`."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from functools import partial

import brotli
from fuzz_target import Target
from hidingforms import cell, chunk, hex_value, pdf, png, registry, seven, table, tarred, word, zipped, zstd

from provision.containers.blob import Blob, ContentKind, ReadLimits
from provision.containers.walk import walk

LIMITS = ReadLimits(whole_bytes=1 << 20, memory_bytes=4 << 20, expanded_bytes=8 << 20, members=1000, nesting=4)
TEXT = b"a text\n" * 20
PACKED = zlib.compress(TEXT)
BLOB = b"\x3b" + zlib.compress(b"hello world")
DELTA = b"\x64" + bytes([len(BLOB)]) + zlib.compress(b"\x0b\x05\x90\x05")
PACK = b"PACK\0\0\0\2\0\0\0\2" + BLOB + DELTA + bytes(20)
AR = b"!<arch>\na.txt/          0           0     0     100644  4         `\nabc\n"


def read_container(kind: str | None, data: bytes) -> None:
    """Read all parts of a container of this kind."""
    blob = Blob("x", data, None, ContentKind.BINARY)
    for part in walk(blob, LIMITS, size=len(data), kind=kind, file=io.BytesIO(data)):
        if isinstance(part, Blob) and not isinstance(part.data, bytes):
            for _ in part.data:
                pass


SEEDS = {
    "zip": (zipped({"a.txt": TEXT, "b/c": b""}, b"comment"), zipped({"a.zip": zipped({"b": b"c"})})),
    "tar": (tarred({"a.txt": TEXT}, uname="ada"), tarred({"é" * 80: b"x"})),
    "gzip": (gzip.compress(TEXT, mtime=0),),
    "bzip2": (bz2.compress(TEXT),),
    "xz": (lzma.compress(TEXT),),
    "lzma": (lzma.compress(TEXT, lzma.FORMAT_ALONE),),
    "zlib": (PACKED,),
    "zstd": (zstd(TEXT),),
    "brotli": (brotli.compress(TEXT),),
    "deflate": (zlib.compress(TEXT, wbits=-15),),
    "7z": (seven({"a.txt": TEXT}),),
    "ar": (AR,),
    "png": (png(chunk(b"tEXt", b"Comment\0x"), chunk(b"zTXt", b"C\0\0" + PACKED), after=b"tail"),),
    "pdf": (
        pdf(b"BT (text) Tj ET"),
        pdf(PACKED.hex().encode(), deflate=False, filters=b"/ASCIIHexDecode /FlateDecode"),
    ),
    "office text": (word("one", "two").encode(),),
    "registry export": (registry(hex_value(TEXT)),),
    "leveldb table": (table(b"key", TEXT), table(b"key", TEXT, None)),
    "leveldb log": (bytes(4) + b"\x05\0\1hello" + bytes(4) + b"\2\0\2ab" + bytes(4) + b"\1\0\4c",),
    "git pack": (PACK,),
    "git bundle": (b"# v2 git bundle\n" + b"0" * 40 + b" main\n\n" + PACK,),
    "sqlite": (cell("x" * 50), cell(b"\0\1")),
}
CONTAINER_TARGETS = tuple(
    Target(f"container-{kind.replace(' ', '-')}", partial(read_container, kind), seeds) for kind, seeds in SEEDS.items()
)
