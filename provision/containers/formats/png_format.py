"""Read and rewrite the texts of PNG pictures: `tEXt`, `zTXt`, `iTXt` and EXIF. The pixels are for `provision redact`."""

from __future__ import annotations

import zlib
from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.chunk_stream import DamagedError
from provision.containers.steps import FormatInput, Label, Member, NotRead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.containers.steps import Steps

_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")


def png_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield each text chunk."""
    stream = source.stream
    _write(out, stream.take(8))
    while len(head := stream.take(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        body = stream.take(length)
        tail = stream.take(4)
        if len(tail) < 4:
            raise DamagedError("it ends too early")
        if kind in _TEXTS:
            try:
                head_of_text, compressed, text = _text(kind, body)
            except ValueError:
                yield NotRead(f"a damaged {kind.decode()} text")
                continue
            member = Member(f"({kind.decode()})", _unpacked(text) if compressed else iter((text,)))
            name = Label(f"the keyword of a {kind.decode()} text", head_of_text, PartKind.HEADER)
            yield name
            yield member
            if member.changed or name.changed:
                new = member.result.read() if member.size else b""
                body = name.now + (zlib.compress(new) if compressed else new)
                head, tail = len(body).to_bytes(4, "big") + kind, zlib.crc32(kind + body).to_bytes(4, "big")
            if member.dropped:
                continue
        _write(out, head + body + tail)
        if kind == b"IEND":
            break
    rest = Member("(after the end of the picture)", stream.parts())
    yield rest
    if rest.size:
        _write(out, rest.result.read())


def _text(kind: bytes, body: bytes) -> tuple[bytes, bool, bytes]:
    """Return what precedes the text, whether the text is compressed, and the text."""
    if kind == b"eXIf":
        return b"", False, body
    end = body.index(b"\0") + 1
    if kind == b"zTXt":
        return body[: end + 1], True, body[end + 1 :]
    if kind == b"iTXt":
        compressed = body[end : end + 1] == b"\1"
        end = body.index(b"\0", body.index(b"\0", end + 2) + 1) + 1
        return body[:end], compressed, body[end:]
    return body[:end], False, body[end:]


def _unpacked(data: bytes) -> Iterator[bytes]:
    inner = zlib.decompressobj()
    rest = data
    while rest and not inner.eof:
        try:
            chunk = inner.decompress(rest, 1 << 20)
        except zlib.error as e:
            raise DamagedError("a damaged text") from e
        if chunk:
            yield chunk
        rest = inner.unconsumed_tail


def _write(out: IO[bytes] | None, data: bytes) -> None:
    if out is not None:
        out.write(data)
