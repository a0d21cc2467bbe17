"""Edit an inventory in JSON, with the indentation it has."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from provision.fleet.edit.entry_edit import InventoryEditError, apply_to_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.fleet.edit.entry_edit import EntryEdit


def edit_json(data: bytes, edits: Sequence[EntryEdit]) -> bytes:
    """Return the inventory with the edits. Raises InventoryEditError, also for what Ansible prints."""
    text = data.decode("utf-8-sig")
    try:
        root = json.loads(text)
        users = root["users"]
    except (ValueError, KeyError, TypeError) as e:
        if isinstance(e, KeyError) and "_meta" in root:
            raise InventoryEditError(
                "this inventory is made by ansible-inventory, so provision does not write it",
                hint="set the hermes_* variables in Ansible's host_vars, and write the file again",
            ) from e
        raise InventoryEditError("the inventory cannot be edited", hint="provision check") from e
    apply_to_entries(users, edits)
    indent = re.search(r"\n( +|\t+)\"", text)
    whole = json.dumps(root, ensure_ascii=False, indent=(indent[1] if indent else None))
    return (whole + ("\n" if text.endswith("\n") else "")).encode()
