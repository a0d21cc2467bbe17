"""Redact asciinema recordings, versions 1 to 3: search what a viewer would see, and change only the characters of secrets.

Events keep their number, order and times. A line without masks keeps its bytes.
"""

from __future__ import annotations

import bisect
import json
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from provision.redact.session import CannotExamineError
from provision.redact.stream import redact_bytes
from provision.redact.terminal.output_scanner import RecordingScanner, lay_covers

if TYPE_CHECKING:
    from provision.redact.session import Session

LIMIT_BYTES = 512 << 20
_EVENT = re.compile(
    r'\s*\[\s*(?P<time>-?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?)\s*,\s*"(?P<kind>[a-z])"\s*,\s*"(?P<data>(?:[^"\\]|\\.)*)"\s*\]\s*'
)
_FRAME = re.compile(r'[\s,]*\[\s*(?P<time>-?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?)\s*,\s*"(?P<data>(?:[^"\\]|\\.)*)"\s*\]')
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")
_TYPED = str.maketrans({"\x7f": "\b", "\r": "\x85", "\n": "\x85"})
"""Input as it looks while it is typed: Delete removes one character, Enter begins a new line."""


@dataclass(slots=True)
class _Event:
    """One string of the recording, and its range in the file (between the quotes)."""

    kind: str
    time: float
    text: str
    start: int
    end: int
    base: int = 0


def redact_file(source: BinaryIO, target: BinaryIO, file: str, session: Session) -> None:
    """Redact a cast; see `RedactFile`."""
    data = source.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise CannotExamineError("this recording is too large to be examined", hint="record it in shorter parts")
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        raise CannotExamineError("this recording is not UTF-8") from e
    header = _header(text)
    if header.get("version") == 1:
        events, other = _frames(text)
    else:
        events, other = _lines(text)
    columns, rows = _size(header)
    _search(events, columns, rows, relative=header.get("version") != 2, file=file, session=session)
    target.write(_written(text, events, other, file, session).encode())


def _header(text: str) -> dict[str, Any]:
    line = text.lstrip()
    try:
        header, _ = json.JSONDecoder().raw_decode(line)
    except (ValueError, RecursionError) as e:
        raise CannotExamineError("this recording has no readable header") from e
    if not isinstance(header, dict):
        raise CannotExamineError("this recording has no readable header")
    return header


def _size(header: dict[str, Any]) -> tuple[int, int]:
    term = header.get("term")
    term = term if isinstance(term, dict) else {}
    columns, rows = header.get("width") or term.get("cols"), header.get("height") or term.get("rows")
    return (columns if isinstance(columns, int) else 80), (rows if isinstance(rows, int) else 24)


def _lines(text: str) -> tuple[list[_Event], list[tuple[int, int]]]:
    """Parse versions 2 and 3, one event a line. Also returns the ranges of all other lines: header, comments, markers."""
    events, other, at = [], [], 0
    for line in _LINE.findall(text):
        found = _EVENT.fullmatch(line) if at else None
        if found and found["kind"] in "oier":
            start, end = found.span("data")
            events.append(_Event(found["kind"], float(found["time"]), _decoded(found["data"]), at + start, at + end))
        else:
            other.append((at, at + len(line)))
        at += len(line)
    return events, other


def _frames(text: str) -> tuple[list[_Event], list[tuple[int, int]]]:
    """Parse version 1: a JSON object with `stdout`, a list of pairs of delay and text."""
    opening = re.search(r'"stdout"\s*:\s*\[', text)
    if not opening:
        raise CannotExamineError("this recording has no output")
    events, other, at = [], [(0, opening.end())], opening.end()
    while found := _FRAME.match(text, at):
        start, end = found.span("data")
        events.append(_Event("o", float(found["time"]), _decoded(found["data"]), start, end))
        at = found.end()
    other.append((at, len(text)))
    return events, other


def _decoded(raw: str) -> str:
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError as e:
        raise CannotExamineError("an event of this recording is not JSON") from e


def _search(events: list[_Event], columns: int, rows: int, *, relative: bool, file: str, session: Session) -> None:
    """Find secrets in output and input, and mask them in the events."""
    for kinds in ("oe", "i"):
        recording = RecordingScanner(session, columns, rows, file)
        clock, times = 0.0, []
        for event in events:
            clock = clock + event.time if relative else event.time
            if event.kind == "r" and "o" in kinds and (size := _SIZE.fullmatch(event.text)):
                recording.watch.screen.resize(int(size[1]), int(size[2]))
            if event.kind not in kinds:
                continue
            event.base = recording.watch.origin
            times.append((event.base, clock))
            recording.take(event.text.translate(_TYPED) if kinds == "i" else event.text)
        _lay(events, kinds, recording.covers(partial(_time, times)))


def _time(times: list[tuple[int, float]], origin: int) -> str:
    """Return the time of the event that an origin belongs to."""
    index = bisect.bisect_right(times, (origin, float("inf"))) - 1
    return f"{times[max(index, 0)][1]:.3f} s"


def _lay(events: list[_Event], kinds: str, covers: dict[int, str]) -> None:
    ordered = sorted(covers.items())
    at = 0
    for event in events:
        if event.kind not in kinds:
            continue
        end = event.base + len(event.text)
        mine = {}
        while at < len(ordered) and ordered[at][0] < end:
            mine[ordered[at][0]] = ordered[at][1]
            at += 1
        event.text = lay_covers(event.text, event.base, mine) if mine else event.text


def _written(text: str, events: list[_Event], other: list[tuple[int, int]], file: str, session: Session) -> str:
    parts: list[tuple[int, int, str]] = []
    for event in events:
        raw = text[event.start : event.end]
        tokens = _CHARACTER.findall(raw)
        changed = "".join(
            token if _decoded(token) == now else now for token, now in zip(tokens, event.text, strict=True)
        )
        if changed != raw:
            parts.append((event.start, event.end, changed))
    for start, end in other:
        raw = text[start:end]
        masked = redact_bytes(raw.encode(), session, file, "header or comment").decode()
        if masked != raw:
            parts.append((start, end, masked))
    pieces, at = [], 0
    for start, end, changed in sorted(parts):
        pieces += [text[at:start], changed]
        at = end
    return "".join([*pieces, text[at:]])
