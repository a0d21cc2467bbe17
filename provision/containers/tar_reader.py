"""Read the members of a tar stream in order, in bounded memory.

`tarfile` reads a header of any length into memory, so the few header fields that matter are parsed here. Formats: POSIX.1-2017
pax, and the GNU tar manual, section D.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from provision.containers.chunk_stream import ChunkStream, DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 512
_LONGEST_HEADER = 1 << 20


class TarMember(NamedTuple):
    """A file in a tar: its name and its content, to be read before the next member is requested."""

    name: str
    content: Iterator[bytes]


def read_tar(stream: ChunkStream) -> Iterator[TarMember]:
    """Yield the files of a tar in order; what follows the end mark is a member of its own. Raises DamagedError."""
    extended: dict[str, str] = {}
    while len(header := stream.take(_BLOCK)) == _BLOCK:
        if not any(header):
            continue
        if not _checksum_is_valid(header):
            yield TarMember("(after the end mark)", chain([header], stream.parts()))
            return
        kind, length = header[156:157], _number(header[124:136])
        if kind in b"xgLK" and length <= _LONGEST_HEADER:
            extended |= _parse_extended(kind, stream.take(length))
            stream.take(-length % _BLOCK)
            continue
        if kind == b"S":
            _skip_sparse_maps(stream, header)
        if extended.get("size", "").isdecimal():
            length = int(extended["size"])
        if (
            length and kind not in b"123456"
        ):  # links, devices and folders have no content, whatever their size field says
            end = stream.taken_bytes + length
            content = stream.parts(length)
            yield TarMember(extended.get("path") or _name(header), content)
            for _ in content:  # what the reader did not take
                pass
            if stream.taken_bytes < end:
                raise DamagedError("it ends too early")
            stream.take(-length % _BLOCK)
        extended = {}
    if header:
        raise DamagedError("it ends too early")


def _checksum_is_valid(header: bytes) -> bool:
    return _number(header[148:156]) == sum(header) - sum(header[148:156]) + 8 * 32


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else 0
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and set(digits) <= set(b"01234567") else 0


def _name(header: bytes) -> str:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    return _text(prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _parse_extended(kind: bytes, data: bytes) -> dict[str, str]:
    """Parse an extended header, which precedes the header of a member."""
    if kind == b"L":
        return {"path": _text(data.rstrip(b"\0"))}
    return _pax(data) if kind == b"x" else {}


def _pax(data: bytes) -> dict[str, str]:
    found = {}
    while data:
        length = data.partition(b" ")[0]
        if not length.isdigit() or not 0 < int(length) <= len(data):
            break
        record = data[len(length) + 1 : int(length)]
        name, _, value = record.removesuffix(b"\n").partition(b"=")
        found[_text(name)] = _text(value)
        data = data[int(length) :]
    return found


def _skip_sparse_maps(stream: ChunkStream, header: bytes) -> None:
    more = header[482:483] == b"\1"
    while more:
        block = stream.take(_BLOCK)
        more = block[504:505] == b"\1"
