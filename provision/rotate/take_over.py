"""Take users out of a rotation when a leak rotation continues with them. After a crash the next command completes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.rotate import vault_steps
from provision.rotate.finish import DONE, finish
from provision.rotate.rotation import event_entries
from provision.rotate.start import open_rotation
from provision.rotate.states import UNDER_WAY, RotationEvent

if TYPE_CHECKING:
    from provision.keys.vault.vault import Vault
    from provision.rotate.context import RotationContext
    from provision.rotate.model import RotationUser
    from provision.rotate.rotation import Rotation

_Pairs = list[tuple["RotationUser", "RotationUser"]]


def complete_take_overs(context: RotationContext) -> None:
    """Exclude each user from the rotation that a later leak rotation took them from. The caller holds the lock."""
    rotations = {rotation.id: rotation for rotation in context.store.unfinished()}
    for later in rotations.values():
        pairs: dict[str, _Pairs] = {}
        for taken in later.people.values():
            left = rotations[taken.taken_from].people.get(taken.user) if taken.taken_from in rotations else None
            if left is not None and not left.over:
                pairs.setdefault(taken.taken_from, []).append((left, taken))
        for name, found in pairs.items():
            _exclude(context, rotations[name], later.id, found)


def _exclude(context: RotationContext, rotation: Rotation, later: str, pairs: _Pairs) -> None:
    people = [left for left, _ in pairs]
    with open_rotation(context, rotation) as recorder:
        with recorder.act("hand over", people), context.editing(f"rotate {rotation.id}: taken over") as vault:
            for left, taken in pairs:
                _settle(vault, left, taken)
        reason = f"key leaked: continued in rotation {later}"
        recorder.write(event_entries(RotationEvent.EXCEPTED, [p.user for p in people], recorder.now(), reason=reason))
        if all(person.state in DONE for person in rotation.people.values()):
            finish(recorder)
        context.record(
            [("taken over after a leak", p.user, p.other, {"rotation": rotation.id, "by": later}) for p in people]
        )


def _settle(vault: Vault, left: RotationUser, taken: RotationUser) -> None:
    """Make the delivered key current unless it leaked; a pending key that is not used further becomes previous."""
    if left.state in UNDER_WAY and left.target not in taken.others and not vault_steps.is_overtaken(vault, left):
        vault_steps.promote(vault, [left])
    elif left.target != taken.target:
        vault_steps.demote_pending(vault, left.user, left.target)
