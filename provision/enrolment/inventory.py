"""Write confirmed keys into the inventory, in its own form, and keep everything else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.enrolment.policy import keys_with
from provision.fleet.edit.entry_edit import EntryEdit, InventoryEditError
from provision.fleet.edit.inventory_edit import default_profile, edit_inventory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.enrolment.policy import Candidate, InventoryKeys


def add_keys(
    data: bytes,
    file: str,
    candidates: Iterable[Candidate],
    known: Mapping[str, InventoryKeys],
    profile: str | None,
) -> bytes:
    """Return the inventory with the candidates' keys; new users get `profile` (None: the inventory's default).

    Raises InventoryEditError.
    """
    edits = []
    now = dict(known)
    for candidate in candidates:
        there = now.get(candidate.user)
        now[candidate.user] = keys_with(there, candidate)
        if there is None and not profile and not default_profile(data, file):
            raise InventoryEditError(f"{candidate.user} is new and has no profile", hint="pass --profile NAME")
        edits.append(_new_user(candidate, profile) if there is None else _new_keys(candidate, there))
    return edit_inventory(data, file, edits)


def inventory_snippet(candidates: Iterable[Candidate], profile: str | None) -> str:
    """Return the keys as inventory lines in YAML, to add by hand."""
    edits = [_new_user(candidate, profile) for candidate in candidates]
    return edit_inventory(b"users: []\n", "inventory.yaml", edits).decode()


def _new_user(candidate: Candidate, profile: str | None) -> EntryEdit:
    first = {"profile": profile, "machine": candidate.machine}
    return EntryEdit(candidate.user, {**first, **_keys(candidate), **_place(candidate)}, new=True)


def _new_keys(candidate: Candidate, there: InventoryKeys) -> EntryEdit:
    fields, absent = {**_keys(candidate), "lost": None}, _place(candidate)
    if there.is_first(candidate.machine):
        return EntryEdit(candidate.user, {**fields, "machine": candidate.machine or there.machine}, absent=absent)
    return EntryEdit(candidate.user, fields, machine=candidate.machine, absent=absent)


def _keys(candidate: Candidate) -> dict[str, Any]:
    keys: dict[str, Any] = {"recipients": list(candidate.recipients)}
    return keys | ({"endpoint_key": candidate.endpoint_key} if candidate.endpoint_key else {})


def _place(candidate: Candidate) -> dict[str, Any]:
    return {name: value for name in ("platform", "host") if (value := getattr(candidate, name))}
