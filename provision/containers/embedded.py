"""Find containers that a text holds in base64: Helm releases, cloud-init's `gz+b64`, cookies, kubectl dumps, mail attachments.
Gzip is also found in hex (bytea in dumps of PostgreSQL) and as it is (scripts that unpack themselves, recorded answers).

Only runs are looked at that begin as base64 of a compressed stream, a zip, a 7z or a database does. Base64 of base64 of gzip (a
Helm release in a Secret's YAML) is decoded as well.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from provision.containers.chunk_stream import DamagedError
from provision.containers.container_format import COMPRESSED_FORMATS, HEAD_BYTES, container_format, elsewhere_in
from provision.containers.formats.decompress import can_decompress, decompress
from provision.detect.engines.words import word_finder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_GZIP = b"\x1f\x8b\x08"
_GZIP_IN_HEX = (b"1f8b08", b"1F8B08")
_NEEDLES = (
    _GZIP,
    *_GZIP_IN_HEX,
    b"H4sI",  # gzip
    b"SDRz",  # base64 of that
    b"Qlpo",  # bzip2
    b"/Td6", b"_Td6",  # xz
    b"KLUv",  # zstd
    b"UEsD",  # zip
    b"N3q8",  # 7z
    b"U1FM",  # SQLite
    *(b"eJ" + bytes([last]) for last in b"wxyz"),
    *(b"eN" + bytes([last]) for last in b"opqr"),
    *(b"eA" + bytes([last]) for last in b"EFGH"),
)  # fmt: skip
"""How base64 of these begins, and base64 of the zlib headers 78 9c, 78 da and 78 01. Longer ones make the search slow."""
_BEGUN = frozenset(needle[:length] for needle in _NEEDLES for length in range(1, len(needle)))
_LONGEST_NEEDLE = max(map(len, _NEEDLES))
_OPENED = COMPRESSED_FORMATS | {"zip", "7z", "sqlite"}
_RUN = re.compile(rb"[A-Za-z0-9+/_-]+(?:(?:\\n|\r?\n)[ \t]*[A-Za-z0-9+/_-]{16,})*={0,2}")
_LAST_LINE = re.compile(rb"(?:\\n|\r?\n)[ \t]*[A-Za-z0-9+/_-]{1,15}={0,2}(?![A-Za-z0-9+/_=-])")
_MAY_GO_ON = re.compile(rb"=*\r?(?:\\|(?:\\n|\n)[ \t]*[A-Za-z0-9+/_-]*=*)?\Z")
_SPACE = re.compile(rb"\\n|\s+")
_HEX_RUN = re.compile(rb"(?:[0-9a-fA-F]{2})+")
_AS_IT_IS, _IN_HEX = 0, -1
_LONGEST_HEADER = 512
_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_NOT_A_WORD = (b"\\n", b"\\x", b"0x")
_SHORTEST = 40
_LONGEST_BYTES = 16 << 20
_MOST = 1000
_ENOUGH_BYTES = 64 << 20
_NESTED = 3
_CONTEXT = 2
_END_BYTES = 1 << 17
_AT_THE_END = ("zip", "leveldb table")


@functools.cache
def _finder() -> Callable[[bytes], list[int]]:
    """Return a function that lists where needles are; every text is searched for them, so this takes the fastest engine."""
    try:
        hyperscan = import_module("hyperscan")
    except ImportError:
        words = word_finder(_NEEDLES)
        return lambda data: [start for _, start in words(data)]
    database = hyperscan.Database()
    database.compile(expressions=list(_NEEDLES), ids=list(range(len(_NEEDLES))), flags=[0] * len(_NEEDLES))

    def found(data: bytes) -> list[int]:
        starts: list[int] = []

        def on_match(number: int, _start: int, end: int, *_: object) -> None:
            starts.append(end - len(_NEEDLES[number]))

        database.scan(data, match_event_handler=on_match)
        return sorted(starts)

    return found


class EmbeddedStream(NamedTuple):
    """A container in a text: where, of which format, its bytes, and the range of the text that encodes it."""

    label: str
    kind: str
    data: bytes
    start: int
    text: bytes
    times: int
    """How many times it is encoded in base64; 0 if it is there as it is, -1 in hex."""

    @property
    def end(self) -> int:
        """The offset after the text."""
        return self.start + len(self.text)


class EmbeddedStreams:
    """Collects the containers of one text. `problems` says what was not read."""

    def __init__(self) -> None:
        self._found: list[EmbeddedStream] = []
        self._count = 0
        self.problems: list[str] = []
        self._context = b""
        """The bytes before those that are searched: a run does not begin inside a word."""
        self._before = 0
        self._tried = (-1, 0)
        """The offset and length of the last gzip stream whose end was not there yet."""

    @classmethod
    def of(cls, data: bytes) -> EmbeddedStreams:
        """Find the containers in a text in memory."""
        found = cls()
        found.search(data, final=True)
        return found

    def streams(self) -> list[EmbeddedStream]:
        """Return what was found."""
        return self._found

    def watching(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass chunks on and search them."""
        held = b""
        for chunk in self._ended(chunks):
            yield chunk
            held = self.search(held + chunk if held else chunk, final=False)
        self.search(held, final=True)

    def _ended(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass chunks on, and look at the end for an archive that begins somewhere in them."""
        end = b""
        for chunk in chunks:
            yield chunk
            end = (chunk if len(chunk) >= _END_BYTES else end + chunk)[-_END_BYTES:]
        if elsewhere_in(end) in _AT_THE_END:
            self._problem("not read: an archive at the end of a text")

    def split(self, chunks: Iterable[bytes]) -> Iterator[bytes | EmbeddedStream]:
        """Yield the text in pieces, and each container in its place; only what may belong to one is held back."""
        held = b""
        for chunk in self._ended(chunks):
            data = held + chunk if held else chunk
            held = self.search(data, final=False)
            yield from self._pieces(data[: len(data) - len(held)])
        self.search(held, final=True)
        yield from self._pieces(held)

    def _pieces(self, data: bytes) -> Iterator[bytes | EmbeddedStream]:
        """Yield what was searched last: text, and the containers that were found in it."""
        begun = self._before - len(data)
        at = 0
        for stream in self._found:
            if stream.start - begun > at:
                yield data[at : stream.start - begun]
            yield stream
            at = stream.end - begun
        self._found.clear()
        if at < len(data):
            yield data[at:]

    def search(self, data: bytes, *, final: bool) -> bytes:
        """Search a piece of the text, and return its end that belongs to the next one."""
        begun = len(data) if final else len(data) - _held_back(data, self._context)
        end = 0
        for at in _finder()(data):
            if at < end:
                continue
            if data.startswith((_GZIP, *_GZIP_IN_HEX), at):
                if not data.startswith(_GZIP, at) and _inside_word(data, at, self._context):
                    continue
                gzip_end = self._gzip(data, at, final=final)
                if gzip_end is None and not final:
                    begun = min(begun, at)
                    break
                end = gzip_end or end
                continue
            if _inside_word(data, at, self._context):
                continue
            run = _RUN.match(data, at)
            assert run is not None  # noqa: S101  a needle is one
            end = run.end()
            if not final and _MAY_GO_ON.match(data, end):
                if len(data) - at <= _LONGEST_BYTES:
                    begun = min(begun, at)
                    break
                self._problem("base64 of a container of more than 16 MiB was not unpacked")
            elif end - at >= _SHORTEST:
                end = self._add(data, at, end)
        self._context = (self._context + data[max(0, begun - _CONTEXT) : begun])[-_CONTEXT:]
        self._before += begun
        return data[begun:]

    def _gzip(self, text: bytes, start: int, *, final: bool) -> int | None:
        """Note the gzip stream that begins here, in hex or as it is; return where it ends, None if more of it may follow."""
        if not final and self._tried[0] == self._before + start and len(text) - start < 2 * self._tried[1]:
            return None  # so that a long one is not unpacked again for each piece
        self._tried = self._before + start, len(text) - start
        plain = text.startswith(_GZIP, start)
        run = None if plain else _HEX_RUN.match(text, start)
        data = bytes.fromhex(run[0].decode()) if run else text[start : start + _LONGEST_BYTES]
        inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        size = 0
        try:
            inner.decompress(data[:_LONGEST_HEADER], _LONGEST_HEADER)  # nearly all other bytes fail here
            inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            rest = data
            while rest and not inner.eof and size < _ENOUGH_BYTES:
                size += len(inner.decompress(rest, 1 << 20))
                rest = inner.unconsumed_tail
        except zlib.error:
            return start + 1
        if not inner.eof:
            if size >= _ENOUGH_BYTES or len(text) - start > _LONGEST_BYTES:
                self._problem("gzip inside other content, of more than 16 MiB, was not unpacked")
                return start + 1
            return None
        length = len(data) - len(inner.unused_data)
        end = start + (length if plain else 2 * length)
        if self._count >= _MOST:
            self._problem(f"only the first {_MOST} containers in a text were unpacked")
            return end
        self._count += 1
        at, form = self._before + start, _AS_IT_IS if plain else _IN_HEX
        label = f"gzip at byte {at}" if plain else f"hex at byte {at}"
        self._found.append(EmbeddedStream(label, "gzip", data[:length], at, text[start:end], form))
        return end

    def _add(self, text: bytes, start: int, end: int) -> int:
        """Note the container that a run encodes; return where the run ends. A shorter last line may belong to it."""
        found = _decoded(text[start:end])
        last = _LAST_LINE.match(text, end)
        if found is not None and last is not None and not _is_whole(*found[:2]):
            longer = _decoded(text[start : last.end()])
            if longer is not None and _is_whole(*longer[:2]):
                found, end = longer, last.end()
        if found is None:
            return end
        if self._count >= _MOST:
            self._problem(f"only the first {_MOST} containers in a text were unpacked")
            return end
        self._count += 1
        kind, data, times = found
        at = self._before + start
        self._found.append(EmbeddedStream(f"base64 at byte {at}", kind, data, at, text[start:end], times))
        return end

    def _problem(self, reason: str) -> None:
        if reason not in self.problems:
            self.problems.append(reason)


def _held_back(text: bytes, context: bytes) -> int:
    """Return how many bytes at the end may be the beginning of a needle, at the beginning of a word."""
    for length in range(min(_LONGEST_NEEDLE - 1, len(text)), 0, -1):
        at = len(text) - length
        if text[at:] in _BEGUN and (text[at] == _GZIP[0] or not _inside_word(text, at, context)):
            return length
    return 0


def _inside_word(text: bytes, at: int, context: bytes) -> bool:
    """Whether a word goes on at an offset; `context` are the bytes before the text."""
    before = text[at - _CONTEXT : at] if at >= _CONTEXT else context + text[:at]
    return before[-1:] != b"" and before[-1] in _WORD and before[-_CONTEXT:] not in _NOT_A_WORD


def _decoded(text: bytes) -> tuple[str, bytes, int] | None:
    """Return the container that a text encodes: format, bytes, how many times it is encoded."""
    data = text
    for times in range(1, _NESTED + 1):
        decoded = decode_base64(data)
        if decoded is None:
            return None
        data = decoded
        kind = container_format(data[:HEAD_BYTES])
        if kind in _OPENED:
            return kind, data, times
    return None


def _is_whole(kind: str, data: bytes) -> bool:
    """Whether a compressed stream is complete and nothing follows it; other containers are compared by their end."""
    if kind == "zip":
        return data[-22:-18] == b"PK\5\6"
    if kind not in COMPRESSED_FORMATS or not can_decompress(kind):
        return False
    size = 0
    try:
        for chunk in decompress(kind, (data,)):
            size += len(chunk)
            if size > _ENOUGH_BYTES:
                break
    except DamagedError:
        return False
    return True


def decode_base64(text: bytes) -> bytes | None:
    """Decode base64 with line breaks, in either alphabet, with or without padding; None when it is not base64."""
    joined = _SPACE.sub(b"", text).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(
            joined[: len(joined) - (len(joined) % 4 == 1)] + b"=" * (-len(joined) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        return None


def encode_like(data: bytes, text: bytes, times: int) -> bytes:
    """Encode data `times` times, with the alphabet, the line breaks and the padding of `text`; see `EmbeddedStream.times`."""
    if times == _AS_IT_IS:
        return data
    if times == _IN_HEX:
        return (data.hex() if text == text.lower() else data.hex().upper()).encode()
    for _ in range(times):
        data = base64.b64encode(data)
    if b"-" in text or b"_" in text:
        data = data.translate(bytes.maketrans(b"+/", b"-_"))
    if not text.endswith(b"="):
        data = data.rstrip(b"=") if len(_SPACE.sub(b"", text)) % 4 else data
    broken = _SPACE.search(text)
    if broken is None:
        return data
    width = broken.start()
    return broken[0].join(data[at : at + width] for at in range(0, len(data), width))
