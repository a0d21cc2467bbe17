"""A user gets another id: vault, receipts, bundle and inventory, in an order in which a killed run can be repeated.

Keys go first: until the inventory has the new id, `render` finds no key for the old one, and no bundle is made with a wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.bundle.render import opened_dist
from provision.fleet.edit.entry_edit import EntryEdit
from provision.fleet.edit.inventory_edit import edit_inventory
from provision.fleet.edit.inventory_file import change_inventory
from provision.keys.age import load_identities
from provision.keys.vault.file import editing, read_vault
from provision.receipts.store import RECEIPTS_FOLDER, SUFFIX
from provision.rotate.store import RotationStore, busy_with

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.fleet.workspace import Workspace


def renaming_refusal(workspace: Workspace, user: str) -> tuple[str] | None:
    """Why a user cannot be renamed now; None if they can."""
    busy = busy_with(list(RotationStore(workspace.root).unfinished())).get(user)
    return (f"{user} is in rotation {busy}: finish it first",) if busy else None


def rename_user(workspace: Workspace, user: str, new: str, *, email: str | None, in_inventory: bool) -> Iterator[str]:
    """Rename a user; yields a line per step. `in_inventory`: the inventory still has the old id."""
    if workspace.vault.exists() and read_vault(workspace.vault).versions(user):
        with editing(workspace.vault, load_identities(workspace.identity), f"users rename {user} {new}") as vault:
            vault.rename_user(user, new)
        yield f"keys of {user} are keys of {new}"
    folder = workspace.root / RECEIPTS_FOLDER
    for path in (folder / f"{user}{SUFFIX}", *folder.glob(f"{user}@*{SUFFIX}")):
        if path.exists():
            path.unlink()  # it names the old id; the machine signs the next one
            yield f"removed {path.name}: the next receipt names {new}"
    if (workspace.dist / user).exists():
        with opened_dist(workspace.dist) as dist:
            dist.prune(user)
        yield f"removed the bundle of {user}"
    if in_inventory:
        fields: dict[str, Any] = {"id": new, **({"email": email} if email else {})}
        edit = EntryEdit(user, fields)
        change_inventory(workspace, lambda data: edit_inventory(data, workspace.inventory.name, [edit]))
    yield f"{user} is {new} in {workspace.name_of(workspace.inventory)}"
