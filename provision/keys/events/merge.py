"""Bringing two branches of an event log together: a chain cannot be merged by text, so the other side's events go to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import Place
from provision.keys.events.log import Event, EventLogError, append, read_events, verify_log

if TYPE_CHECKING:
    from pathlib import Path

_FROM = "merged_from"


def merge_logs(path: Path, theirs: Path) -> int:
    """Append what the log of another branch has and this one has not; returns how many events that were.

    Each keeps who, what and when, and names the hash that it had there. Raises EventLogError when the other log does not
    hold, and what `append` raises.
    """
    if faults := verify_log(theirs).faults:
        raise EventLogError(f"the other log does not hold: {faults[0].what}", place=Place(str(theirs), faults[0].line))
    known = {hash_ for each in read_events(path) for hash_ in (each.sha256, each.event.detail.get(_FROM))}
    events = []
    for each in read_events(theirs):
        event, origin = each.event, each.event.detail.get(_FROM, each.sha256)
        if origin not in known and each.sha256 not in known and each.number > 1:
            detail = {**event.detail, _FROM: origin}
            events.append(Event(event.at, event.who, event.what, event.user, event.fingerprint, detail))
    return append(path, events).count
