"""Read LevelDB tables and logs: where Electron programs (Hermes Desktop) and browsers keep Local Storage and IndexedDB.

Tables: `doc/table_format.md` of LevelDB; blocks are plain or snappy. Logs: `doc/log_format.md`. Deleted and overwritten entries
that a compaction has not removed yet are read as well. They cannot be rewritten: programs check their checksums.
"""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING

from provision.containers.blob import PartKind
from provision.containers.chunk_stream import DamagedError
from provision.containers.container_format import LEVELDB_TABLE_END
from provision.containers.formats.snappy import read_varint, snappy_decompress
from provision.containers.steps import FormatInput, Label, NotRead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.containers.steps import Steps

_FOOTER = 48
_TRAILER = 5
_BLOCK_BYTES = 32 << 10
_LARGEST_BLOCK = 64 << 20


def table_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield keys and values of a table."""
    del out
    data = source.held() or b""
    if len(data) < _FOOTER or data[-8:] != LEVELDB_TABLE_END:
        yield NotRead("not read: a LevelDB table without its end mark")
        return
    left = [max(256 << 20, 20 * len(data))]
    try:
        _, at = _handle(data, len(data) - _FOOTER)
        (start, size), _ = _handle(data, at)
        index = _block(data, start, size, left)
        for number, (_, handle) in enumerate(_entries(index)):
            (start, size), _ = _handle(handle, 0)
            try:
                entries = list(_entries(_block(data, start, size, left)))
            except ValueError as e:
                yield NotRead(f"a block of a LevelDB table is not read: {e}")
                continue
            for key, value in entries:
                yield Label(f"block {number}, key", key, PartKind.NAME)
                yield Label(f"block {number}, value", _value_text(value), PartKind.CELL)
    except ValueError as e:
        raise DamagedError("not a valid LevelDB table to its end") from e


def log_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield the records of a log, joined across its blocks."""
    del out
    record = b""
    data = source.held() or b""
    for start in range(0, len(data), _BLOCK_BYTES):
        block = data[start : start + _BLOCK_BYTES]
        at = 0
        while at + 7 <= len(block) and block[at + 6]:
            length, kind = int.from_bytes(block[at + 4 : at + 6], "little"), block[at + 6]
            if kind > 4 or at + 7 + length > len(block):
                yield NotRead("a damaged record in a LevelDB log: read as raw bytes")
                return
            piece = block[at + 7 : at + 7 + length]
            record = piece if kind in (1, 2) else record + piece
            if kind in (1, 4):
                yield Label(f"record at byte {start + at}", record, PartKind.CELL)
            at += 7 + length


def _value_text(value: bytes) -> bytes:
    """Return a text of Local Storage as UTF-8 (it has a mark of its encoding before it), and other values as they are."""
    if value[:1] == b"\0" and len(value) % 2:
        with contextlib.suppress(UnicodeDecodeError):
            return value[1:].decode("utf-16-le").encode()
    return value


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    start, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return (start, size), at


def _block(data: bytes, start: int, size: int, left: list[int]) -> bytes:
    """Return a block, unpacked; `left` counts what may still be unpacked from the file."""
    if start + size + _TRAILER > len(data):
        raise ValueError("damaged")
    block, kind = data[start : start + size], data[start + size]
    if kind == 1:
        block = snappy_decompress(block, min(_LARGEST_BLOCK, left[0]))
    elif kind:
        raise ValueError("compressed by a method that is not supported")
    left[0] -= len(block)
    if left[0] < 0:
        raise ValueError("it unpacks to far more than its own size")
    return block


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each entry; a key shares its beginning with the key before."""
    if len(block) < 4:
        raise ValueError("damaged")
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise ValueError("damaged")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        own, at = read_varint(block, at)
        length, at = read_varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise ValueError("damaged")
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length
