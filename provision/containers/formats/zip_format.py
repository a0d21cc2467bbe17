"""Read and rewrite zip archives: names, comments, extra fields, members, and the bytes that belong to no member."""

from __future__ import annotations

import contextlib
import io
import zipfile
import zlib
from lzma import LZMAError
from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.chunk_stream import CHUNK_BYTES
from provision.containers.steps import FormatInput, Label, Member, NotRead, copy_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.containers.steps import Steps

_DIRECTORY_BYTES = 32 << 20
"""A zip's table of contents takes about ten times its size in memory."""
_BROKEN = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, OverflowError, MemoryError,
    zlib.error, LZMAError, KeyError, IndexError, UnicodeError,
)  # fmt: skip
"""What the standard library raises for damaged and for hostile zips."""
_LOCAL_HEADER = 30
_DESCRIPTOR = 24
"""Longest data descriptor: it follows the content of a member that was written as a stream."""
_UTF8_NAME = 0x800
_ZIP64_EXTRA = b"\1\0"
BEFORE, BETWEEN_MEMBERS = "(before the archive)", "(between members)"


def zip_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield what a zip holds. A damaged one is yielded as raw bytes."""
    file = source.seekable()
    if file is None:
        yield NotRead("a zip too large to open inside an archive: not read")
        return
    try:
        _check_directory(file)
        archive = zipfile.ZipFile(file)
        if any(info.header_offset < 0 for info in archive.infolist()):
            raise zipfile.BadZipFile("a member before the beginning of the file")
    except _BROKEN as e:
        yield NotRead(f"damaged zip: {_reason(e)}; read as raw bytes")
        file.seek(0)
        yield Member("", iter(lambda: file.read(CHUNK_BYTES), b""), text=True)
        return
    with archive:
        yield from _archive(archive, file, out)


def _archive(archive: zipfile.ZipFile, file: IO[bytes], out: IO[bytes] | None) -> Steps:
    infos = archive.infolist()
    gaps = list(_gaps(file, infos, archive.start_dir))
    if gaps and gaps[0][0] == 0:
        before = Member(BEFORE, _part(file, *gaps.pop(0)))
        yield before
        if out is not None:
            copy_to(before.result, out)
    for start, end in gaps:  # not written again: nothing refers to them
        yield Member(BETWEEN_MEMBERS, _part(file, start, end), text=True)
        yield from _lost_member(file, start, end)
    comment = Label("the comment of a zip", archive.comment, PartKind.COMMENT)
    yield comment
    new = zipfile.ZipFile(out, "w") if out is not None else None
    try:
        for info in infos:
            yield from _member(archive, info, file, new)
        if new is not None:
            new.comment = comment.now[:0xFFFF]
    finally:
        if new is not None:
            new.close()


def _lost_member(file: IO[bytes], start: int, end: int) -> Steps:
    """Yield the content of a deflated member that the table of contents does not list."""
    file.seek(start)
    head = file.read(_LOCAL_HEADER)
    if len(head) < _LOCAL_HEADER or not head.startswith(b"PK\3\4") or head[8:10] != b"\x08\0":
        return
    begun = start + _LOCAL_HEADER + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    yield Member(f"{BETWEEN_MEMBERS}, unlisted", _inflated(file, begun, end))


def _inflated(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    inner = zlib.decompressobj(wbits=-15)
    with contextlib.suppress(zlib.error):  # what comes before the damage is used; the raw bytes are read as well
        for part in _part(file, start, end):
            rest = part
            while rest and not inner.eof:
                yield inner.decompress(rest, CHUNK_BYTES)
                rest = inner.unconsumed_tail


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: IO[bytes], new: zipfile.ZipFile | None) -> Steps:
    coding = "utf-8" if info.flag_bits & _UTF8_NAME else "cp437"
    name = Label("the name of a member", info.filename.encode(coding, "surrogatepass"), PartKind.NAME)
    comment = Label("the comment of a member", info.comment, PartKind.COMMENT)
    extra = Label("an extra field of a member", info.extra, PartKind.EXTRA)
    yield name
    yield comment
    yield extra
    try:
        own = list(_local_texts(file, info, name.data))
    except _BROKEN:
        own = []
    yield from own
    made = zipfile.ZipInfo(name.now.decode(coding, "replace"), info.date_time)
    made.compress_type, made.external_attr, made.create_system = (
        info.compress_type, info.external_attr, info.create_system,
    )  # fmt: skip
    made.comment = comment.now
    if not extra.changed:
        made.extra = _without_zip64(info.extra)
    if info.filename.endswith("/") or not (info.file_size or info.compress_size):
        if new is not None:
            new.writestr(made, b"")
        return
    problems: list[str] = []
    member = Member(info.filename, _content(archive, info, problems))
    yield member
    for _ in member.chunks:  # what the reader did not take, so that damage is noticed
        pass
    yield from (NotRead(problem, info.filename) for problem in problems[:1])
    if new is not None and not member.dropped and not problems:
        size = member.size
        with new.open(made, "w", force_zip64=size >= zipfile.ZIP64_LIMIT) as packed:
            copy_to(member.result, packed)


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, problems: list[str]) -> Iterator[bytes]:
    try:
        with archive.open(info) as member:
            while chunk := member.read(CHUNK_BYTES):
                yield chunk
    except _BROKEN as e:
        problems.append(f"{_reason(e)}; not read to its end")


def _local_texts(file: IO[bytes], info: zipfile.ZipInfo, name: bytes) -> Iterator[Label]:
    """Yield the texts of a member's own header that the table of contents does not repeat."""
    file.seek(info.header_offset)
    head = file.read(_LOCAL_HEADER)
    length = int.from_bytes(head[26:28], "little")
    text = file.read(length + int.from_bytes(head[28:30], "little"))
    if text[:length] != name:
        yield Label("the name in a member's own header", text[:length], PartKind.NAME)
    if text[length:] not in (info.extra, b""):
        yield Label("an extra field in a member's own header", text[length:], PartKind.EXTRA)


