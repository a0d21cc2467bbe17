"""The vault's keys as an audit may carry them: fingerprints and shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.detect.known import KnownKeys, shape_of
from provision.detect.known_key import KnownKey

if TYPE_CHECKING:
    from provision.keys.vault.vault import Vault


def known_keys(vault: Vault) -> KnownKeys:
    """Every key the vault ever held, whatever its stage: an old copy of a replaced key is a leak too.

    Each key is opened to learn its length. A key in two hands (`--allow-shared`) goes by the version that is used most
    recently. Raises VaultAlteredError.
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
