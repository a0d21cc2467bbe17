"""Hiding places for a key: a folder per place, made by real programs and libraries."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
import sqlite3
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from hidingforms import (
    between,
    cell,
    chunk,
    committed,
    database,
    git,
    gzip_with,
    hex_value,
    level_log,
    line,
    member_comment,
    office,
    old_tar,
    pdf,
    png,
    registry,
    seven,
    table,
    tarred,
    word,
    zipped,
    zstd,
)

Make = Callable[[Path, str], None]
"""Writes a key to a place in an empty folder."""
PLACES: dict[str, Make] = {}
UNREAD = frozenset({
    "rar", "squashfs", "lz4", "cabinet", "encrypted zip", "damaged gzip", "cut zip", "wim", "qcow2", "parquet",
    "contentless fts5", "OLE document", "encrypted PDF", "iso", "ext4", "no signature at all", "openssl",
})  # fmt: skip
"""Places that are only reported as not read."""


def place(name: str) -> Callable[[Make], Make]:
    """Register a place."""

    def add(make: Make) -> Make:
        assert name not in PLACES
        PLACES[name] = make
        return make

    return add


def _file(name: str, content: Callable[[bytes], bytes], file: str) -> None:
    def make(folder: Path, key: str) -> None:
        (folder / file).write_bytes(content(key.encode()))

    place(name)(make)


# --- archives and streams, by format and depth
_PACKERS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "gzip": (gzip.compress, "a.gz"), "bzip2": (bz2.compress, "a.bz2"), "xz": (lzma.compress, "a.xz"),
    "lzma": (lambda data: lzma.compress(data, lzma.FORMAT_ALONE), "a.lzma"), "zlib": (zlib.compress, "a.zz"),
    "zlib best": (lambda data: zlib.compress(data, 9), "a"), "zlib fast": (lambda data: zlib.compress(data, 1), "b"),
    "zstd": (zstd, "a.zst"), "7z": (lambda data: seven({"a.log": data}), "a.7z"),
    "zip": (lambda data: zipped({"a.log": data}), "a.zip"), "tar": (lambda data: tarred({"a.log": data}), "a.tar"),
    "gnu tar": (lambda data: tarred({"a.log": data}, tarfile.GNU_FORMAT), "a.tar"),
    "tgz": (lambda data: tarred({"a.log": data}, mode="w:gz"), "a.tgz"),
    "ar": (lambda data: b"!<arch>\n" + b"a.log/".ljust(48) + b"%-10d`\n" % len(data) + data, "a.a"),
}  # fmt: skip


_PACKERS["old tar"] = (old_tar, "a.tar")
for _name, (_pack, _as) in _PACKERS.items():
    _file(_name, lambda key, pack=_pack: pack(line(key)), _as)  # type: ignore[misc]
    if _name not in ("zlib fast", "old tar"):
        _file(f"{_name} in a zip", lambda key, pack=_pack, n=_as: zipped({n: pack(line(key))}), "all.zip")  # type: ignore[misc]
        _file(f"{_name} in a database", lambda key, pack=_pack: cell(pack(line(key))), "a.db")  # type: ignore[misc]
for _name in ("gzip", "xz", "zip", "zlib", "zstd"):

    @place(f"{_name} in git history")
    def _in_git(folder: Path, key: str, pack: Callable[[bytes], bytes] = _PACKERS[_name][0]) -> None:
        committed(folder, "f", pack(line(key.encode())))


# --- names, comments, headers, links
_file("name in a zip", lambda key: zipped({key.decode(): b"x"}), "a.zip")
_file("folder in a zip", lambda key: zipped({f"{key.decode()}/": b""}), "a.zip")
_file("comment of a zip", lambda key: zipped({"a": b"x"}, comment=key), "a.zip")
_file("comment of a member", member_comment, "a.zip")
_file(
    "extra field of a member", lambda key: zipped({"a": b"x"}, extra=b"\xfe\xca" + bytes([len(key), 0]) + key), "a.zip"
)
_file("before a zip", lambda key: b"#!/bin/sh\nK=" + key + b"\n" + zipped({"a": b"x"}), "a.pyz")
_file("between members", between, "a.zip")
_file("name in a tar", lambda key: tarred({key.decode(): b"x"}), "a.tar")
_file("long name in a tar", lambda key: tarred({"d/" * 60 + key.decode(): b"x"}), "a.tar")
_file("long name in a gnu tar", lambda key: tarred({"d/" * 60 + key.decode(): b"x"}, tarfile.GNU_FORMAT), "a.tar")
_file("link in a tar", lambda key: tarred({"a": b""}, type=tarfile.SYMTYPE, linkname="/" + key.decode()), "a.tar")
_file("long link in a gnu tar", lambda key: tarred(
    {"a": b""}, tarfile.GNU_FORMAT, type=tarfile.LNKTYPE, linkname="d/" * 60 + key.decode()), "a.tar")  # fmt: skip
_file("pax header", lambda key: tarred({"a": b"x"}, pax_headers={"comment": key.decode()}), "a.tar")
_file("xattr in a tar", lambda key: tarred({"a": b"x"}, pax_headers={"SCHILY.xattr.user.k": key.decode()}), "a.tar")
_file("after a tar", lambda key: tarred({"a": b"x"}) + line(key), "a.tar")
_file("name of a folder in a tar", lambda key: tarred({key.decode(): b""}, type=tarfile.DIRTYPE), "a.tar")
_file("name in gzip", lambda key: gzip_with(name=key), "a.gz")
_file("comment in gzip", lambda key: gzip_with(comment=key), "a.gz")
_file("extra field in gzip", lambda key: gzip_with(extra=b"AB" + len(key).to_bytes(2, "little") + key), "a.gz")
_file("name in the second gzip", lambda key: gzip.compress(b"x") + gzip_with(name=key), "a.gz")
_file("second gzip", lambda key: gzip.compress(b"x") + gzip.compress(line(key)), "a.gz")
_file("name in 7z", lambda key: seven({key.decode(): b"x"}), "a.7z")
_file("name in a tgz in a zip", lambda key: zipped({"t.tgz": tarred({key.decode(): b"x"}, mode="w:gz")}), "a.zip")


# --- base64 of compressed text
_file("gz+b64", lambda key: b"content: " + base64.b64encode(gzip.compress(line(key) * 3)), "cloud-init.yaml")
_file("gz+b64 in lines", lambda key: base64.encodebytes(gzip.compress(line(key) + os.urandom(90))), "a.txt")
_file("gz+b64 in JSON", lambda key: json.dumps(
    {"a": base64.encodebytes(gzip.compress(line(key) + os.urandom(90))).decode()}).encode(), "a.json")  # fmt: skip
_file("gz+b64 url-safe", lambda key: b"q=" + base64.urlsafe_b64encode(gzip.compress(line(key))).rstrip(b"="), "a.txt")
_file("helm release", lambda key: b"data:\n  release: " + base64.b64encode(
    base64.b64encode(gzip.compress(json.dumps({"config": {"env": line(key).decode()}}).encode()))), "s.yaml")  # fmt: skip
_file("zlib+b64", lambda key: b"SAMLRequest=" + base64.b64encode(zlib.compress(line(key))), "a.txt")
_file("zlib+b64 best", lambda key: b"x " + base64.b64encode(zlib.compress(line(key), 9)), "a.txt")
_file(
    "gz+b64 in a large log",
    lambda key: b"a line of a log\n" * 600_000 + base64.b64encode(gzip.compress(line(key))),
    "a.log",
)
_file("gz+b64 in a cell", lambda key: cell(base64.b64encode(gzip.compress(line(key))).decode()), "a.db")
_file("gz+b64 in a zip", lambda key: zipped({"a": b"x: " + base64.b64encode(gzip.compress(line(key)))}), "a.zip")
_file("tgz in gz+b64", lambda key: b"x: " + base64.b64encode(tarred({"a": line(key)}, mode="w:gz")), "a.yaml")

# --- databases
_file("cell", lambda key: cell(line(key).decode()), "a.db")
_file("blob cell", lambda key: cell(line(key)), "a.db")
_file("database in a tar", lambda key: tarred({"a.db": cell(line(key).decode())}), "a.tar")
_file("database in gzip", lambda key: gzip.compress(cell(line(key).decode())), "a.db.gz")
_file("database in a cell", lambda key: cell(cell(line(key).decode())), "a.db")
_file("default of a column", lambda key: database((f"CREATE TABLE t (a DEFAULT '{key.decode()}')", ())), "a.db")
for _fts in ("fts5", "fts4", "fts3"):
    _file(_fts, lambda key, fts=_fts: database(  # type: ignore[misc]
        (f"CREATE VIRTUAL TABLE f USING {fts}(body)", ()),
        ("INSERT INTO f VALUES (?)", (line(key).decode(),))), "a.db")  # fmt: skip
_file("external fts5", lambda key: database(
    ("CREATE TABLE m (id INTEGER PRIMARY KEY, t)", ()), ("CREATE VIRTUAL TABLE f USING fts5(t, content='m')", ()),
    ("INSERT INTO m VALUES (1, ?)", (line(key).decode(),)), ("INSERT INTO f(f) VALUES ('rebuild')", ())), "a.db")  # fmt: skip
_file("contentless fts5", lambda key: database(
    ("CREATE VIRTUAL TABLE f USING fts5(t, content='')", ()),
    ("INSERT INTO f(rowid, t) VALUES (1, ?)", (line(key).decode(),))), "a.db")  # fmt: skip


@place("deleted row")
def _deleted(folder: Path, key: str) -> None:
    with closing(sqlite3.connect(folder / "a.db")) as db:
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [("x",), (f" {key} ",), ("y",)])
        db.commit()
        db.execute("DELETE FROM t WHERE length(a) > 5")
        db.commit()


@place("write-ahead log")
def _logged(folder: Path, key: str) -> None:
    with closing(sqlite3.connect(folder / "b.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (a)")
        db.execute("INSERT INTO t VALUES (?)", (f" {key} ",))
        db.commit()
        for name in ("b.db", "b.db-wal"):
            (folder / name.replace("b", "a", 1)).write_bytes((folder / name).read_bytes())
    for left in folder.glob("b.db*"):
        left.unlink()


# --- LevelDB
_file("leveldb", lambda key: table(b"_https://app\0\1token", b"\1" + line(key)), "000005.ldb")
_file("leveldb plain", lambda key: table(b"k", line(key), None), "000005.sst")
_file("leveldb utf-16", lambda key: table(b"k", b"\0" + line(key).decode().encode("utf-16-le")), "000005.ldb")
_file("leveldb key", lambda key: table(b"k/" + key + b" ", b"v"), "000005.ldb")
_file("leveldb log", lambda key: level_log(line(key)), "000003.log")
_file("leveldb in a zip", lambda key: zipped({"leveldb/000005.ldb": table(b"k", line(key))}), "a.zip")
_file("leveldb in a tar", lambda key: tarred({"leveldb/000003.log": level_log(line(key))}), "a.tar")

# --- documents and pictures
_file("docx runs", lambda key: office("word/document.xml", word("x ", key[:12].decode(), key[12:].decode())), "a.docx")
_file("docx", lambda key: office("word/document.xml", word(line(key).decode())), "a.docx")
_file(
    "docx comment", lambda key: office("word/comments.xml", word(key[:20].decode(), key[20:].decode(), " y")), "a.docx"
)
_file("pptx runs", lambda key: office("ppt/slides/slide1.xml", word(
    key[:9].decode(), key[9:].decode()).replace("w:", "a:")), "a.pptx")  # fmt: skip
_file("xlsx runs", lambda key: office("xl/sharedStrings.xml",
    '<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><r><t>'
    + key[:9].decode() + "</t></r><r><t>" + key[9:].decode() + "</t></r></si></sst>"), "a.xlsx")  # fmt: skip
_file("docx in git history bundle", lambda key: zipped({"a.docx": office("word/document.xml", word(
    key[:12].decode(), key[12:].decode()))}), "a.zip")  # fmt: skip
_file("docProps", lambda key: office("docProps/core.xml", f"<a>{line(key).decode()}</a>"), "a.docx")
_file("png tEXt", lambda key: png(chunk(b"tEXt", b"Comment\0" + key)), "a.png")
_file("png zTXt", lambda key: png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(line(key)))), "a.png")
_file("png iTXt", lambda key: png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(line(key)))), "a.png")
_file("png keyword", lambda key: png(chunk(b"tEXt", b"k " + key + b" \0x")), "a.png")
_file("after a png", lambda key: png(after=gzip.compress(line(key))), "a.png")
_file("png in a zip", lambda key: zipped({"a.png": png(chunk(b"zTXt", b"C\0\0" + zlib.compress(line(key))))}), "a.zip")
_file("pdf", lambda key: pdf(b"BT /F 12 Tf (" + line(key)[:-1] + b") Tj ET"), "a.pdf")
_file("pdf plain", lambda key: pdf(b"BT /F 12 Tf (" + line(key)[:-1] + b") Tj ET", deflate=False), "a.pdf")
_file("pdf kerned", lambda key: pdf(
    b"BT /F 12 Tf [(x " + key[:9] + b") -20 (" + key[9:20] + b") 3 (" + key[20:] + b" y)] TJ ET"), "a.pdf")  # fmt: skip
_file("pdf hex", lambda key: pdf(b"BT /F 12 Tf <" + line(key)[:-1].hex().encode() + b"> Tj ET"), "a.pdf")
_file("pdf in a zip", lambda key: zipped({"a.pdf": pdf(b"BT /F 12 Tf (" + key + b") Tj ET")}), "a.zip")
_file("pdf in a cell", lambda key: cell(pdf(b"BT /F 12 Tf (" + key + b") Tj ET")), "a.db")
_file("reg hex(2)", lambda key: registry(hex_value(key)), "a.reg")
_file("reg utf-16", lambda key: b"\xff\xfe" + registry(hex_value(key)).decode().encode("utf-16-le"), "a.reg")
_file("reg in a zip", lambda key: zipped({"a.reg": registry(hex_value(key))}), "a.zip")


# --- git
@place("git blob")
def _blob(folder: Path, key: str) -> None:
    committed(folder, "f", line(key.encode()))


@place("commit message")
def _message(folder: Path, key: str) -> None:
    committed(folder, "f", b"x", f"use {key} now")


@place("git bundle")
def _bundle(folder: Path, key: str) -> None:
    work = folder.with_name(folder.name + "-work")
    work.mkdir()
    committed(work, "f", line(key.encode()))
    git(work, "bundle", "create", "-q", str(folder / "a.bundle"), "--all")


@place("git bundle with deltas")
def _deltas(folder: Path, key: str) -> None:
    work = folder.with_name(folder.name + "-work")
    work.mkdir()
    text = b"".join(b"%d some line of a long text\n" % number for number in range(2000))
    committed(work, "f", text)
    (work / "f").write_bytes(text[:30000] + line(key.encode()) + text[30000:])
    git(work, "add", "f")
    git(work, "commit", "-qm", "second")
    git(work, "gc", "-q", "--aggressive")
    git(work, "bundle", "create", "-q", str(folder / "a.bundle"), "--all")


def _repository(folder: Path, key: str, *, packed: bool) -> Path:
    work = folder.with_name(folder.name + "-work") / "repo"
    work.mkdir(parents=True)
    committed(work, "f", line(key.encode()))
    if packed:
        git(work, "gc", "-q", "--aggressive")
    return work


@place("packed repository in a tar")
def _packed(folder: Path, key: str) -> None:
    subprocess.run(
        ["tar", "cf", folder / "a.tar", "repo"], cwd=_repository(folder, key, packed=True).parent, check=True
    )


@place("loose repository in a tgz")
def _loose(folder: Path, key: str) -> None:
    subprocess.run(
        ["tar", "czf", folder / "a.tgz", "repo"], cwd=_repository(folder, key, packed=False).parent, check=True
    )


@place("bundle in a zip")
def _bundle_zipped(folder: Path, key: str) -> None:
    work = _repository(folder, key, packed=False)
    git(work, "bundle", "create", "-q", "../a.bundle", "--all")
    (folder / "a.zip").write_bytes(zipped({"a.bundle": (work.parent / "a.bundle").read_bytes()}))


# --- the file system
@place("name of a file")
def _named(folder: Path, key: str) -> None:
    (folder / f"{key}.txt").write_text("x")


@place("name of a folder")
def _folder_name(folder: Path, key: str) -> None:
    (folder / key).mkdir()
    (folder / key / "a").write_text("x")


@place("name of an empty folder")
def _empty_folder(folder: Path, key: str) -> None:
    (folder / key).mkdir()


@place("target of a link")
def _link(folder: Path, key: str) -> None:
    (folder / "a").symlink_to(f"/nowhere/{key}")


@place("name of a link")
def _link_name(folder: Path, key: str) -> None:
    (folder / key).symlink_to("/nowhere")


@place("extended attribute")
def _attribute(folder: Path, key: str) -> None:
    (folder / "a").write_text("x")
    with suppress(OSError):
        os.setxattr(folder / "a", "user.xdg.origin.url", f"https://x/?t={key} ".encode())
        return
    (folder / "a").write_text(key)  # this file system has none


# --- what is only reported
for _name, _magic in {
    "rar": b"Rar!\x1a\x07\x01\0", "squashfs": b"hsqs\x05\0\0\0", "lz4": b"\x04\x22\x4d\x18", "cabinet": b"MSCF\0\0\0\0",
    "wim": b"MSWIM\0\0\0", "qcow2": b"QFI\xfb\0\0\0\3", "parquet": b"PAR1\x15\4",
    "OLE document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
}.items():  # fmt: skip
    _file(_name, lambda key, magic=_magic: magic + bytes(100) + zlib.compress(line(key))[2:], "a.bin")  # type: ignore[misc]
_file("iso", lambda key: bytes(32768) + b"\1CD001\1" + bytes(2000) + zlib.compress(line(key))[2:], "a.iso")
_file("ext4", lambda key: bytes(1080) + b"\x53\xef\1\0\1\0" + bytes(2000) + zlib.compress(line(key))[2:], "a.img")
_file(
    "no signature at all",
    lambda key: bytes(n * 167 % 256 for n in range(1, 513)) + zlib.compress(line(key))[2:],
    "a.dat",
)
_file("openssl", lambda key: b"Salted__" + zlib.compress(line(key))[2:], "a.enc")
_file("damaged gzip", lambda key: gzip.compress(os.urandom(3000) + line(key))[:1500], "a.gz")
_file("cut zip", lambda key: zipped({"a": os.urandom(3000) + line(key)})[:1500], "a.zip")
_file("encrypted PDF", lambda key: pdf(zlib.compress(key), more=b"/Encrypt 5 0 R "), "a.pdf")


@place("encrypted zip")
def _encrypted(folder: Path, key: str) -> None:
    data = bytearray(zipped({"a": os.urandom(2000) + line(key.encode())}))
    for marker, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(marker) + offset] |= 1
    (folder / "a.zip").write_bytes(data)
