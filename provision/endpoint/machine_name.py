"""The name of this machine among its user's, for users with several: `provision enroll --machine NAME` stores it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provision.files import locked, read_optional, write_atomic
from provision.fleet.names import ID

if TYPE_CHECKING:
    from provision.endpoint.identity import EndpointFolder

_FILE = "machine"


def machine_name(folder: EndpointFolder) -> str | None:
    """The stored name; None if this machine has none."""
    data = read_optional(folder.root / _FILE, 256)
    name = data.decode("ascii", "replace").strip() if data else ""
    return name if re.fullmatch(ID, name) else None


def store_machine_name(folder: EndpointFolder, name: str) -> None:
    """Store a valid name; receipts from now on contain it."""
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder.root / ".lock", "enroll"):
        write_atomic(folder.root / _FILE, f"{name}\n".encode(), mode=0o644)
