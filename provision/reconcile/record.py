"""What of earlier runs the loop may rely on, in `.provision/reconciled.json`: bundles that passed, and feeds that are complete.

Everything in it is only a reason to skip work: without the file, or with a damaged one, the loop does all of it again. It is
written after the work that it records, so a killed run is repeated, never believed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import read_optional, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

SCHEMA = "provision/reconciled/v1"
_MAX_BYTES = 64 << 20


@dataclass(slots=True)
class LoopRecord:
    """`validated`: the generation of each user's bundle that the gateway served. `feeds`: by a digest of the folder's path."""

    validated: dict[str, int] = field(default_factory=dict)
    feeds: dict[str, FeedRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A feed that was complete: what went in, its index then, and until when no part of it needs a renewal."""

    inputs: str
    index: str
    renew_at: str

    def still_holds(self, inputs: str, index: str, now: datetime) -> bool:
        """Whether publishing again would change nothing."""
        return (self.inputs, self.index) == (inputs, index) and now.isoformat() < self.renew_at


def read_record(path: Path) -> LoopRecord:
    """Read the file; an empty record if it is missing or damaged."""
    try:
        data = json.loads(read_optional(path, _MAX_BYTES) or b"{}")
        if data.get("schema") != SCHEMA:
            return LoopRecord()
        validated = {str(user): int(generation) for user, generation in data["validated"].items()}
        feeds = {str(name): FeedRecord(*map(str, each)) for name, each in data["feeds"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, ProvisionError):
        return LoopRecord()
    return LoopRecord(validated, feeds)


def write_record(path: Path, record: LoopRecord) -> None:
    """Replace the file if it has changed."""
    feeds = {name: [each.inputs, each.index, each.renew_at] for name, each in record.feeds.items()}
    data = (
        json.dumps({"schema": SCHEMA, "validated": record.validated, "feeds": feeds}, sort_keys=True).encode() + b"\n"
    )
    if read_optional(path, _MAX_BYTES) != data:
        write_atomic(path, data, mode=0o600)


def digest_of(parts: Iterable[str]) -> str:
    """A digest of texts, each with its length."""
    found = hashlib.sha256()
    for part in parts:
        found.update(f"{len(part)}:{part}".encode())
    return found.hexdigest()


def index_digest(tree: Path) -> str:
    """A digest of all parts of a feed's index, as they are now; empty if there is none."""
    folder, found = tree / "index", hashlib.sha256()
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        data = path.read_bytes()
        found.update(f"{path.name}:{len(data)}:".encode() + data)
    return found.hexdigest() if folder.is_dir() else ""
