"""Several machines of a user in flat forms: a row, or a host of Ansible, for each machine.

The first row of a user is the user's entry. A further row with the same id and a name in `machine` becomes an entry of
`machines`. What is said of the user in a further row must be blank or the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provision.errors import Problem
from provision.fleet.models import MachineEntry
from provision.formats.located import Map, Seq, place, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OF_A_MACHINE = frozenset(MachineEntry.model_fields) - {"name"}
"""Fields that each row of a user sets for itself."""


def merge_machine_rows(
    rows: Iterable[tuple[Map, int]], file: str, problems: list[Problem]
) -> Iterator[tuple[Map, int]]:
    """Yield an entry per user, with its further rows as `machines`. Two rows without a machine's name stay two entries."""
    firsts: dict[str, Map] = {}
    entries: list[tuple[Map, int]] = []
    for row, at in rows:
        user = row.get("id")
        first = firsts.get(user) if isinstance(user, str) else None
        if first is None or "machine" not in row:
            entries.append((row, at))
            if isinstance(user, str):
                firsts.setdefault(user, row)
            continue
        problems += _contradictions(first, row, file)
        if "machines" not in first:
            first.put("machines", Seq(), at, at)
        first["machines"].put(_machine(row), at)
    yield from entries


def _machine(row: Map) -> Map:
    machine = Map()
    machine.put("name", row["machine"], row.key_marks["machine"], row.marks["machine"])
    for key, value in row.items():
        if key in OF_A_MACHINE:
            machine.put(key, value, row.key_marks[key], row.marks[key])
    return machine


def _contradictions(first: Map, row: Map, file: str) -> Iterator[Problem]:
    for key, value in row.items():
        if key in OF_A_MACHINE or key in {"id", "machine"} or _plain(first.get(key)) == _plain(value):
            continue
        message = f"{key} of user {quoted(row['id'])} differs between the rows of their machines"
        hint = "leave the cell blank in all rows but the first"
        yield Problem("machine-row", message, place(file, row.marks[key]), hint)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, Seq) else value
