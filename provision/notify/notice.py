"""What may be told, and what of it is new: a thing is told once, and again after a week while it is still there. Pure but for the
file `.provision/notified.json`, which holds digests only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from provision.detect.shapes import mask_secrets
from provision.errors import ProvisionError
from provision.files import read_optional, write_atomic
from provision.fleet.notify_target import NotifyEvent
from provision.report.attention import AttentionCause

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.fleet.notify_target import NotifyTarget
    from provision.report.attention import Attention

NAME = ".provision/notified.json"
REPEAT_AFTER = timedelta(days=7)
SOON = timedelta(days=14)
"""A bundle that expires within this time is told."""
_SCHEMA = "provision/notified/v1"
_LIMIT_BYTES = 64 << 20
_EVENTS = {
    AttentionCause.LEAKED: NotifyEvent.LEAKED,
    AttentionCause.HALTED: NotifyEvent.HALTED,
    AttentionCause.OVERDUE: NotifyEvent.OVERDUE,
    AttentionCause.SILENT: NotifyEvent.SILENT,
    AttentionCause.NEVER: NotifyEvent.SILENT,
    AttentionCause.EXPIRED: NotifyEvent.EXPIRING,
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. `subject`: a user, a machine or a rotation. `identity` stays the same while it is the same thing."""

    event: NotifyEvent
    subject: str
    detail: str
    identity: str

    @property
    def mark(self) -> str:
        """A digest under which it is remembered, with the event in clear."""
        return f"{self.event}:{hashlib.sha256(self.identity.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def notices_of(found: Iterable[Attention]) -> Iterator[Notice]:
    """The notices in what needs attention; causes that are not told yield nothing. Keys in texts are masked."""
    for each in found:
        event = _EVENTS.get(each.cause)
        if event is None:
            continue
        detail = mask_secrets(each.detail)
        subject = mask_secrets(each.user) or detail.partition(":")[0]
        yield Notice(event, subject, detail, f"{subject} {detail}" if event is NotifyEvent.LEAKED else subject)


def expiring_notices(expiries: Iterable[tuple[str, str]], now: datetime) -> Iterator[Notice]:
    """Notices about users whose bundle in dist/ expires soon. `expiries`: users and times as in manifests."""
    last = f"{now + SOON:%Y-%m-%dT%H:%M:%SZ}"
    for user, expires in expiries:
        if expires and expires <= last:
            yield Notice(NotifyEvent.EXPIRING, user, f"the bundle in dist/ expires on {expires[:10]}", f"dist {user}")


@dataclass(slots=True)
class SentRecord:
    """When each notice was sent to each target, by digest of the target."""

    sent: dict[str, dict[str, str]] = field(default_factory=dict)

    def due(self, target: NotifyTarget, notices: Iterable[Notice], now: datetime) -> list[Notice]:
        """What this target wants and was not told in the last week, each thing once."""
        sent, since = self.sent.get(_target_mark(target), {}), (now - REPEAT_AFTER).isoformat()
        wanted = {each.mark: each for each in notices if each.event in target.events}
        return [each for mark, each in wanted.items() if not since < sent.get(mark, "") <= now.isoformat()]

    def keep(self, target: NotifyTarget, told: Sequence[Notice], now: datetime) -> None:
        """Note what was sent."""
        self.sent.setdefault(_target_mark(target), {}).update((each.mark, now.isoformat()) for each in told)

    def forget(self, present: Iterable[Notice], examined: Collection[NotifyEvent], now: datetime) -> None:
        """Forget what is over: events of which everything was examined and that are not present, and what is a week old."""
        still, since = {each.mark for each in present}, (now - REPEAT_AFTER).isoformat()
        events = {event.value for event in examined}
        for target, marks in self.sent.items():
            self.sent[target] = {
                mark: at
                for mark, at in marks.items()
                if at > since and (mark in still or mark.partition(":")[0] not in events)
            }


def _target_mark(target: NotifyTarget) -> str:
    return hashlib.sha256(target.text.encode()).hexdigest()[:32]


def read_sent(root: Path) -> SentRecord:
    """Read the record; an empty one if it is missing or damaged: then everything is told again."""
    try:
        data = json.loads(read_optional(root / NAME, _LIMIT_BYTES) or b"{}")
        if data.get("schema") != _SCHEMA:
            return SentRecord()
        return SentRecord({str(t): {str(m): str(at) for m, at in marks.items()} for t, marks in data["sent"].items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ProvisionError):
        return SentRecord()


def write_sent(root: Path, record: SentRecord) -> None:
    """Replace the record. Raises FileProblemError."""
    (root / NAME).parent.mkdir(mode=0o700, exist_ok=True)
    data = json.dumps({"schema": _SCHEMA, "sent": record.sent}, sort_keys=True).encode() + b"\n"
    if read_optional(root / NAME, _LIMIT_BYTES) != data:
        write_atomic(root / NAME, data)
