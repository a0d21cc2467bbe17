"""A user who left comes back: the entry is open again, and the machines of before count no more until they enroll.

An order to uninstall would reach a new machine of theirs too, so another order takes its place first.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from provision.feed.give_orders import give_orders, given_orders
from provision.fleet.edit.entry_edit import EntryEdit
from provision.keys.events.log import Event, append, log_path

if TYPE_CHECKING:
    from datetime import datetime

    from provision.fleet.users import FormerUser
    from provision.fleet.workspace import Workspace

REJOINED = "user rejoined"
_NO_KEYS: dict[str, Any] = {"recipients": [], "recipients_file": None, "endpoint_key": None, "host": None}


def rejoin_edits(former: FormerUser, profile: str | None, day: str) -> list[EntryEdit]:
    """Open the entry again, without the keys of its machines; further machines count as lost."""
    changed = {"left": None, **_NO_KEYS, **({"profile": profile} if profile else {})}
    further = [machine.name for machine in former.machines[1:]]
    return [
        EntryEdit(former.user, changed),
        *(EntryEdit(former.user, {**_NO_KEYS, "lost": day}, machine=name) for name in further),
    ]


def prepare_rejoin(workspace: Workspace, user: str, *, who: str, now: datetime) -> bool:
    """Record that a user is back, and replace the order to uninstall; returns whether there was one.

    Proofs of the leaving before count no more from here on. Raises what `give_orders` raises.
    """
    append(log_path(workspace.vault), [Event(now, who, REJOINED, user)])
    if user not in given_orders(workspace.root):
        return False
    give_orders(workspace, "resume", [user], reason="is back", life=timedelta(days=365), now=now)
    return True
