"""Decompress a snappy block (the raw format: no frames, no checksums), with a limit on its size."""

from __future__ import annotations


def snappy_decompress(data: bytes, most_bytes: int) -> bytes:
    """Return the content of a block. Raises ValueError when it is damaged or unpacks to more than `most_bytes`."""
    size, at = read_varint(data, 0)
    if size > most_bytes:
        raise ValueError("too large")
    out = bytearray()
    try:
        while at < len(data):
            tag = data[at]
            at += 1
            if tag & 3 == 0:
                length = tag >> 2
                if length >= 60:
                    extra = length - 59
                    length = int.from_bytes(data[at : at + extra], "little")
                    at += extra
                out += data[at : at + length + 1]
                at += length + 1
            else:
                at = _copy(out, tag, data, at)
            if len(out) > size:
                raise ValueError("damaged")
    except IndexError as e:
        raise ValueError("damaged") from e
    if len(out) != size:
        raise ValueError("damaged")
    return bytes(out)


def _copy(out: bytearray, tag: int, data: bytes, at: int) -> int:
    """Append a copy of earlier output; return the offset after its description."""
    if tag & 3 == 1:
        length, offset = 4 + (tag >> 2 & 7), (tag >> 5) << 8 | data[at]
        at += 1
    else:
        width = 2 if tag & 3 == 2 else 4
        length, offset = 1 + (tag >> 2), int.from_bytes(data[at : at + width], "little")
        at += width
    if not 0 < offset <= len(out):
        raise ValueError("damaged")
    piece = bytes(out[-offset:][:length])
    out += (piece * (length // len(piece) + 1))[:length]
    return at


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number in base 128 and the offset after it. Raises ValueError."""
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
        shift += 7
    raise ValueError("damaged")
