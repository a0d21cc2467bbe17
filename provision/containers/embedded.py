"""Find compressed streams that a text holds in base64: Helm releases, cloud-init's `gz+b64`, cookies, kubectl dumps.

Only runs are looked at that begin as base64 of a gzip or zlib header does. Base64 of base64 (a Helm release in a Secret's YAML)
is decoded as well.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

from provision.containers.container_format import HEAD_BYTES, container_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_NEEDLES = (
    b"H4sI",
    b"SDRzSU",
    *(b"eJ" + bytes([last]) for last in b"wxyz"),
    *(b"eN" + bytes([last]) for last in b"opqr"),
    *(b"eA" + bytes([last]) for last in b"EFGH"),
)
"""How base64 of a gzip header begins, base64 of that, and base64 of the zlib headers 78 9c, 78 da and 78 01."""
_LONGEST_NEEDLE = 8
_RUN = re.compile(rb"[A-Za-z0-9+/_-]+(?:(?:\\n|\r?\n)[ \t]*[A-Za-z0-9+/_-]{16,})*={0,2}")
_SPACE = re.compile(rb"\\n|\s+")
_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_SHORTEST = 40
_LONGEST_BYTES = 16 << 20
_MOST = 1000
_NESTED = 3


@functools.cache
def _finder() -> Callable[[bytes], list[int]]:
    """Return a function that lists where needles are; every text is searched for them, so this takes the fastest engine."""
    try:
        hyperscan = import_module("hyperscan")
    except ImportError:
        ahocorasick = BytesAhoCorasick(_NEEDLES, implementation=Implementation.DFA)
        return lambda data: [start for _, start, _ in ahocorasick.find_matches_as_indexes(data)]
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
    """A compressed stream in a text: where, of which format, its bytes, and the range of the text that encodes it."""

    label: str
    kind: str
    data: bytes
    start: int
    end: int
    times: int
    """How many times it is encoded."""


class EmbeddedStreams:
    """Collects the streams of one text. `problems` says what was not read."""

    def __init__(self) -> None:
        self._found: list[EmbeddedStream] = []
        self.problems: list[str] = []
        self._held = b""
        self._before = 0

    @classmethod
    def of(cls, data: bytes) -> EmbeddedStreams:
        """Find the streams in a text in memory."""
        found = cls()
        found.search(data, final=True)
        return found

    def streams(self) -> list[EmbeddedStream]:
        """Return what was found."""
        return self._found

    def watching(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass chunks on and search them."""
        for chunk in chunks:
            yield chunk
            self._held = self.search(self._held + chunk if self._held else chunk, final=False)
        self.search(self._held, final=True)
        self._held = b""

    def search(self, data: bytes, *, final: bool) -> bytes:
        """Search a piece of the text, and return its end that belongs to the next one."""
        if len(data) < _SHORTEST:
            return data
        begun = len(data) if final else len(data) - _LONGEST_NEEDLE
        end = 0
        for at in _finder()(data):
            if at < end or (at and data[at - 1] in _WORD and data[at - 2 : at] != b"\\n"):
                continue
            run = _RUN.match(data, at)
            assert run is not None  # noqa: S101  a needle is one
            end = run.end()
            if end + 2 >= len(data) and not final:
                if len(data) - at <= _LONGEST_BYTES:
                    begun = min(begun, at)
                    break
                self._problem("base64 of a compressed stream of more than 16 MiB was not unpacked")
            elif end - at >= _SHORTEST:
                self._add(data[at:end], self._before + at)
        self._before += begun
        return data[begun:]

    def _add(self, text: bytes, start: int) -> None:
        if any(each.start <= start < each.end for each in self._found[-_NESTED:]):
            return
        if len(self._found) >= _MOST:
            self._problem(f"only the first {_MOST} compressed streams in base64 were unpacked")
            return
        data = text
        for times in range(1, _NESTED + 1):
            decoded = decode_base64(data)
            if decoded is None:
                return
            data = decoded
            kind = container_format(data[:HEAD_BYTES])
            if kind in ("gzip", "zlib"):
                self._found.append(
                    EmbeddedStream(f"base64 at byte {start}", kind, data, start, start + len(text), times)
                )
                return

    def _problem(self, reason: str) -> None:
        if reason not in self.problems:
            self.problems.append(reason)


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
    """Encode data `times` times, with the alphabet, the line breaks and the padding of `text`."""
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
