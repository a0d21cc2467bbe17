"""The released generation of a user, read without validating the manifest: one run reads those of a whole fleet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES
from provision.errors import ProvisionError
from provision.files import read_optional

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Released:
    """A user's bundle in dist/: its generation and the SHA-256 of its manifest.json."""

    generation: int
    digest: str


def released_bundle(dist: Path, user: str) -> Released | None:
    """The bundle that dist/ holds for a user; None when it is missing or unreadable.

    It is only compared with what an endpoint certified, so a tampered manifest cannot make a user count as current.
    """
    try:
        data = read_optional(dist / user / MANIFEST, MAX_MANIFEST_BYTES)
        generation = json.loads(data)["generation"] if data is not None else None
    except (ProvisionError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if data is None or not isinstance(generation, int):
        return None
    return Released(generation, hashlib.sha256(data).hexdigest())
