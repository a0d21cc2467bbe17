"""What a rotation changes in the vault. Each function looks first whether it was done already, so doing it twice is harmless."""

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
    """Whether the vault has every target already."""
    return all(vault.version_of(person.user, person.target) for person in people)


def add_pending_keys(vault: Vault, people: Iterable[RotationUser], keys: Mapping[str, NewKey], now: datetime) -> None:
    """Put each person's target into the vault as pending; a pending key that belongs to no rotation becomes previous.

    A user may have only one pending key, and one that was left behind would block every rotation after it.
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
    """Whether somebody made a key current that this rotation knows nothing of."""
    current = vault.current(person.user)
    return current is not None and current.fingerprint not in {person.target, person.other}


def promote(vault: Vault, people: Iterable[RotationUser]) -> None:
    """Make each person's target current, and the other previous; one that is retired stays so."""
    for person in people:
        known = vault.version_of(person.user, person.target)
        if known is not None and known.stage is not Stage.CURRENT:
            vault.set_stage(person.user, known.version, Stage.CURRENT)
        demote_pending(vault, person.user, person.other)


def demote_pending(vault: Vault, user: str, fingerprint: str) -> None:
    """A key that is pending and will not be used becomes previous: it may be alive, and nothing is blocked by it."""
    known = vault.version_of(user, fingerprint)
    if known is not None and known.stage is Stage.PENDING:
        vault.set_stage(user, known.version, Stage.PREVIOUS)


def retire(vault: Vault, keys: Iterable[tuple[str, str]]) -> None:
    """Call keys retired that were proved dead: users and fingerprints."""
    for user, fingerprint in keys:
        known = vault.version_of(user, fingerprint)
        if known is not None and known.stage is not Stage.RETIRED:
            vault.set_stage(user, known.version, Stage.RETIRED)


def shared_with(vault: Vault, person: RotationUser) -> list[str]:
    """Others who still use the key that is to go: revoking it would leave them without one."""
    living = {Stage.CURRENT, Stage.PENDING}
    return sorted({k.user for k in vault.find(person.other) if k.user != person.user and k.stage in living})
