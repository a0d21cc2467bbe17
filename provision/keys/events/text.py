"""The text format of the event log, v1: chained lines of JSON, parsed and written. Pure; `log` does the I/O.

A line is one JSON object that ends in `"sha256":"…"}`: the SHA-256 of the previous line's value (64 zeros before the first line),
a newline, and this line's bytes without that last member.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from provision.detect.shapes import mask_secrets
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA = "provision/events/v1"
GENESIS = "0" * 64
LINE_LIMIT_BYTES = 32 << 10
_SUFFIX = b',"sha256":"'
_TAIL = len(_SUFFIX) + 64 + 2
_MARKS = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")

Detail = Mapping[str, "str | int | None"]


class EventLineError(ProvisionError):
    """A line is not a valid event, or an event is too long."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event to record. `what` is a short phrase such as `key added`; `at` is UTC; `generation` is the vault's.

    `generation` None means that of the previous event. Texts that look like keys are masked when it is written.
    """

    at: datetime
    who: str
    what: str
    user: str = ""
    fingerprint: str = ""
    detail: Detail = field(default_factory=dict)
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event in the log, with its number (from 1) and its hash, which the next line includes."""

    number: int
    event: Event
    sha256: str


@dataclass(frozen=True, slots=True)
class LogFault:
    """Evidence that the log was changed. `line` counts from 1; 0 means the whole log."""

    line: int
    what: str


def event_line(event: Event, number: int, before: str) -> tuple[bytes, str]:
    """Return an event's line, with newline, and its hash. Raises EventLineError if it is too long."""
    plain: dict[str, Any] = {"n": number}
    if number == 1:
        plain["schema"] = SCHEMA
    plain["at"] = event.at.isoformat()[:19] + "Z"
    plain |= {"who": _safe(event.who), "what": _safe(event.what)}
    if event.user:
        plain["user"] = _safe(event.user)
    if event.fingerprint:
        plain["key"] = _safe(event.fingerprint)
    if event.generation is not None:
        plain["vault"] = event.generation
    if event.detail:
        plain["detail"] = {
            name: _safe(value) if isinstance(value, str) else value for name, value in event.detail.items()
        }
    body = json.dumps(plain, separators=(",", ":")).encode("ascii")
    if len(body) > LINE_LIMIT_BYTES:
        raise EventLineError(
            f"an event ({event.what}) is longer than {LINE_LIMIT_BYTES >> 10} KiB; it was not recorded"
        )
    sha256 = _hash(before, body)
    return body[:-1] + _SUFFIX + sha256.encode("ascii") + b'"}\n', sha256


def parse_line(line: bytes) -> RecordedEvent:
    """Parse a line, without its newline. The chain is not checked.

    Raises EventLineError, which quotes nothing.
    """
    if line.startswith(_MARKS):
        raise EventLineError("merge conflict marker")
    if len(line) > LINE_LIMIT_BYTES + _TAIL:
        raise EventLineError("longer than any event")
    try:
        plain = json.loads(line)
        sha256 = plain["sha256"]
        if line[-_TAIL:] != _SUFFIX + sha256.encode("ascii") + b'"}' or len(sha256) != 64:
            raise ValueError
        at = datetime.fromisoformat(plain["at"])
        detail = plain.get("detail", {})
        event = Event(
            at, plain["who"], plain["what"], plain.get("user", ""), plain.get("key", ""), detail, plain.get("vault")
        )
        _check_types(event, plain["n"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EventLineError("not a valid event") from None
    return RecordedEvent(plain["n"], event, sha256)


def follows(line: bytes, recorded: RecordedEvent, before: str) -> bool:
    """Whether a line's hash matches its content and the hash `before` of the previous line."""
    return recorded.sha256 == _hash(before, line[:-_TAIL] + b"}")


def chain_links(lines: Iterable[bytes]) -> Iterator[tuple[int, str, bool]]:
    """Yield number and hash of each line, and whether it follows the line before. Events are not parsed: for a quick check."""
    before = GENESIS
    for number, line in enumerate(lines, 1):
        after = line[-66:-2].decode("ascii", "replace")
        whole = line[-_TAIL:-66] == _SUFFIX and line.endswith(b'"}')
        yield number, after, whole and _hash(before, line[:-_TAIL] + b"}") == after
        before = after


def check_chain(lines: Iterable[bytes]) -> Iterator[RecordedEvent | LogFault]:
    """Yield every event of a log, and before it a fault for each place where the chain breaks.

    A break is reported once: the following lines are checked against what the file has there.
    """
    before, expected = GENESIS, 1
    generation: int | None = None
    for at, line in enumerate(lines, 1):
        try:
            recorded = parse_line(line)
        except EventLineError as e:
            yield LogFault(at, e.message)
            before, expected = "", expected + 1
            continue
        if recorded.number != expected:
            yield LogFault(at, f"expected number {expected}, found {recorded.number}: events are missing or were moved")
        elif before and not follows(line, recorded, before):
            yield LogFault(at, "this event or the one before it was changed, or events were inserted or removed here")
        elif not before:
            pass  # the previous line is unreadable and already a fault
        before, expected = recorded.sha256, recorded.number + 1
        now = recorded.event.generation
        if generation is not None and now is not None and now > generation + 1 and not _merged(recorded.event):
            yield LogFault(
                at,
                f"the vault went from generation {generation} to {now} here: the changes in between are not in the log",
            )
        generation = generation if now is None else now
        yield recorded


def _merged(event: Event) -> bool:
    return event.detail.get("command") == "keys merge"


def _check_types(event: Event, number: object) -> None:
    texts = (event.who, event.what, event.user, event.fingerprint, *event.detail)
    values = event.detail.values()
    good = (
        isinstance(number, int)
        and number > 0
        and event.at.tzinfo is not None
        and all(isinstance(text, str) for text in texts)
        and all(value is None or isinstance(value, str | int) for value in values)
        and (event.generation is None or isinstance(event.generation, int))
    )
    if not good:
        raise ValueError


def _hash(before: str, body: bytes) -> str:
    return hashlib.sha256(before.encode("ascii") + b"\n" + body).hexdigest()


def _safe(text: str) -> str:
    return mask_secrets(text) if len(text) >= 16 else text
