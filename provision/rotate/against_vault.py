"""Compare the journals of unfinished rotations with the vault: a merge or a restored file can separate them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.keys.vault.ledger import Stage
from provision.rotate.states import Course, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.keys.vault.ledger import Ledger
    from provision.rotate.model import RotationUser
    from provision.rotate.rotation import Rotation

_TARGET_IN_VAULT = frozenset(
    {State.PENDING, State.PROBED, State.RELEASED, State.DELIVERED, State.CONFIRMED, State.CURRENT, State.LISTED}
)
_TARGET_CURRENT = frozenset({State.CURRENT, State.LISTED, State.DEAD})


def contradictions(rotations: Iterable[Rotation], ledger: Ledger) -> Iterator[str]:
    """Yield what an unfinished rotation says about a user's keys and the vault does not."""
    for rotation in rotations:
        for person in rotation.people.values():
            if why := _contradiction(person, ledger):
                yield f"rotation {rotation.id}, user {person.user} ({person.state}): {why}"


def _contradiction(person: RotationUser, ledger: Ledger) -> str:
    target = ledger.version_of(person.user, person.target) if person.target else None
    if person.state in _TARGET_IN_VAULT and person.course is not Course.SPARE:
        if target is None:
            return f"the vault does not have the new key {person.target}"
        if target.stage is Stage.RETIRED:
            return f"the vault has the key to use ({person.target}) as retired"
    if person.course is Course.SCHEDULED and person.state in _TARGET_CURRENT:
        current = ledger.current(person.user)
        if current is None:
            return "the user has no current key in the vault"
        if current.fingerprint == person.other:
            return f"the vault still has the old key {person.other} as current"
    return ""
