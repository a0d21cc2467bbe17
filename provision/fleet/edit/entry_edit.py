"""Changes to entries of the inventory, as values, and what they do to parsed entries. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class InventoryEditError(ProvisionError):
    """The inventory cannot be edited by this program."""


@dataclass(frozen=True, slots=True)
class EntryEdit:
    """Changes to the entry of one user: new values of fields, None to remove one. A changed `id` renames the user.

    With `machine`, the fields are those of that machine; the name of the first machine means the entry itself. An unknown
    machine is added.
    With `new`, the user is added.
    """

    user: str
    fields: Mapping[str, Any]
    machine: str | None = None
    new: bool = False
    absent: Mapping[str, Any] = field(default_factory=dict)
    """Values for fields that the entry does not set yet."""


def apply_to_entries(users: list[dict[str, Any]], edits: Sequence[EntryEdit]) -> None:
    """Make the edits on parsed entries. Raises InventoryEditError for a user who is missing, or is there already."""
    by_id = {entry["id"]: entry for entry in users}
    for edit in edits:
        if edit.new:
            if edit.user in by_id:
                raise InventoryEditError(f"user {edit.user!r} is in the inventory already")
            by_id[edit.user] = {"id": edit.user}
            users.append(by_id[edit.user])
        entry = by_id.get(edit.user)
        if entry is None:
            raise unknown_user(edit.user)
        if edit.machine is not None and edit.machine != entry.get("machine"):
            entry = _machine(entry, edit.machine)
        missing = {name: value for name, value in edit.absent.items() if entry.get(name) is None}
        for name, value in {**edit.fields, **missing}.items():
            if value is None:
                entry.pop(name, None)
            else:
                entry[name] = value
        if edit.fields.get("id", edit.user) != edit.user:
            by_id[edit.fields["id"]] = by_id.pop(edit.user)


def unknown_user(user: str) -> InventoryEditError:
    """The error for a user whom the file does not name."""
    return InventoryEditError(
        f"user {user!r} is not in the inventory file", hint="list the users: provision users list"
    )


def _machine(entry: dict[str, Any], name: str) -> dict[str, Any]:
    machines = entry.setdefault("machines", [])
    for machine in machines:
        if machine["name"] == name:
            return machine  # type: ignore[no-any-return]
    machines.append({"name": name})
    return machines[-1]  # type: ignore[no-any-return]
