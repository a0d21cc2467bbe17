"""What earlier runs read: for each key and month the first and the last amount used. Bounds the spend of a month.

`.provision/usage-readings.json` holds fingerprints and micro-dollars of this month and the one before, no keys. Without it the
bounds are wider, never wrong. A damaged file counts as none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from provision.errors import ProvisionError
from provision.files import read_optional, write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Readings = dict[str, dict[str, tuple[int, int]]]

SCHEMA = "provision/usage-readings/v1"
COUNT_RESET: Final = -1
"""In the place of the first amount of a month in which the gateway began to count from 0 again."""
_MAX_BYTES = 64 << 20
_MONTHS = 2


def read_readings(path: Path) -> Readings:
    """Read the file: amounts by fingerprint and month."""
    try:
        data = json.loads(read_optional(path, _MAX_BYTES) or b"{}")
        if data.get("schema") != SCHEMA:
            return {}
        return {
            str(key): {str(month): (int(first), int(last)) for month, (first, last) in months.items()}
            for key, months in data["keys"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, ProvisionError):
        return {}


def with_amounts(readings: Readings, amounts: Mapping[str, int], month: str) -> Readings:
    """The readings with the amounts of this run. The gateway counts a key whose amount went down from 0 again: what it spent
    before that in this month is not known any more."""
    found = {key: dict(months) for key, months in readings.items()}
    for key, used in amounts.items():
        months = found.setdefault(key, {})
        if any(last > used for _, last in months.values()):
            months.clear()
            months[month] = (COUNT_RESET, used)
        months[month] = (months.get(month, (used, used))[0], used)
        for old in sorted(months)[:-_MONTHS]:
            del months[old]
    return found


def write_readings(path: Path, readings: Readings) -> None:
    """Replace the file."""
    write_atomic(path, json.dumps({"schema": SCHEMA, "keys": readings}, sort_keys=True).encode() + b"\n", mode=0o600)
