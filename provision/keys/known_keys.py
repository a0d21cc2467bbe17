"""Export the vault's keys for an audit: fingerprints and shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey

if TYPE_CHECKING:
    from provision.keys.vault.vault import Vault


def known_keys(vault: Vault) -> KnownKeys:
    """All keys in the vault, in every stage: a copy of a replaced key is a leak too.

    Each key is decrypted to get its length. For a shared key (`--allow-shared`) the version in the most active stage counts.
    Raises VaultAlteredError.
    """
    shapes: set[tuple[str, int]] = set()
    found: dict[str, KnownKey] = {}
    order = {"current": 0, "pending": 1, "previous": 2, "retired": 3}
    for user in vault.users:
        for version in vault.versions(user):
            shapes.add(shape_of(vault.value(user, version.version).reveal()))
            key = KnownKey(user, version.fingerprint, str(version.stage), version.created, version.label)
            other = found.get(key.fingerprint)
            if other is None or order[key.stage] < order[other.stage]:
                found[key.fingerprint] = key
    return KnownKeys(vault.salt, frozenset(shapes), found)
