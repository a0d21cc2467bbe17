"""Read and rewrite tar streams in order, in bounded memory.

`tarfile` reads a header of any length into memory, and expands a sparse file to its full size, so the header fields that matter
are parsed here. Formats: POSIX.1-2017 pax, and the GNU tar manual, section D. What was not changed is written byte for byte.
"""

from __future__ import annotations

from itertools import chain
from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.chunk_stream import ChunkStream, DamagedError
from provision.containers.steps import FormatInput, Label, Member, NotRead, copy_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.containers.steps import Steps

_BLOCK = 512
_LONGEST_HEADER = 1 << 20
_NAME, _LINK = "path", "linkpath"
_PART = {_NAME: PartKind.NAME, _LINK: PartKind.LINK}
_WHAT = {_NAME: "the name of a member", _LINK: "the target of a link"}
_FIELDS = {_NAME: (0, 100), _LINK: (157, 257), "uname": (265, 297), "gname": (297, 329)}
"""Text fields of a header, as offsets. A name may have a prefix at 345."""
AFTER_END = "(after the end mark)"


def tar_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield names, link targets, extended headers and files of a tar; what follows the end mark is a member of its own."""
    stream = source.stream
    extended: dict[str, bytes] = {}
    beside: list[tuple[str, bytes]] = []
    raw, ended = b"", False
    while len(header := stream.take(_BLOCK)) == _BLOCK:
        if not any(header):
            ended = True
            _write(out, header)
            continue
        if not checksum_is_valid(header):
            damaged = header[257:262] == b"ustar"
            if damaged:
                yield NotRead("a damaged header: the rest is read as raw bytes")
            rest = Member(AFTER_END, chain([header], stream.parts()), text=damaged)
            yield rest
            _write_member(out, rest)
            return
        kind, length = header[156:157], _number(header[124:136])
        if kind in b"xgLK":
            if length > _LONGEST_HEADER:
                yield NotRead("an extended header of more than a megabyte")
                for part in stream.parts(length):
                    _write(out, part)
                continue
            data = stream.take(length + -length % _BLOCK)
            if kind == b"g":
                yield from _global_header(header, data, out)
                continue
            extended |= _parse_extended(kind, data[:length])
            beside += _own_texts(header).items()
            raw += header + data
            continue
        yield from _entry(stream, header, raw, extended, beside, out)
        extended, beside, raw = {}, [], b""
    if header:
        rest = Member(AFTER_END, iter((header,)))
        yield rest
        _write_member(out, rest)
        if not ended:
            raise DamagedError("it ends too early")


def _entry(  # noqa: PLR0917  what precedes a member
    stream: ChunkStream,
    header: bytes,
    raw: bytes,
    extended: dict[str, bytes],
    beside: list[tuple[str, bytes]],
    out: IO[bytes] | None,
) -> Steps:
    kind, length = header[156:157], _number(header[124:136])
    maps = _sparse_maps(stream, header) if kind == b"S" else b""
    if extended.get("size", b"").isdigit():
        length = int(extended["size"])
    labels = _labels(header, extended)
    yield from labels.values()
    unseen = _unseen(chain(beside, _own_texts(header).items()), labels)
    yield from unseen
    rewrite = any(label.changed for label in (*labels.values(), *unseen))
    name = labels[_NAME].data.decode("utf-8", "replace")
    has_content = length and kind not in b"123456"  # links, devices, folders have none, whatever their size field says
    if not has_content:
        _write_header(out, header, raw, labels, length, rewrite=rewrite)
        return
    end = stream.taken_bytes + length
    member = Member(name, stream.parts(length))
    sparse = kind == b"S" or any(key.startswith("GNU.sparse") for key in extended)
    yield member
    for _ in member.chunks:  # what the reader did not take
        pass
    if stream.taken_bytes < end:
        raise DamagedError("it ends too early")
    stream.take(-length % _BLOCK)
    if member.changed and sparse and out is not None:
        yield NotRead("a sparse file, which cannot be rewritten", name)
        return
    if out is not None and not member.dropped:
        size = member.size
        _write_header(out, header, raw, labels, size if member.changed else length, maps, rewrite=rewrite)
        _write_member(out, member)
        _write(out, bytes(-size % _BLOCK))


def _labels(header: bytes, extended: dict[str, bytes]) -> dict[str, Label]:
    """Return the texts of a header: from the extended headers where they have them, else from its own fields."""
    return {key: _label(key, data) for key, data in (_own_texts(header) | extended).items()}


def _label(key: str, data: bytes) -> Label:
    return Label(_WHAT.get(key, f"the header {key[:40]} of a member"), data, _PART.get(key, PartKind.HEADER))


def _own_texts(header: bytes) -> dict[str, bytes]:
    texts = {key: header[start:end].partition(b"\0")[0] for key, (start, end) in _FIELDS.items()}
    if header[257:263] == b"ustar\0" and (prefix := header[345:500].partition(b"\0")[0]):
        texts[_NAME] = prefix + b"/" + texts[_NAME]
    return texts


def _unseen(texts: Iterable[tuple[str, bytes]], labels: dict[str, Label]) -> list[Label]:
    """Return the texts of headers that others take the place of, as far as those do not say the same.

    No program shows them, but they are in the file. Of a name like `./PaxHeaders/NAME` every part counts on its own.
    """
    shown = b"\n".join(label.data for label in labels.values())
    return [_label(key, text) for key, text in texts if any(part not in shown for part in text.split(b"/"))]


def _write_header(  # noqa: PLR0917  what a header is made of
    out: IO[bytes] | None,
    header: bytes,
    raw: bytes,
    labels: dict[str, Label],
    size: int,
    maps: bytes = b"",
    *,
    rewrite: bool,
) -> None:
    """Write a header with its extended headers: byte for byte, or as pax to `rewrite` them or when the size in them changed."""
    if out is None:
        return
    in_extended = labels.get("size")
    if not rewrite and (in_extended is None or int(in_extended.data) == size):
        out.write(raw + (header if in_extended else with_size(header, size)) + maps)
        return
    records = {key: label.now for key, label in labels.items() if key not in ("uname", "gname", "size") or raw}
    records.pop("size", None)
    if size >= 8**11:
        records["size"] = str(size).encode()
    data = b"".join(pax_record(key, value) for key, value in records.items() if value)
    body = bytearray(header)
    for key, (start, end) in _FIELDS.items():
        text = labels[key].now[: end - start]
        body[start:end] = text.ljust(end - start, b"\0")
    if header[257:263] == b"ustar\0":
        body[345:500] = bytes(155)
    out.write(with_size(_pax_block(header, b"x"), len(data)) + data + bytes(-len(data) % _BLOCK))
    out.write(with_size(bytes(body), size) + maps)


def _pax_block(header: bytes, kind: bytes) -> bytes:
    """Return the header of an extended header: nothing in it is text of the member's."""
    own = bytearray(header)
    for start, end in _FIELDS.values():
        own[start:end] = bytes(end - start)
    own[:14], own[156:157] = b"././@PaxHeader", kind
    own[257:265], own[345:500] = b"ustar\x0000", bytes(155)
    return bytes(own)


