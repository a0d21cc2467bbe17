"""Merge two branches of an event log. A hash chain cannot be merged as text, so the other side's events are appended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import Place
from provision.keys.events.log import Event, EventLogError, append, read_events, verify_log

if TYPE_CHECKING:
    from pathlib import Path

_FROM = "merged_from"


def merge_logs(path: Path, theirs: Path) -> int:
    """Append the events that only the other branch's log has. Returns how many.

    Each keeps author, action and time, and records its old hash. Raises EventLogError if the other log is damaged, and what
    `append` raises.
    """
    if faults := verify_log(theirs).faults:
        raise EventLogError(f"the other log is damaged: {faults[0].what}", place=Place(str(theirs), faults[0].line))
    known = {hash_ for each in read_events(path) for hash_ in (each.sha256, each.event.detail.get(_FROM))}
    events = []
    for each in read_events(theirs):
        event, origin = each.event, each.event.detail.get(_FROM, each.sha256)
        if origin not in known and each.sha256 not in known and each.number > 1:
            detail = {**event.detail, _FROM: origin}
            events.append(Event(event.at, event.who, event.what, event.user, event.fingerprint, detail))
    return append(path, events).count
