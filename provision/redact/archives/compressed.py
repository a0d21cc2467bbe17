"""Redact a single compressed file (gzip, bzip2, xz): unpack it, redact its content by kind, compress it again."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

from provision.redact.archives.members import Budget, copy_within, redact_member, spooled_file
from provision.redact.session import CannotExamineError

if TYPE_CHECKING:
    from provision.redact.session import Session


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a compressed file; see `RedactFile`. The gzip header's name and time are dropped."""
    magic = source.read(3)
    source.seek(0)
    inner = file.removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz")
    with spooled_file() as plain, spooled_file() as result:
        try:
            copy_within(cast("BinaryIO", _reader(magic, source)), plain, Budget())
        except (OSError, EOFError, lzma.LZMAError, zlib.error) as e:
            raise CannotExamineError("it cannot be unpacked: the file is damaged or truncated") from e
        plain.seek(0)
        redact_member(plain, result, inner, session, depth=1)
        result.seek(0)
        with _writer(magic, target) as out:
            copy_within(result, cast("BinaryIO", out), Budget())


def _reader(magic: bytes, source: BinaryIO) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=source, mode="rb")
    return bz2.BZ2File(source) if magic.startswith(b"BZh") else lzma.LZMAFile(source)


def _writer(magic: bytes, target: BinaryIO) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0)
    return bz2.BZ2File(target, "wb") if magic.startswith(b"BZh") else lzma.LZMAFile(target, "wb")
