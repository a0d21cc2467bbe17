"""What dist/ holds for a user, read without parsing whole manifests: a fleet's worth of them is read in one run."""

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
    """The bundle that dist/ holds for a user; None when there is none, or none that can be read.

    Only compared with what an endpoint certified, so a manifest that was tampered with cannot make anybody current.
    """
    try:
        data = read_optional(dist / user / MANIFEST, MAX_MANIFEST_BYTES)
        generation = json.loads(data)["generation"] if data is not None else None
    except (ProvisionError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if data is None or not isinstance(generation, int):
        return None
    return Released(generation, hashlib.sha256(data).hexdigest())
