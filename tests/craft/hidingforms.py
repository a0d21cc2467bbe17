"""Containers of all kinds that hold a text, made by real programs and libraries."""

from __future__ import annotations

import io
import os
import sqlite3
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

_GIT = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull} | {
    f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


def line(key: bytes) -> bytes:
    """A line of a log that holds the key."""
    return b"2026-01-01 request with " + key + b" was sent\n"


def zipped(files: dict[str, bytes], comment: bytes = b"", **info: bytes) -> bytes:
    """A zip; `info` sets fields of the first member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name, data in files.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            for field, value in info.items():
                setattr(member, field, value)
            archive.writestr(member, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT, mode: str = "w", **info: object) -> bytes:
    """A tar; `info` sets fields of its members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            for field, value in info.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def seven(files: dict[str, bytes]) -> bytes:
    """A 7z archive."""
    import py7zr

    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writef(io.BytesIO(data), name)
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    """A zstd frame."""
    from provision.containers.formats.decompress import zstd_module

    return bytes(zstd_module().compress(data))


def gzip_with(name: bytes = b"", comment: bytes = b"", extra: bytes = b"", data: bytes = b"text") -> bytes:
    """A gzip file with texts in its header."""
    flags = (4 if extra else 0) | (8 if name else 0) | (16 if comment else 0)
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    head += len(extra).to_bytes(2, "little") + extra if extra else b""
    head += b"".join(text + b"\0" for text in (name, comment) if text)
    packed = zlib.compressobj(wbits=-15)
    body = packed.compress(data) + packed.flush()
    return head + body + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


def database(*statements: tuple[str, tuple[object, ...]]) -> bytes:
    """An SQLite database."""
    with closing(sqlite3.connect(":memory:")) as db:
        for sql, values in statements:
            db.execute(sql, values)
        db.commit()
        return db.serialize()


def cell(value: object) -> bytes:
    """A database with one cell."""
    return database(("CREATE TABLE t (a, b)", ()), ("INSERT INTO t VALUES (1, ?)", (value,)))


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def png(*chunks: bytes, after: bytes = b"") -> bytes:
    """A picture of one pixel with more chunks."""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return start + b"".join(chunks) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"") + after


def pdf(content: bytes, *, deflate: bool = True, more: bytes = b"", filters: bytes = b"") -> bytes:
    """A small page that draws `content`, which is in the form that the filters undo."""
    stream = zlib.compress(content) if deflate else content
    filtered = b"/Filter /FlateDecode " if deflate else b"/Filter [%s] " % filters
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 20] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< " + filtered + b"/Length %d >>\nstream\n" % len(stream) + stream + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    return out + b"trailer\n<< /Size 6 /Root 1 0 R " + more + b">>\nstartxref\n%d\n%%%%EOF\n" % table


def office(kind: str, xml: str) -> bytes:
    """An office document with one part."""
    types = '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
    return zipped({"[Content_Types].xml": types.encode(), kind: xml.encode()})


def word(*runs: str) -> str:
    """A Word document whose paragraph has these runs."""
    texts = "".join(f"<w:r><w:rPr><w:b/></w:rPr><w:t>{run}</w:t></w:r>" for run in runs)
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    return f'<?xml version="1.0"?><w:document {space}><w:body><w:p>{texts}</w:p></w:body></w:document>'


def varint(value: int) -> bytes:
    """A number in base 128."""
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def snappy(data: bytes) -> bytes:
    """A snappy block in which the last sixteen bytes of the data are copies, piece by piece."""
    out = varint(len(data))
    for at in range(0, len(data), 60):
        piece = data[at : at + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
    return out


def table(key: bytes, value: bytes, pack: Callable[[bytes], bytes] | None = snappy) -> bytes:
    """A LevelDB table with one block."""

    def block(entries: list[tuple[bytes, bytes]]) -> bytes:
        data = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in entries)
        return data + struct.pack("<II", 0, 1)

    out = b""
    handles = []
    data = block([(key, value)])
    for content in (data, block([])):
        body = pack(content) if pack else content
        handles.append(varint(len(out)) + varint(len(body)))
        out += body + bytes([1 if pack else 0]) + bytes(4)
    index = block([(key, handles[0])])
    handles.append(varint(len(out)) + varint(len(index)))
    out += index + bytes(5)
    return out + (handles[1] + handles[2]).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def level_log(record: bytes) -> bytes:
    """A LevelDB log whose record crosses a block."""
    first = 32768 - 7 - 20
    out = bytes(4) + first.to_bytes(2, "little") + b"\1" + bytes(first)
    head, tail = record[:13], record[13:]
    out += bytes(4) + len(head).to_bytes(2, "little") + b"\2" + head
    return out + bytes(4) + len(tail).to_bytes(2, "little") + b"\4" + tail


def hex_value(text: bytes) -> bytes:
    """A value of a registry export, broken into lines."""
    pairs = [f"{byte:02x}" for byte in text.decode().encode("utf-16-le") + b"\0\0"]
    lines = [",".join(pairs[at : at + 22]) for at in range(0, len(pairs), 22)]
    return ",\\\r\n  ".join(lines).encode()


def registry(value: bytes) -> bytes:
    """A registry export."""
    return b'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Env]\r\n"P"=hex(2):' + value + b"\r\n"


def git(folder: Path, *arguments: str) -> bytes:
    """Run git."""
    return subprocess.run(["git", *arguments], cwd=folder, env=_GIT, check=True, capture_output=True).stdout


def committed(folder: Path, name: str, data: bytes, message: str = "m") -> None:
    """Commit a file, and remove it again in a second commit."""
    git(folder, "init", "-q", "-b", "main", ".")
    (folder / name).write_bytes(data)
    git(folder, "add", name)
    git(folder, "commit", "-qm", message)
    git(folder, "rm", "-q", name)
    git(folder, "commit", "-qm", "remove it", "--allow-empty")


def old_tar(data: bytes) -> bytes:
    whole = bytearray(tarred({"a.log": data}, tarfile.USTAR_FORMAT))
    whole[257:500] = bytes(243)
    whole[148:156] = b" " * 8
    whole[148:156] = b"%06o\0 " % sum(whole[:512])
    return bytes(whole)


def member_comment(key: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        member = zipfile.ZipInfo("a")
        member.comment = key
        archive.writestr(member, b"x")
    return out.getvalue()


def between(key: bytes) -> bytes:
    """A zip with a member that its table of contents does not list."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"x")
        archive.writestr("gone", line(key))
        archive.writestr("b", b"y")
        archive.filelist = [info for info in archive.filelist if info.filename != "gone"]
    return out.getvalue()
