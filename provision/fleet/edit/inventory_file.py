"""Change the inventory on disk: under a lock, atomically, and only if it was not changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.files import locked, read_bounded, write_atomic
from provision.fleet.approvals import follow_own_edit, read_recipients_approval
from provision.fleet.edit.entry_edit import InventoryEditError
from provision.fleet.edit.inventory_edit import edit_inventory
from provision.fleet.load import MAX_INVENTORY_BYTES, load_fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provision.fleet.edit.entry_edit import EntryEdit
    from provision.fleet.workspace import Workspace


def change_inventory(workspace: Workspace, change: Callable[[bytes], bytes]) -> bool:
    """Write what `change` makes of the inventory; returns whether that is something else. Raises what `change` raises.

    Recipients that this adds count as approved: the operator's own command added them.
    """
    path = workspace.inventory
    with locked(path.with_name(f".{path.name}.lock"), "changing the inventory"):
        before = read_bounded(path, MAX_INVENTORY_BYTES)
        after = change(before)
        if after == before:
            return False
        if read_bounded(path, MAX_INVENTORY_BYTES) != before:
            raise InventoryEditError(
                "the inventory was changed in the meantime; nothing was written", hint="run the same command again"
            )
        write_atomic(path, after, mode=path.stat().st_mode & 0o777)
        if read_recipients_approval(workspace) is not None:
            was, now = load_fleet(workspace, inventory=before), load_fleet(workspace, inventory=after)
            follow_own_edit(workspace, was.states, now.states)
    return True


def change_entries(workspace: Workspace, edits: Sequence[EntryEdit], *, dry_run: bool) -> bool:
    """Make edits, if the inventory is valid with them; returns whether anything changes. Raises InvalidFilesError."""

    def changed(data: bytes) -> bytes:
        found = edit_inventory(data, workspace.inventory.name, edits)
        require_valid_inventory(workspace, found)
        return found

    if dry_run:
        before = read_bounded(workspace.inventory, MAX_INVENTORY_BYTES)
        return changed(before) != before
    return change_inventory(workspace, changed)


def require_valid_inventory(workspace: Workspace, data: bytes) -> None:
    """Raise InvalidFilesError if the inventory would have errors with this content."""
    found = load_fleet(workspace, inventory=data)
    found.require_valid()
