"""Halt Hermes in a home, as IT ordered: our route is taken out, so that Hermes stops with an error before it sends anything.

Hermes has no pause file of its own in the known releases. `model.provider` names a provider that does not exist (Hermes exits
with 1 and says so), and the line with the key leaves `.env`. A note in `.provision/` says that the home is halted: until it is
gone, `run` refuses, and the next pull after the halt installs the bundle again, which puts both back. What runs already goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provision.endpoint.obeyed_order import read_obeyed
from provision.endpoint.privileges import as_owner
from provision.endpoint.state import FOLDER
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from provision.trust.trust_list import TrustList

NOTE: Final = f"{FOLDER}/halted.json"
PROVIDER: Final = "custom:halted-by-it"


class HaltedError(ProvisionError):
    """This home is halted by an order of IT."""


def is_halted(home: Path) -> bool:
    """Whether the home is halted."""
    return (home / NOTE).exists()


def end_halt(home: Path) -> bool:
    """Remove the note after the bundle was installed again; whether there was one."""
    with as_owner(home):
        halted = is_halted(home)
        (home / NOTE).unlink(missing_ok=True)
    return halted


def refuse_while_halted(folder: Path, trust: TrustList | None, now: datetime) -> None:
    """Raise HaltedError while a halt is in force on this machine: a bundle that is pushed must not end it.

    `folder` is the endpoint's configuration folder.
    """
    order = read_obeyed(folder)
    order = order.under(trust) if order else None
    if order is not None and order.kind == "halt" and order.in_force(now):
        hint = "IT ends it with: provision resume, then provision publish (here: provision pull) or deploy"
        raise HaltedError(f"IT has halted Hermes on this machine until {order.expires}: {order.reason}", hint=hint)


def refuse_halted(home: Path) -> None:
    """Raise HaltedError if the home is halted."""
    if is_halted(home):
        hint = "provision status says until when; then, or after IT resumed it: provision pull"
        raise HaltedError("IT has halted Hermes on this machine", hint=hint)
