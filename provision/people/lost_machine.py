"""A machine is lost or stolen: nothing is sealed to it any more, and its receipts are refused from now on.

What it holds already is the user's current key, in its Hermes home. So the key has to be replaced: the act ends with the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.enrolment.policy import key_fingerprint
from provision.fleet.desired import machine_label
from provision.fleet.edit.entry_edit import EntryEdit
from provision.keys.events.log import Event, append, log_path, read_events

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from provision.fleet.desired import DesiredState, Machine
    from provision.receipts.store import ReceiptStore


LOST = "machine lost"


def edit_for_lost(state: DesiredState, machine: Machine, day: str) -> EntryEdit:
    """The edit that takes recipients, endpoint key and host out. A machine without a name is the entry itself."""
    fields: dict[str, Any] = {
        "recipients": [],
        "recipients_file": None,
        "endpoint_key": None,
        "host": None,
        "lost": day,
    }
    return EntryEdit(state.user, fields, machine=machine.name)


def keys_since_loss(vault: Path, label: str) -> frozenset[str] | None:
    """Fingerprints of the keys that were added after the loss of a machine was recorded; None if it was not recorded.

    The order of the event log decides: times are too coarse.
    """
    path, found = log_path(vault), None
    for recorded in read_events(path) if path.exists() else ():
        event = recorded.event
        if event.what == LOST and event.detail.get("machine") == label:
            found = set[str]()
        elif found is not None and event.what == "key added":
            found.add(event.fingerprint)
    return frozenset(found) if found is not None else None


def record_lost(vault: Path, state: DesiredState, machine: Machine, *, who: str, now: datetime, reason: str) -> None:
    """Record the loss, with the fingerprints of the keys that count no more."""
    keys = [*machine.recipients, *((machine.endpoint_key,) if machine.endpoint_key else ())]
    detail: dict[str, str | int | None] = {
        "machine": machine_label(state.user, machine.name),
        "keys": " ".join(key_fingerprint(key) for key in keys),
        **({"reason": reason} if reason else {}),
    }
    append(log_path(vault), [Event(now, who, LOST, state.user, "", detail)])


def put_receipt_away(store: ReceiptStore, label: str) -> bool:
    """Remove the stored receipt of a lost machine; returns whether there was one."""
    path = store.path(label)
    if not path.exists():
        return False
    path.unlink()
    return True
