"""The event log `events.jsonl` beside the vault: who changed which key, and when. Append-only.

Each line has the hash of the line before it and of its own content. So an edited, removed, moved or inserted line breaks the
chain at that line. The chain alone cannot show that its *end* was cut off, or that the whole log was rewritten. So each line
has the generation of its vault, and the vault, every manifest and every part of the feed's index keep the log's head (how many
events, and the hash of the last one) as of their making. `verify_log` compares with them. It also returns the hash of the last
line, for storing it elsewhere (in a commit or a ticket).

The events of a change are written before the vault is saved. A crash may leave an event without its change, which the next
change then records, but never a change without its event. Fingerprints name the keys; there are no secrets in the log.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from provision.errors import Place, ProvisionError
from provision.files import FileProblemError, locked, sync_directory
from provision.keys.events.text import (
    GENESIS,
    LINE_LIMIT_BYTES,
    Event,
    EventLineError,
    LogFault,
    RecordedEvent,
    chain_links,
    check_chain,
    event_line,
    follows,
    parse_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "Appended",
    "Event",
    "EventLogError",
    "KnownEnd",
    "LogEnd",
    "LogFault",
    "LogMismatch",
    "RecordedEvent",
    "Verified",
    "append",
    "log_mismatches",
    "log_path",
    "read_events",
    "verify_log",
]

LOG_NAME = "events.jsonl"
_BEGINS = "log begins"
_TAIL_BYTES = 4 * LINE_LIMIT_BYTES


class EventLogError(ProvisionError):
    """The log cannot be appended to, because its last line is not an event. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The result of an append. `head` is the log's new end, `cut_bytes` the length of a torn last line (from a crash) that was
    removed and recorded."""

    count: int
    head: LogEnd | None
    cut_bytes: int = 0


class LogMismatch(NamedTuple):
    """A vault and its log do not fit: `older-vault`, `cut-log` or `changed-log`.

    `maybe_crash`: a killed change may have left it so.
    """

    rule: str
    message: str
    maybe_crash: bool = False


class LogEnd(NamedTuple):
    """How many lines a log had at some time, and the hash of the last one."""

    lines: int
    sha256: str


@dataclass(frozen=True, slots=True)
class KnownEnd:
    """The end that a log once had, and `where` that is recorded (such as `keys.vault`)."""

    where: str
    end: LogEnd


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of verifying the whole log. `head` is the hash of the last line; `generation` the vault's, as last recorded.

    `torn_bytes` is what a crash left after the last complete line; the next append removes and records it. `begins` is the
    vault's generation when the log began: earlier changes are not in the log.
    """

    count: int
    head: str
    generation: int | None
    first: datetime | None
    faults: tuple[LogFault, ...]
    torn_bytes: int = 0
    begins: int | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """Where the next line goes: after `size` bytes, as number `number` + 1."""

    size: int
    number: int = 0
    sha256: str = GENESIS
    generation: int | None = None
    cut_bytes: int = 0
    newline_missing: bool = False


def log_path(vault: Path) -> Path:
    """The path of a vault's event log: beside the file itself, also if `vault` is a link to it."""
    return vault.resolve().with_name(LOG_NAME)


