"""Roll back and finish: what can be undone while the old key is valid, and when a rotation may end."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from provision.errors import NothingMatchedError
from provision.keys.vault.ledger import Stage
from provision.rotate import vault_steps
from provision.rotate.model import Blocker, stamp
from provision.rotate.probes import KeyLiveness, probe_all
from provision.rotate.rotation import event_entries
from provision.rotate.states import UNDER_WAY, RotationEvent, State, allowed
from provision.rotate.store import busy_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.keys.vault.vault import Vault
    from provision.rotate.model import RotationUser
    from provision.rotate.probes import KeyProber
    from provision.rotate.recorder import Recorder

DONE = frozenset({State.RETIRED, State.EXCEPTED})
"""States in which nothing of a user is left to do."""


@dataclass(frozen=True, slots=True)
class RollbackRefusal:
    """Why a user cannot be rolled back."""

    user: str
    why: str
    cure: str = ""


def roll_back(recorder: Recorder, people: Sequence[RotationUser]) -> list[RollbackRefusal]:
    """Roll users back to their old key, if the gateway accepts it now. Returns the users that cannot be rolled back."""
    refused: list[RollbackRefusal] = []
    alive: list[RotationUser] = []
    asked = []
    for person in people:
        if person.back:
            refused.append(RollbackRefusal(person.user, "is already being rolled back", "provision rotate resume"))
        elif allowed(person.course, person.state, RotationEvent.TURNED):
            asked.append(person)
        else:
            refused.append(RollbackRefusal(person.user, f"is {person.state}: {_why_not(person)}"))

    async def work(prober: KeyProber, person: RotationUser) -> Blocker | KeyLiveness:
        route, key = recorder.context.route(person.user), recorder.context.key(person.user, person.other)
        if isinstance(route, Blocker):
            return route
        return await prober.check_liveness(route, key, None) if key else KeyLiveness(True, refused=True)

    def sink(person: RotationUser, result: Blocker | KeyLiveness) -> None:
        if isinstance(result, Blocker):
            refused.append(RollbackRefusal(person.user, result.message, result.cure))
        elif result.dead:
            cure = "the new key stays in use; create another one in the console if it has a problem"
            refused.append(RollbackRefusal(person.user, "the old key is dead: the gateway refuses it", cure))
        elif result.trouble is not None:
            refused.append(RollbackRefusal(person.user, result.trouble.message, result.trouble.cure))
        else:
            alive.append(person)

    for person in probe_all(asked, work, sink, recorder.context.gateway):
        refused.append(RollbackRefusal(person.user, "the gateway does not answer", "try again later"))
    order = {person.user: number for number, person in enumerate(people)}
    alive.sort(key=lambda person: order[person.user])
    recorder.write(event_entries(RotationEvent.TURNED, [person.user for person in alive], recorder.now()))
    return refused


def _why_not(person: RotationUser) -> str:
    if person.state is State.REJECTED:
        return "the old key is still in use"
    if person.state in {State.DEAD, State.RETIRED}:
        return "the old key is dead"
    return "it has no old key to roll back to"


def split_exceptions(
    people: Sequence[RotationUser], exceptions: Sequence[tuple[str, str]]
) -> tuple[dict[str, str], list[RotationUser]]:
    """Return the exceptions with their reasons, and the unfinished users. Patterns are ids or globs; the first match counts.

    Raises NothingMatchedError for a pattern that no user of the rotation has.
    """
    for pattern, _ in exceptions:
        if not any(fnmatchcase(person.user, pattern) for person in people):
            raise NothingMatchedError(f"no user of this rotation matches '{pattern}'", hint="provision rotate status")
    reasons: dict[str, str] = {}
    blocking = []
    for person in people:
        if person.state in DONE:
            continue
        reason = next((why for pattern, why in exceptions if fnmatchcase(person.user, pattern)), None)
        if reason is None:
            blocking.append(person)
        else:
            reasons[person.user] = reason
    return reasons, blocking


def drop_superseded(recorder: Recorder) -> None:
    """Exclude users who failed here and have another key since (from a later rotation, or imported), or soon will have."""
    vault, rejected = recorder.context.vault, recorder.rotation.in_state(State.REJECTED)
    if not rejected:
        return
    later = busy_entries([each for each in recorder.context.store.unfinished() if each.id != recorder.rotation.id])
    reasons: dict[str, list[str]] = {}
    for person in rejected:
        entry, rotation = later.get(person.user, (None, None))
        if _has_moved_on(vault, person):
            reasons.setdefault("has another key since", []).append(person.user)
        elif entry is not None and rotation is not None and person.other in entry.others:
            reasons.setdefault(f"continued in rotation {rotation.id}", []).append(person.user)
    for reason, users in reasons.items():
        recorder.write(event_entries(RotationEvent.EXCEPTED, users, recorder.now(), reason=reason))


def _has_moved_on(vault: Vault, person: RotationUser) -> bool:
    current = vault.current(person.user)
    return vault_steps.is_retired(vault, person.user, person.other) or (
        current is not None and current.fingerprint != person.other
    )


def exclude(recorder: Recorder, reasons: dict[str, str]) -> None:
    """Exclude users from the rotation; the reasons are kept in the journal and in the event log."""
    rotation, context = recorder.rotation, recorder.context
    people = [rotation.people[user] for user in reasons]
    if not people:
        return
    with recorder.act("leave out", people), context.editing(f"rotate {rotation.id}: leave out") as vault:
        for person in people:
            _settle(vault, person)
    for reason in dict.fromkeys(reasons.values()):
        named = [user for user, why in reasons.items() if why == reason]
        recorder.write(event_entries(RotationEvent.EXCEPTED, named, recorder.now(), reason=reason))
    context.record([("left out of a rotation", p.user, p.other, _detail(rotation.id, reasons[p.user])) for p in people])


def finish(recorder: Recorder) -> None:
    """End the rotation."""
    rotation, context = recorder.rotation, recorder.context
    counts = {state.value: count for state, count in rotation.counts().items()}
    context.record([("rotation finished", "", "", {"rotation": rotation.id, **counts})])
    recorder.write([{"at": stamp(recorder.now()), "end": "finished"}])


def _detail(name: str, reason: str) -> dict[str, str | int | None]:
    return {"rotation": name, "reason": reason}


def _settle(vault: Vault, person: RotationUser) -> None:
    """Make the key in the user's bundle current, and leave no key pending."""
    target = vault.version_of(person.user, person.target) if person.target else None
    if target is None:
        return
    if person.state in UNDER_WAY and not vault_steps.is_overtaken(vault, person):
        vault_steps.promote(vault, [person])
    elif target.stage is Stage.PENDING:
        vault_steps.demote_pending(vault, person.user, person.target)
