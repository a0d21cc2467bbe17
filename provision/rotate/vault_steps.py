"""The changes that a rotation makes in the vault. Each function is idempotent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.keys.vault.ledger import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from provision.keys.import_file import NewKey
    from provision.keys.vault.vault import Vault
    from provision.rotate.model import RotationUser


def has_targets(vault: Vault, people: Iterable[RotationUser]) -> bool:
    """Whether the vault has the target of every user."""
    return all(vault.version_of(person.user, person.target) for person in people)


def add_pending_keys(vault: Vault, people: Iterable[RotationUser], keys: Mapping[str, NewKey], now: datetime) -> None:
    """Add each user's target to the vault as pending. A pending key from an earlier attempt becomes previous.

    A user may have only one pending key, so an abandoned one would block every later rotation.
    """
    for person in people:
        known = vault.version_of(person.user, person.target)
        waiting = vault.in_stage(person.user, Stage.PENDING)
        if waiting is not None and waiting != known:
            vault.set_stage(person.user, waiting.version, Stage.PREVIOUS)
        if known is None:
            new = keys[person.user]
            vault.add(person.user, new.key, now=now, label=new.label, stage=Stage.PENDING, name=person.target)


def is_overtaken(vault: Vault, person: RotationUser) -> bool:
    """Whether a key outside this rotation became current."""
    current = vault.current(person.user)
    return current is not None and current.fingerprint not in {person.target, person.other}


def promote(vault: Vault, people: Iterable[RotationUser]) -> None:
    """Make each user's target current and the other key previous. A retired key stays retired."""
    for person in people:
        known = vault.version_of(person.user, person.target)
        if known is not None and known.stage is not Stage.CURRENT:
            vault.set_stage(person.user, known.version, Stage.CURRENT)
        demote_pending(vault, person.user, person.other)


def demote_pending(vault: Vault, user: str, fingerprint: str) -> None:
    """Change a pending key that will not be used to previous: it may be valid, but must not block a rotation."""
    known = vault.version_of(user, fingerprint)
    if known is not None and known.stage is Stage.PENDING:
        vault.set_stage(user, known.version, Stage.PREVIOUS)


def retire(vault: Vault, keys: Iterable[tuple[str, str]]) -> None:
    """Set keys that were proved dead to retired. `keys` are pairs of user and fingerprint."""
    for user, fingerprint in keys:
        known = vault.version_of(user, fingerprint)
        if known is not None and known.stage is not Stage.RETIRED:
            vault.set_stage(user, known.version, Stage.RETIRED)


def is_retired(vault: Vault, user: str, fingerprint: str) -> bool:
    """Whether this key was proved dead."""
    known = vault.version_of(user, fingerprint)
    return known is not None and known.stage is Stage.RETIRED


def shared_with(vault: Vault, person: RotationUser) -> list[str]:
    """Other users of the old key. Revoking it would leave them without a key."""
    living = {Stage.CURRENT, Stage.PENDING}
    return sorted({k.user for k in vault.find(person.other) if k.user != person.user and k.stage in living})
