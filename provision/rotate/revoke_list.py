"""The list of keys to revoke in the console, and the exit code of a pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import Exit
from provision.keys.vault.ledger import Stage
from provision.keys.vault.vault import Vault
from provision.rotate.model import Grade
from provision.rotate.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from provision.keys.vault.text import SealedVault
    from provision.rotate.model import Blocker, RotationUser
    from provision.rotate.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Revocation:
    """One key to revoke, as the console shows it: label and last four characters, empty if unknown."""

    user: str
    label: str
    last_four: str
    fingerprint: str
    since: datetime
    idle: str
    leaked: bool


def revocable(person: RotationUser) -> bool:
    """Whether the user's old keys are to be revoked now. Not if the successor died since: the user would have no key."""
    failed = person.trouble is not None and person.trouble.grade is Grade.FAILED
    return person.state is State.EXPOSED or (person.state is State.LISTED and not failed)


def to_revoke(rotation: Rotation, vault: Vault | SealedVault) -> Iterator[Revocation]:
    """Yield the keys to revoke now: leaked keys immediately, others only if the new key is confirmed and current.

    A sealed vault gives no last four characters.
    """
    for person in filter(revocable, rotation.people.values()):
        for name in person.others:
            known = vault.version_of(person.user, name)
            if known is not None and known.stage is Stage.RETIRED:
                continue
            four = vault.value(person.user, known.version).last_four if known and isinstance(vault, Vault) else ""
            label = known.label if known else ""
            leaked = person.state is State.EXPOSED
            yield Revocation(person.user, label, four, name, person.since, person.idle, leaked)


def exit_of(rotations: Iterable[Rotation], doubts: Iterable[Blocker]) -> Exit:
    """10 if a user failed, 4 if something is unknown or a machine was unreachable, else 0. Waiting is not a failure."""
    doubtful = any(True for _ in doubts)
    for rotation in rotations:
        people = rotation.people.values()
        if any(p.failed and (p.trouble is None or p.trouble.grade is Grade.FAILED) for p in people):
            return Exit.FINDINGS
        grades = {p.trouble.grade for p in people if p.trouble is not None and not p.over}
        doubtful = doubtful or bool(grades & {Grade.UNSURE, Grade.UNREACHABLE})
    return Exit.PARTIAL if doubtful else Exit.OK