def _gaps(file: IO[bytes], infos: list[zipfile.ZipInfo], directory: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges before the table of contents that belong to no member."""
    at = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        if info.header_offset > at + (_DESCRIPTOR if at else 0):
            yield at, info.header_offset
        file.seek(info.header_offset + 26)
        lengths = file.read(4)
        texts = int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        at = max(at, info.header_offset + _LOCAL_HEADER + texts + info.compress_size)
    if directory > at + (_DESCRIPTOR if at else 0):
        yield at, directory


def _part(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, CHUNK_BYTES):
        file.seek(at)
        yield file.read(min(CHUNK_BYTES, end - at))


def _without_zip64(extra: bytes) -> bytes:
    """Return extra fields without the one that holds sizes: it is written again."""
    kept, at = b"", 0
    while at + 4 <= len(extra):
        end = at + 4 + int.from_bytes(extra[at + 2 : at + 4], "little")
        if extra[at : at + 2] != _ZIP64_EXTRA:
            kept += extra[at:end]
        at = end
    return kept


def _check_directory(file: IO[bytes]) -> None:
    """Raise ValueError when a zip's table of contents would take too much memory."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at >= 0:
        length = int.from_bytes(tail[at + 12 : at + 16], "little")
        zip64 = tail.rfind(b"PK\6\6", 0, at)
        if length == 0xFFFFFFFF and zip64 >= 0:
            length = int.from_bytes(tail[zip64 + 40 : zip64 + 48], "little")
        if length > _DIRECTORY_BYTES:
            raise ValueError("its table of contents is too large")
    file.seek(0)


def _reason(error: BaseException) -> str:
    """Describe an error of a zip in fixed words: the library's messages may repeat names from the archive."""
    if isinstance(error, RuntimeError) and "password" in str(error):
        return "encrypted"
    if isinstance(error, NotImplementedError):
        return "compressed by a method that is not supported"
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError) and "table of contents" in str(error):
        return str(error)
    return "it is cut off" if isinstance(error, EOFError) else "its content does not match its header"