def with_size(header: bytes, size: int) -> bytes:
    """Return a header with another size, and the checksum of that."""
    if _number(header[124:136]) != size:
        field = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
        header = header[:124] + field + header[136:]
    total = sum(header) - sum(header[148:156]) + 8 * 32
    return header if _number(header[148:156]) == total else header[:148] + b"%06o\0 " % total + header[156:]


def pax_record(key: str, value: bytes) -> bytes:
    """Return `LENGTH KEY=VALUE\\n`, whose length counts itself."""
    rest = b" " + key.encode("utf-8", "surrogateescape") + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _global_header(header: bytes, data: bytes, out: IO[bytes] | None) -> Steps:
    records = {key: Label(f"the global header {key[:40]}", value) for key, value in _pax(data).items()}
    unseen = _unseen(_own_texts(header).items(), records)
    yield from records.values()
    yield from unseen
    if any(label.changed for label in unseen):
        header = with_size(_pax_block(header, b"g"), _number(header[124:136]))
    if any(record.changed for record in records.values()):
        data = b"".join(pax_record(key, record.now) for key, record in records.items())
        header = with_size(header, len(data))
        data += bytes(-len(data) % _BLOCK)
    _write(out, header + data)


def _write(out: IO[bytes] | None, data: bytes) -> None:
    if out is not None:
        out.write(data)


def _write_member(out: IO[bytes] | None, member: Member) -> None:
    if out is not None:
        member.result.seek(0)
        copy_to(member.result, out)


def checksum_is_valid(header: bytes) -> bool:
    """Whether a block is a tar header."""
    return _number(header[148:156]) == sum(header) - sum(header[148:156]) + 8 * 32


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else 0
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and set(digits) <= set(b"01234567") else 0


def _parse_extended(kind: bytes, data: bytes) -> dict[str, bytes]:
    """Parse an extended header, which precedes the header of a member."""
    if kind == b"L":
        return {_NAME: data.rstrip(b"\0")}
    if kind == b"K":
        return {_LINK: data.rstrip(b"\0")}
    return dict(_pax(data))


def _pax(data: bytes) -> dict[str, bytes]:
    return dict(_records(data))


def _records(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(data):
        length = data[at : at + 12].partition(b" ")[0]
        if not length.isdigit() or not 0 < int(length) <= len(data) - at:
            return
        key, _, value = data[at + len(length) + 1 : at + int(length)].removesuffix(b"\n").partition(b"=")
        yield key.decode("utf-8", "surrogateescape"), value
        at += int(length)


def _sparse_maps(stream: ChunkStream, header: bytes) -> bytes:
    maps, more = b"", header[482:483] == b"\1"
    while more and len(maps) < _LONGEST_HEADER:
        block = stream.take(_BLOCK)
        maps += block
        more = block[504:505] == b"\1"
    return maps
