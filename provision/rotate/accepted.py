"""Check that the gateway still accepts the key to use, before the old one is given up: a new key may be revoked by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.rotate.model import Blocker, Grade
from provision.rotate.probes import probe_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.rotate.context import RotationContext
    from provision.rotate.model import RotationUser
    from provision.rotate.probes import KeyProber
    from provision.rotate.recorder import Recorder

REVOKED = "new-key-revoked"


async def target_trouble(prober: KeyProber, context: RotationContext, person: RotationUser) -> Blocker | None:
    """Why the key to use cannot be relied on: the gateway refuses it, or says nothing about it. None if it is accepted."""
    route, key = context.route(person.user), context.key(person.user, person.target)
    if isinstance(route, Blocker) or key is None:
        return None
    found = await prober.check_liveness(route, key, None)
    if found.dead:
        message = f"the gateway no longer accepts the new key {person.target}: it was revoked"
        cure = f"provision rotate leaked {person.user} --key {person.target}"
        return Blocker(REVOKED, message, cure, Grade.FAILED)
    return found.trouble


def without_revoked(recorder: Recorder, people: Sequence[RotationUser]) -> list[RotationUser]:
    """The users whose key to use is not definitely dead; the others get a blocker."""
    refused: set[str] = set()

    async def work(prober: KeyProber, person: RotationUser) -> Blocker | None:
        return await target_trouble(prober, recorder.context, person)

    def sink(person: RotationUser, found: Blocker | None) -> None:
        if found is not None and found.cause == REVOKED:
            refused.add(person.user)
            recorder.trouble(found, person)

    probe_all(people, work, sink, recorder.context.gateway)
    recorder.flush()
    return [person for person in people if person.user not in refused]
