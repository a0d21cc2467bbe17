"""Find secrets in one blob: each match with its line, column, key path and the masked rest of its line."""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from provision.audit.finding import Location, RawFinding
from provision.containers.blob import Blob, MatchPosition
from provision.detect.shapes import mask_secrets
from provision.formats.key_paths import form_of, key_paths, yaml_scalars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.detect.detector import Detector
    from provision.detect.match import Match

_AROUND_BYTES = 60
_KEPT_BYTES = 4 << 20
"""How much of a stream is kept after it was read: more than a detector holds back."""
_YAML_BYTES = 1 << 20
_ESCAPED = re.compile(rb'"[^"\n]*\\[xuU\n/]')
MASK = "****"


def match_blob(blob: Blob, detector: Detector) -> Iterator[RawFinding]:
    """Yield every match in `blob`, in order. A stream is read once, in bounded memory."""
    if isinstance(blob.data, bytes):
        matches = detector.scan(blob.data)
        escaped = _escaped_yaml(blob, matches, detector)
        if matches:
            text = _Text()
            text.add(blob.data)
            yield from _placed(blob, text, matches, binary=b"\0" in blob.data[:8192])
        yield from escaped
        return
    text = _Text()
    yield from _placed(blob, text, detector.scan_chunks(text.reading(blob.data)), binary=None)


class _Pending(NamedTuple):
    match: Match
    spot: MatchPosition
    before: tuple[int, bytes]
    """Offset and bytes of the text before the match in its line; `after` likewise."""
    after: tuple[int, bytes]


def _placed(blob: Blob, text: _Text, matches: Iterable[Match], *, binary: bool | None) -> Iterator[RawFinding]:
    """Yield findings with a delay: the rest of a line is shown only when all secrets in it are known."""
    path_at = None
    waiting: deque[_Pending] = deque()
    spans: deque[tuple[int, int]] = deque()
    for match in matches:
        while waiting and waiting[0].match.end + _AROUND_BYTES < match.start:
            yield _finding(blob, waiting.popleft(), spans)
        while spans and spans[0][1] < match.start - (1 << 16):
            spans.popleft()
        spans.extend(match.spans)
        if blob.locate is not None:
            located = blob.locate(match)
            if located is None:
                continue
            spot = located
        else:
            if path_at is None and isinstance(blob.data, bytes):
                path_at = key_paths(blob.where or blob.path, blob.data)
            line, column = text.at(match.start)
            binary = text.binary if binary is None else binary
            if binary and "utf-16" not in match.encodings:
                spot = MatchPosition(f"byte {match.start}")
            else:
                spot = MatchPosition(path_at(match.start) if path_at else None, line, column)
        waiting.append(_Pending(match, spot, *text.around(match.start, match.end)))
    while waiting:
        yield _finding(blob, waiting.popleft(), spans)


def _finding(blob: Blob, found: _Pending, spans: Iterable[tuple[int, int]]) -> RawFinding:
    where = ": ".join(part for part in (blob.where, found.spot.where) if part)
    place = Location(blob.path, found.spot.line, found.spot.column, where or None)
    before, after = (_masked(*part, spans) for part in (found.before, found.after))
    return RawFinding(place, found.match, blob.kind, before, after)


def _masked(offset: int, data: bytes, spans: Iterable[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in sorted(spans):
        first, last = max(start - offset, at), min(end - offset, len(data))
        if first < last:
            parts += [data[at:first], MASK.encode()]
            at = last
    return mask_secrets(b"".join([*parts, data[at:]]).decode("utf-8", "replace"))


class _Chunk(NamedTuple):
    offset: int
    line: int
    column: int
    data: bytes


class _Text:
    """Lines and columns of bytes in a stream. Counting starts at the last offset asked for, so the total cost is linear."""

    def __init__(self) -> None:
        self._kept: deque[_Chunk] = deque()
        self._end = _Chunk(0, 1, 1, b"")
        self._last = self._end
        self.binary = False

    def reading(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self._end.offset == 0:
                self.binary = b"\0" in chunk[:8192]
            self.add(chunk)
            yield chunk

    def add(self, chunk: bytes) -> None:
        start = self._end._replace(data=chunk)
        self._kept.append(start)
        self._end = _advanced(start, len(chunk))._replace(data=b"")
        while self._kept and self._end.offset - self._kept[0].offset - len(self._kept[0].data) > _KEPT_BYTES:
            self._kept.popleft()

    def at(self, offset: int) -> tuple[int | None, int | None]:
        """Return line and column of a byte; None when it is no longer kept."""
        chunk = self._chunk(offset)
        if chunk is None:
            return None, None
        start = self._last if self._last.data is chunk.data and self._last.offset <= offset else chunk
        self._last = _advanced(start, offset - start.offset, base=chunk.offset)
        return self._last.line, self._last.column

    def around(self, start: int, end: int) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        """Return some bytes of the same line before `start` and after `end`, each with its offset."""
        first = max(0, start - _AROUND_BYTES)
        before = self._slice(first, start)
        before = before[before.rfind(b"\n") + 1 :]
        after = self._slice(end, end + _AROUND_BYTES).partition(b"\n")[0]
        return (start - len(before), before), (end, after)

    def _chunk(self, offset: int) -> _Chunk | None:
        return next((c for c in self._kept if c.offset <= offset < c.offset + len(c.data)), None)

    def _slice(self, start: int, end: int) -> bytes:
        return b"".join(c.data[max(0, start - c.offset) : max(0, end - c.offset)] for c in self._kept)


def _advanced(start: _Chunk, by: int, *, base: int | None = None) -> _Chunk:
    """Return the position `by` bytes after `start`, whose `data` begins at offset `base` (default: its own offset)."""
    inside = start.offset - (start.offset if base is None else base)
    lines = start.data.count(b"\n", inside, inside + by)
    column = inside + by - start.data.rfind(b"\n", inside, inside + by) if lines else start.column + by
    return _Chunk(start.offset + by, start.line + lines, column, start.data)


def _escaped_yaml(blob: Blob, found: list[Match], detector: Detector) -> Iterator[RawFinding]:
    """Yield secrets that appear only after YAML escapes in double quotes are decoded, with their key path."""
    data = blob.data
    if not isinstance(data, bytes) or len(data) > _YAML_BYTES or blob.locate is not None:
        return
    if b"\\" not in data or form_of(blob.where or blob.path) != "yaml" or not _ESCAPED.search(data):
        return
    known = {match.secret for match in found}
    values: list[tuple[int, str]] = []
    starts: list[int] = []
    lines = bytearray()
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):  # what comes before the damage is used
        for start, end, path, value in yaml_scalars(text):
            if "\\" in text[start:end]:
                values.append((start, path))
                starts.append(len(lines))
                lines += f"{path.rpartition('.')[2]}: {value}\n\n".encode("utf-8", "surrogatepass")
    for match in detector.scan(bytes(lines)):
        if match.secret not in known:
            start, path = values[bisect_right(starts, match.start) - 1]
            line, column = (
                text.count("\n", 0, start) + 1,
                len(text[text.rfind("\n", 0, start) + 1 : start].encode()) + 1,
            )
            where = ": ".join(part for part in (blob.where, path) if part)
            yield RawFinding(Location(blob.path, line, column, where), match, blob.kind)
