"""The released generation of a user, read without validating the manifest: one run reads those of a whole fleet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.bundle.dist import read_plain
from provision.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Released:
    """A user's bundle in dist/: its generation, the SHA-256 of its manifest.json, and until when it says to be valid."""

    generation: int
    digest: str
    expires: str = ""


def released_bundle(dist: Path, user: str) -> Released | None:
    """The bundle that dist/ holds for a user; None when it is missing or unreadable.

    It is only compared with what an endpoint certified, so a tampered manifest cannot make a user count as current.
    """
    try:
        data = read_plain(f"{dist}/{user}/{MANIFEST}") or b""  # texts: path objects cost half of it here
        fields = json.loads(data.decode())
        generation, expires = fields["generation"], fields.get("expires")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if len(data) > MAX_MANIFEST_BYTES or not isinstance(generation, int):
        return None
    return Released(generation, hashlib.sha256(data).hexdigest(), expires if isinstance(expires, str) else "")
