"""More hiding places for a key: two containers deep, in odd fields, behind other content. Importing adds them to `PLACES`."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
from hidingforms import (
    cell,
    chunk,
    committed,
    database,
    git,
    gzip_with,
    hex_value,
    line,
    member_comment,
    office,
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
from hidingplaces import Make, place

NESTED: list[str] = []


def _file(name: str, file: str, content: Callable[[bytes], bytes]) -> None:
    def make(folder: Path, key: str) -> None:
        (folder / file).write_bytes(content(key.encode()))

    added: Make = make
    place(name)(added)
    NESTED.append(name)


def _zip_with_link(key: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, b"/srv/" + key)
    return out.getvalue()


def _pax_globally(key: bytes) -> bytes:
    out = io.BytesIO()
    tarfile.open(fileobj=out, mode="w", pax_headers={"comment": key.decode()}).close()
    return out.getvalue()


def _bundle(key: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        committed(Path(folder), "f", line(key))
        git(Path(folder), "bundle", "create", "-q", "x.bundle", "--all")
        return Path(folder, "x.bundle").read_bytes()


def _helm(key: bytes) -> bytes:
    inside = gzip.compress(json.dumps({"config": {"x": key.decode()}}).encode())
    return base64.b64encode(base64.b64encode(inside))


def _library(name: str, data: bytes) -> bytes:
    return b"!<arch>\n" + name.encode().ljust(48) + b"%-10d`\n" % len(data) + data + b"\n"[: len(data) % 2]


def _xml(space: str, body: str) -> str:
    return f'<?xml version="1.0"?><x xmlns:a="{space}">{body}</x>'


def _halves(key: bytes) -> tuple[str, str]:
    return key[:10].decode(), key[10:].decode()


_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_OPEN = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"

_file("zip in a tar.xz", "a.tar.xz", lambda key: lzma.compress(tarred({"in/b.zip": zipped({"c.txt": line(key)})})))
_file("database in a zip in a tar", "a.tar", lambda key: tarred({"b.zip": zipped({"s.db": cell(line(key).decode())})}))
_file("bzip2 in zstd", "a.zst", lambda key: zstd(bz2.compress(line(key))))
_file("zstd in lzma", "a.lzma", lambda key: lzma.compress(zstd(line(key)), lzma.FORMAT_ALONE))
_file("comment of a zip in a zip", "a.zip", lambda key: zipped({"b.zip": zipped({"a": b"x"}, comment=b"by " + key)}))
_file("member comment in a tgz", "a.tgz", lambda key: tarred({"b.zip": member_comment(key)}, mode="w:gz"))
_file("gzip name in a tar", "a.tar", lambda key: tarred({"b.gz": gzip_with(name=key + b".log")}))
_file("gzip comment in a zip", "a.zip", lambda key: zipped({"b.gz": gzip_with(comment=b"for " + key)}))
_file("gzip extra in a cell", "a.db", lambda key: cell(gzip_with(extra=b"XX" + struct.pack("<H", len(key)) + key)))
_file("global pax header", "a.tar", _pax_globally)
_file("hard link in a tar in a zip", "a.zip", lambda key: zipped(
    {"b.tar": tarred({"a": b""}, type=tarfile.LNKTYPE, linkname="x/" + key.decode())}))  # fmt: skip
_file("xattr in a tgz", "a.tgz", lambda key: tarred(
    {"a": b"x"}, mode="w:gz", pax_headers={"SCHILY.xattr.user.note": "v " + key.decode()}))  # fmt: skip
_file("symlink in a zip", "a.zip", _zip_with_link)
_file("docx header in runs", "a.docx", lambda key: office("word/header1.xml", word("t ", *_halves(key), ".")))
_file(
    "docx link", "a.docx", lambda key: office("word/_rels/document.xml.rels", f'<R T="https://h/?q={key.decode()}"/>')
)
_file("xlsx inline runs", "a.xlsx", lambda key: office("xl/worksheets/sheet1.xml", _xml(
    _SHEET, "<c><is>" + "".join(f"<r><t>{half}</t></r>" for half in _halves(key)) + "</is></c>")))  # fmt: skip
_file("pptx notes in runs", "a.pptx", lambda key: office("ppt/notesSlides/n.xml", _xml(
    _DRAWING, "<a:p>" + "".join(f"<a:r><a:t>{half}</a:t></a:r>" for half in _halves(key)) + "</a:p>")))  # fmt: skip
_file("odt spans", "a.odt", lambda key: zipped({"content.xml": _xml(
    _OPEN, "<text:p>t <text:span>{}</text:span>{} end</text:p>".format(*_halves(key))).encode()}))  # fmt: skip
_file("fts5 in a tgz", "a.tgz", lambda key: tarred({"h/state.db": database(
    ("CREATE VIRTUAL TABLE m USING fts5(a, b)", ()), ("INSERT INTO m VALUES ('t', ?)", (line(key).decode(),)))},
    mode="w:gz"))  # fmt: skip
_file("reg utf-16 in a zip", "a.zip", lambda key: zipped(
    {"b.reg": b"\xff\xfe" + registry(hex_value(key)).decode().encode("utf-16-le")}))  # fmt: skip
_file("reg hex(7)", "a.reg", lambda key: registry(hex_value(key)).replace(b"hex(2)", b"hex(7)"))
_file(
    "reg hex",
    "a.reg",
    lambda key: b'REGEDIT4\r\n\r\n[HKEY_CURRENT_USER\\E]\r\n"P"=hex:' + key.hex(",").encode() + b"\r\n",
)
_file("png zTXt in a docx", "a.docx", lambda key: zipped(
    {"word/media/i.png": png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(line(key)))), "x.xml": b"<Types/>"}))  # fmt: skip
_file("bundle in a tgz", "a.tgz", lambda key: tarred({"x.bundle": _bundle(key)}, mode="w:gz"))
_file("helm release in a cell", "a.db", lambda key: cell(_helm(key).decode()))
_file("helm release in JSON", "s.json", lambda key: json.dumps(
    {"kind": "Secret", "data": {"release": _helm(key).decode()}}).encode())  # fmt: skip
_file("gz+b64 in a log", "a.log", lambda key: b"10:00 start\n10:01 got " + base64.b64encode(
    gzip.compress(line(key) * 2)) + b" done\n10:02 end\n")  # fmt: skip
_file("gz+b64 with a short last line", "a.txt", lambda key: b"x\n" + base64.encodebytes(
    gzip.compress(line(key) + os.urandom(119 - len(line(key)) % 57))) + b"end\n")  # fmt: skip
_file("tgz+b64 in a zip", "a.zip", lambda key: zipped(
    {"n.txt": b"data " + base64.b64encode(tarred({"b": line(key)}, mode="w:gz"))}))  # fmt: skip
for _kind, _pack in {"bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd}.items():
    _file(f"{_kind}+b64", "n.txt", lambda key, pack=_pack: b"data " + base64.b64encode(pack(line(key) * 9)) + b"\n")  # type: ignore[misc]
_file("zip+b64", "n.txt", lambda key: b"data " + base64.b64encode(zipped({"a": line(key)})) + b"\n")
_file("7z+b64", "n.txt", lambda key: b"data " + base64.b64encode(seven({"a": line(key)})) + b"\n")
_file("mail attachment", "m.eml", lambda key: b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(
    zipped({"a": line(key) + os.urandom(200)})))  # fmt: skip
_file("ar in a tar", "a.tar", lambda key: tarred({"a.a": _library("a.log/", line(key))}))
_file("deb", "a.deb", lambda key: _library("debian-binary", b"2.0\n") + _library(
    "control.tar.xz", lzma.compress(tarred({"postinst": line(key)})))[8:])  # fmt: skip
_file("7z of equal names", "a.7z", lambda key: seven({"a": b"x", "b/a": line(key)}))
_file("zip behind a script", "a.pyz", lambda key: b"#!/usr/bin/env python3\n" + zipped({"m.py": line(key)}))
_file("zip behind a program", "setup.exe", lambda key: b"MZ" + bytes(2000) + zipped({"m.py": line(key)}))
_file("brotli", "a.json.br", lambda key: brotli.compress(line(key) * 3))
_file(
    "gzip in hex",
    "dump.sql",
    lambda key: b"COPY t (a) FROM stdin;\n\\\\x" + gzip.compress(line(key)).hex().encode() + b"\n",
)
_file(
    "gzip behind a script",
    "install.run",
    lambda key: b"#!/bin/sh\ntail -n +4 $0 | gunzip\nexit\n" + gzip.compress(line(key)),
)
_file("gzip in an answer", "answer.txt", lambda key: b"HTTP/1.1 200 OK\r\n\r\n" + gzip.compress(line(key)) + b"\nGET /")
_file("brotli without a name", "body", lambda key: brotli.compress(b"a line\n" * 9 + line(key)))
_file("deflate without a name", "body", lambda key: zlib.compress(b"a line\n" * 9 + line(key), wbits=-15))
_file("brotli in a zip", "a.zip", lambda key: zipped({"a.js.br": brotli.compress(line(key) * 3)}))
_file("leveldb table in a zip", "a.zip", lambda key: zipped({"l/000005.ldb": table(b"k", line(key))}))
_file("pdf base 85", "a.pdf", lambda key: pdf(base64.a85encode(zlib.compress(
    b"BT /F 12 Tf (" + line(key)[:-1] + b") Tj ET")) + b"~>", deflate=False, filters=b"/ASCII85Decode /FlateDecode"))  # fmt: skip
_file("pdf title", "a.pdf", lambda key: pdf(b"BT ET", more=b"/Info << /Title (t " + key + b" x) >> "))
_file("pdf attachment", "a.pdf", lambda key: pdf(b"BT ET") + b"9 0 obj\n<< /Filter /FlateDecode >>\nstream\n" + zlib.compress(
    zipped({"c": line(key)})) + b"\nendstream\nendobj\n")  # fmt: skip
