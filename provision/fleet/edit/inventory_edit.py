"""Edit an inventory in its own form: YAML, CSV or JSON. Pure: bytes in, bytes out.

Every edit is made on the text and, apart from it, on the parsed values; the edited text must parse to exactly these values,
else nothing is returned. What `ansible-inventory` prints is never written: it is made from files that belong to Ansible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.fleet.edit.csv_edit import edit_csv
from provision.fleet.edit.json_edit import edit_json
from provision.fleet.edit.yaml_edit import edit_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.fleet.edit.entry_edit import EntryEdit


def edit_inventory(data: bytes, file: str, edits: Sequence[EntryEdit]) -> bytes:
    """Return the file with all edits made, in their order. Raises InventoryEditError."""
    if not edits:
        return data
    ending = file.rpartition(".")[2].lower()
    if ending == "csv":
        return edit_csv(data, file, edits)
    if ending == "json":
        return edit_json(data, edits)
    return edit_yaml(data, edits)


def default_profile(data: bytes, file: str) -> str | None:
    """The profile that the inventory gives to users whose entries name none."""
    import yaml  # noqa: PLC0415

    if file.lower().endswith(".csv"):
        return None
    try:
        found = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["defaults"]["profile"]  # noqa: S506
    except (yaml.YAMLError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None