def operator() -> str:
    """The current operator: user and machine, as the system reports them."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def vault_created_event(workspace_id: str, at: datetime) -> Event:
    """The event for a new vault."""
    return Event(at, operator(), "vault made", detail={"workspace": workspace_id}, generation=1)


def new_log(workspace_id: str, at: datetime) -> tuple[bytes, LogEnd]:
    """The log of a new vault, as bytes, for writing both in one transaction; and its end."""
    event = vault_created_event(workspace_id, at)
    first, sha256 = event_line(Event(at, event.who, _BEGINS, generation=1), 1, GENESIS)
    second, sha256 = event_line(event, 2, sha256)
    return first + second, LogEnd(2, sha256)


def append(path: Path, events: Iterable[Event], *, generation: int | None = None, wait_s: float = 10.0) -> Appended:
    """Record events, in order, durably; all of them in one write. Makes the log when there is none.

    `generation` is the vault's as it is saved now, when that is known: if the log is ahead of it, this is recorded first.
    A last line that a crash tore is removed, and that is recorded too. Raises EventLogError, LockedError, EventLineError,
    FileProblemError.
    """
    wanted = list(events)
    if not wanted:
        return Appended(0, None)
    with locked(path.with_name(f".{path.name}.lock"), "recording events", wait_s=wait_s):
        try:
            return _append(path, wanted, generation)
        except OSError as e:
            raise FileProblemError(f"cannot write {path}: {e.strerror or e}") from e


def _append(path: Path, wanted: list[Event], generation: int | None) -> Appended:
    fresh = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o644)
    with os.fdopen(descriptor, "r+b") as file:
        end = _end(path, file.fileno())
        data = [b"\n"] if end.newline_missing else []
        number, sha256, last = end.number, end.sha256, end.generation
        for event in (*_remarks(end, wanted[0], generation), *wanted):
            last = event.generation if event.generation is not None else last
            number += 1
            line, sha256 = event_line(_with_generation(event, last), number, sha256)
            data.append(line)
        if end.cut_bytes:
            file.truncate(end.size)
        file.seek(end.size)
        file.write(b"".join(data))
        file.flush()
        os.fsync(file.fileno())
    if fresh:
        sync_directory(path.parent)
    return Appended(len(wanted), LogEnd(number, sha256), end.cut_bytes)


def _with_generation(event: Event, generation: int | None) -> Event:
    return Event(event.at, event.who, event.what, event.user, event.fingerprint, event.detail, generation)


def _remarks(end: _End, like: Event, generation: int | None) -> Iterator[Event]:
    """Yield the events about the log itself that come before the new ones."""
    if end.number == 0:
        yield Event(like.at, like.who, _BEGINS, generation=generation)
    if end.cut_bytes:
        yield Event(like.at, like.who, "log repaired: a torn last line was removed", detail={"bytes": end.cut_bytes})
    if generation is not None and end.generation is not None and end.generation > generation:
        detail = {"recorded": end.generation, "found": generation}
        what = "vault is behind the log: a change was not saved, or an older vault was restored"
        yield Event(like.at, like.who, what, detail=detail, generation=generation)


def _end(path: Path, descriptor: int) -> _End:
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    tail = _read_at(descriptor, start, size - start)
    body, newline, torn = tail.rpartition(b"\n")
    if not newline and start:
        raise _damaged(path, "no line end in its last part")
    lines = body.split(b"\n") if newline else []
    if not lines:
        whole = _whole(torn, GENESIS)
        return _ended(whole, size, missing=True) if whole else _End(0, cut_bytes=size)
    try:
        last = parse_line(lines[-1])
    except EventLineError as e:
        raise _damaged(path, e.message) from None
    if torn:
        whole = _whole(torn, last.sha256)
        if whole:
            return _ended(whole, size, missing=True)
    return _ended(last, size - len(torn), cut=len(torn))


def _ended(last: RecordedEvent, size: int, *, cut: int = 0, missing: bool = False) -> _End:
    return _End(size, last.number, last.sha256, last.event.generation, cut, missing)


def _whole(torn: bytes, before: str) -> RecordedEvent | None:
    """Parse a last line that is complete except for its newline."""
    try:
        recorded = parse_line(torn)
    except EventLineError:
        return None
    return recorded if follows(torn, recorded, before) else None


def _read_at(descriptor: int, start: int, size: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    pieces = []
    while size > 0 and (piece := os.read(descriptor, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _damaged(path: Path, why: str) -> EventLogError:
    return EventLogError(
        f"the end of the event log is damaged: {why}",
        place=Place(str(path)),
        hint=f"see `provision keys log --verify`; restore it from git, or move it aside as evidence: a new {LOG_NAME} begins",
    )


def read_events(path: Path) -> Iterator[RecordedEvent]:
    """Yield all readable events in order, not verified. Nothing without a log."""
    for item in check_chain(_lines(path, [])):
        if isinstance(item, RecordedEvent):
            yield item


def newest_events(path: Path, count: int) -> list[RecordedEvent]:
    """The last `count` readable events, oldest first."""
    return list(deque(read_events(path), maxlen=count))


def log_end(path: Path) -> tuple[LogEnd, int | None] | None:
    """The log's present end and the vault's generation there, from its last lines only; None without a readable end."""
    try:
        with path.open("rb") as file:
            end = _end(path, file.fileno())
    except (OSError, EventLogError):
        return None
    return (LogEnd(end.number, end.sha256), end.generation) if end.number else None


def log_mismatches(path: Path, generation: int, known: tuple[int, str] | None) -> Iterator[LogMismatch]:
    """What does not fit between a vault in this generation, which recorded the log's end `known`, and its log.

    Reads the log's end only; `verify_log` reads all of it.
    """
    found = log_end(path)
    recorded = found[1] if found else None
    if recorded is not None and recorded > generation:
        crash = recorded == generation + 1
        what = "an older vault was put back" + (", or a crash kept a change from being saved" * crash)
        message = f"the vault is in generation {generation}, but its log records generation {recorded}: {what}"
        yield LogMismatch("older-vault", message, maybe_crash=crash)
    if known is None:
        return
    lines = found[0].lines if found else 0
    if lines < known[0]:
        message = f"the vault records {known[0]} events, its log has {lines or 'none'}: its end was cut off, or it was removed"
        yield LogMismatch("cut-log", message)
    elif found and lines == known[0] and found[0].sha256 != known[1]:
        message = (
            f"the last event of the log is not the one that the vault records as number {lines}: the log was rewritten"
        )
        yield LogMismatch("cut-log", message)


def changed_log(path: Path, known: tuple[int, str] | None) -> LogMismatch | None:
    """The first line where a log is not one chain, or is not the one that the vault recorded as `known`.

    Compares hashes only: 100,000 events in a fifth of a second; `verify_log` needs five times as long and names every fault.
    Raises FileProblemError.
    """
    for number, sha256, follows_before in chain_links(_lines(path, [])):
        if not follows_before:
            what = "this line or the one before it was changed, or lines were inserted or removed here"
            return LogMismatch("changed-log", f"line {number} of the log: {what}")
        if known is not None and number == known[0] and sha256 != known[1]:
            return LogMismatch("changed-log", f"line {number} of the log is not the one that the vault records")
    return None


def verify_log(
    path: Path,
    generation: int | None = None,
    known: Iterable[KnownEnd] = (),
    seen: Callable[[RecordedEvent], object] = lambda _event: None,
) -> Verified:
    """Look through the whole log. `generation` is the vault's: the log's last one must be the same. The log must contain every
    `known` end. `seen` is called with each readable event.

    Raises FileProblemError when it cannot be read; a log that is not there has no events and, with a vault, a fault.
    """
    faults: list[LogFault] = []
    count, head, last, first, begins = 0, "", None, None, None
    torn: list[int] = []
    wanted: dict[int, list[KnownEnd]] = {}
    for each in known:
        wanted.setdefault(each.end.lines, []).append(each)
    for item in check_chain(_lines(path, torn)):
        if isinstance(item, LogFault):
            faults.append(item)
            continue
        count += 1
        seen(item)
        head, first = item.sha256, first or item.event.at
        for each in wanted.pop(item.number, ()):
            if each.end.sha256 != item.sha256:
                faults.append(LogFault(item.number, f"{each.where} knows another event here: the log was rewritten"))
        last = item.event.generation if item.event.generation is not None else last
        begins = last if begins is None else begins
    if generation is not None and (fault := _against_vault(last, generation, count)):
        faults.append(LogFault(0, fault))
    for missing in wanted.values():
        what = f"{missing[0].where} knows {missing[0].end.lines} events, the log has {count}: its end was cut off"
        faults.append(LogFault(0, what))
    return Verified(count, head, last, first, tuple(faults), sum(torn), begins)


def _against_vault(last: int | None, generation: int, count: int) -> str:
    if last == generation or (count and last is None):
        return ""
    if not count:
        return f"there are no events, and the vault is in generation {generation}: the log was removed or never created"
    if last is not None and last > generation:
        what = "a change was not saved (a crash), or an older vault was restored"
        return f"the log ends at generation {last} and the vault is in generation {generation}: {what}"
    return (
        f"the log ends at generation {last} and the vault is in generation {generation}: its end was cut off,"
        " or the vault was changed without it"
    )


def _lines(path: Path, torn: list[int]) -> Iterator[bytes]:
    """Yield complete lines. The length of a torn last line is appended to `torn`."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    except OSError as e:
        raise FileProblemError(f"cannot read {path}: {e.strerror or e}") from e
    with file:
        while line := file.readline(2 * LINE_LIMIT_BYTES):
            if line.endswith(b"\n"):
                yield line[:-1]
            elif len(line) < 2 * LINE_LIMIT_BYTES:
                torn.append(len(line))
            else:
                yield line
