"""Read git packs and bundles as files: repositories inside archives, `git bundle`, and packs without a repository.

A repository on disk is read through git itself, with commits and paths (`audit.sources.git`). Format: `gitformat-pack(5)`.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import OrderedDict
from typing import IO, TYPE_CHECKING, NamedTuple

from provision.containers.blob import PartKind
from provision.containers.chunk_stream import DamagedError
from provision.containers.formats.snappy import read_varint
from provision.containers.steps import FormatInput, Label, Member, NotRead

if TYPE_CHECKING:
    from provision.containers.steps import Steps

_KINDS = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag"}
_OFS_DELTA, _REF_DELTA = 6, 7
_LARGEST_OBJECT = 64 << 20
_KEPT_BYTES = 64 << 20
_LONGEST_HEADER = 1 << 20
_DEEPEST_CHAIN = 4096


class _Entry(NamedTuple):
    kind: int
    base: int | bytes | None
    data_at: int
    size: int


def bundle_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield the names in the head of a bundle, then the objects in its pack."""
    data = source.held() or b""
    at = data.find(b"\n\nPACK")
    if at < 0:
        raise DamagedError("a bundle without a pack")
    yield Label("the head of a bundle", data[:at], PartKind.HEADER)
    yield from _pack(data, at + 2)


def pack_steps(source: FormatInput, out: IO[bytes] | None) -> Steps:
    """Yield the objects of a pack."""
    yield from _pack(source.held() or b"", 0)


def _pack(data: bytes, start: int) -> Steps:
    count = int.from_bytes(data[start + 8 : start + 12], "big")
    reader = _Pack(data)
    at = start + 12
    missing = large = 0
    for _ in range(count):
        try:
            end = reader.end_of(at)
        except (ValueError, zlib.error, IndexError) as e:
            raise DamagedError("not a valid git pack to its end") from e
        try:
            kind, content = reader.content(at)
            name = hashlib.sha1(b"%s %d\0%s" % (_KINDS[kind], len(content), content), usedforsecurity=False).digest()
            reader.named[name] = at
            if kind == 2:
                yield Label(f"tree {name.hex()[:10]}", content, PartKind.NAME)
            else:
                yield Member(f"{_KINDS[kind].decode()} {name.hex()[:10]}", iter((content,)))
        except _TooLargeError:
            large += 1
        except (ValueError, zlib.error, IndexError, KeyError):
            missing += 1
        at = end
    if missing:
        yield NotRead(f"{missing} objects of a git pack are not read: what they are based on is not in it")
    if large:
        yield NotRead(f"{large} objects of a git pack are not read: they are larger than {_LARGEST_OBJECT >> 20} MiB")


class _TooLargeError(Exception):
    """An object is larger than is held in memory."""


class _Pack:
    """Resolves the objects of one pack; what was resolved last is kept, for the objects based on it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._kept: OrderedDict[int, tuple[int, bytes]] = OrderedDict()
        self._kept_bytes = 0
        self.named: dict[bytes, int] = {}

    def end_of(self, at: int) -> int:
        """Return the offset after the entry at an offset. Raises ValueError, IndexError, zlib.error."""
        entry = self._parsed(at)
        inner = zlib.decompressobj()
        rest: bytes | memoryview = memoryview(self._data)[entry.data_at : entry.data_at + (1 << 16)]
        position = entry.data_at
        while not inner.eof:
            if not rest:
                raise ValueError("cut off")
            position += len(rest)
            inner.decompress(rest, 1 << 20)
            while inner.unconsumed_tail and not inner.eof:
                inner.decompress(inner.unconsumed_tail, 1 << 20)
            rest = memoryview(self._data)[position : position + (1 << 16)]
        return position - len(inner.unused_data)

    def _parsed(self, at: int) -> _Entry:
        first = self._data[at]
        kind, size, shift = first >> 4 & 7, first & 15, 4
        at += 1
        while self._data[at - 1] & 0x80:
            size |= (self._data[at] & 0x7F) << shift
            shift += 7
            at += 1
        base: int | bytes | None = None
        if kind == _OFS_DELTA:
            base, at = self._offset(at)
        elif kind == _REF_DELTA:
            base, at = self._data[at : at + 20], at + 20
        elif kind not in _KINDS:
            raise ValueError("an unknown kind of object")
        return _Entry(kind, base, at, size)

    def _offset(self, at: int) -> tuple[int, int]:
        byte = self._data[at]
        value, at = byte & 0x7F, at + 1
        while byte & 0x80:
            byte = self._data[at]
            value, at = (value + 1 << 7) | byte & 0x7F, at + 1
        return value, at

    def content(self, at: int) -> tuple[int, bytes]:
        """Return kind and content of the object at an offset. Raises ValueError, KeyError, _TooLargeError."""
        chain: list[bytes] = []
        while at not in self._kept:
            entry = self._parsed(at)
            content = self._inflated(entry)
            if entry.base is None:
                self._keep(at, entry.kind, content)
                break
            if len(chain) >= _DEEPEST_CHAIN:
                raise ValueError("too many deltas")
            chain.append(content)
            before = at
            at = self.named[entry.base] if isinstance(entry.base, bytes) else at - entry.base
            if at >= before and not isinstance(entry.base, bytes):
                raise ValueError("a delta based on itself")
        kind, content = self._kept[at]
        self._kept.move_to_end(at)
        for delta in reversed(chain):
            content = apply_delta(content, delta)
        return kind, content

    def _inflated(self, entry: _Entry) -> bytes:
        if entry.size > _LARGEST_OBJECT:
            raise _TooLargeError
        inner = zlib.decompressobj()
        content = inner.decompress(memoryview(self._data)[entry.data_at :], entry.size + 1)
        if len(content) != entry.size:
            raise ValueError("damaged")
        return content

    def _keep(self, at: int, kind: int, content: bytes) -> None:
        self._kept[at] = kind, content
        self._kept_bytes += len(content)
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, (_, old) = self._kept.popitem(last=False)
            self._kept_bytes -= len(old)


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Return the object that a delta makes of its base. Raises ValueError, _TooLargeError."""
    size, at = read_varint(delta, 0)
    result, at = read_varint(delta, at)
    if size != len(base):
        raise ValueError("damaged")
    if result > _LARGEST_OBJECT:
        raise _TooLargeError
    out = bytearray()
    while at < len(delta):
        code = delta[at]
        at += 1
        if not code & 0x80:
            out += delta[at : at + code]
            at += code
            continue
        numbers = []
        for bits in (range(4), range(4, 7)):
            value = 0
            for place, bit in enumerate(bits):
                if code >> bit & 1:
                    value |= delta[at] << 8 * place
                    at += 1
            numbers.append(value)
        start, length = numbers[0], numbers[1] or 0x10000
        out += base[start : start + length]
        if len(out) > result:
            raise ValueError("damaged")
    if len(out) != result:
        raise ValueError("damaged")
    return bytes(out)
