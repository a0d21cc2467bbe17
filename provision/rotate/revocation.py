"""Check the old keys: are they idle, shared with other users, or dead? Retire the dead ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.rotate.model import Blocker, Grade, stamp
from provision.rotate.probes import probe_all
from provision.rotate.rotation import event_entries
from provision.rotate.states import RotationEvent, State
from provision.rotate.vault_steps import retire, shared_with

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from provision.rotate.model import RotationUser
    from provision.rotate.probes import KeyLiveness, KeyProber
    from provision.rotate.recorder import Recorder

IDLE, UNKNOWN = "yes", "cannot tell"


def check_old_keys(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Check each old key at the gateway. Idle keys are listed for revocation, refused keys are proved dead."""
    check = _OldKeyCheck(recorder)
    left = probe_all(people, check.ask, check.settle, recorder.context.gateway)
    recorder.flush()
    check.write()
    if left:
        message = f"the gateway does not answer; old keys not checked: {len(left)}"
        recorder.hold(
            Blocker("gateway-silent", message, "run `provision rotate resume` when it answers again", Grade.UNSURE),
            left,
        )


class _OldKeyCheck:
    """One round of checks. Its results are written together at the end."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._counts: dict[str, tuple[str, int]] = {}
        self._listed: dict[str, list[RotationUser]] = {IDLE: [], UNKNOWN: []}

    async def ask(self, prober: KeyProber, person: RotationUser) -> Blocker | int | KeyLiveness:
        """Return the number of requests with the old key, whether it is dead, or why neither is known."""
        context = self._recorder.context
        route, key = context.route(person.user), context.key(person.user, person.other)
        if isinstance(route, Blocker):
            return route
        if key is None:
            cure = "restore the last good vault from git, then run `provision rotate resume`"
            return Blocker("no-old-key", "the vault does not have the old key", cure, Grade.FAILED)
        if person.state is State.CURRENT:
            today = self._recorder.now().date()
            found = await prober.requests_since(route, key, self._first_day(person), today)
            if isinstance(found, int) or found.grade is Grade.UNSURE:
                return found
            if found.cause == "usage-unknown" and self._ripe(person):
                self._listed[UNKNOWN].append(person)
        beside = context.key(person.user, person.target) if person.state is not State.EXPOSED else None
        return await prober.check_liveness(route, key, beside)

    def settle(self, person: RotationUser, result: Blocker | int | KeyLiveness) -> None:
        """Process the result for one user."""
        if isinstance(result, Blocker):
            self._recorder.trouble(result, person)
        elif isinstance(result, int):
            self._count(person, result)
        elif result.dead:
            self._listed[UNKNOWN] = [each for each in self._listed[UNKNOWN] if each is not person]
            self._recorder.event(RotationEvent.PROVED, person)
        elif result.trouble is not None:
            self._recorder.trouble(result.trouble, person)
        else:
            self._recorder.fine(person)

    def write(self) -> None:
        """Write the usage counts and the list. A key that another user still has is not listed."""
        recorder = self._recorder
        if self._counts:
            recorder.write([{"at": stamp(recorder.now()), "usage": self._counts}])
        for idle, people in self._listed.items():
            free = []
            for person in people:
                others = shared_with(recorder.context.vault, person)
                if others:
                    message = f"the old key is also used by {', '.join(others[:5])}"
                    cure = "rotate their keys too; revoke it when no user has it"
                    recorder.trouble(Blocker("shared-key", message, cure, Grade.WAITING), person)
                else:
                    free.append(person.user)
            recorder.write(event_entries(RotationEvent.LISTED, free, recorder.now(), idle=idle))
        recorder.flush()

    def _count(self, person: RotationUser, total: int) -> None:
        """A key is idle if its count has not changed since the last check, at least `idle_for_s` ago."""
        now, last, day = self._recorder.now(), person.usage, self._first_day(person).isoformat()
        if last is None or last.since != day:
            self._counts[person.user] = (day, total)
            self._recorder.fine(person)
        elif total > last.total:
            self._counts[person.user] = (day, total)
            more = total - last.total
            message = f"the old key is in use: {more} more request{'s' if more > 1 else ''} since {stamp(last.at)}"
            cure = "restart Hermes on that machine; find copies of the key there with `provision audit`"
            self._recorder.trouble(Blocker("old-key-busy", message, cure, Grade.WAITING), person)
        elif (now - last.at).total_seconds() >= self._recorder.rotation.terms.idle_for_s:
            self._listed[IDLE].append(person)

    def _ripe(self, person: RotationUser) -> bool:
        return (self._recorder.now() - person.since).total_seconds() >= self._recorder.rotation.terms.idle_for_s

    def _first_day(self, person: RotationUser) -> dt.date:
        return person.since.date()


def retire_dead_keys(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Set dead keys to `retired` in the vault."""
    with recorder.act("retire", people), recorder.context.editing(f"rotate {recorder.rotation.id}: retire") as vault:
        retire(vault, [(person.user, person.other) for person in people])
    recorder.write(event_entries(RotationEvent.FILED, [person.user for person in people], recorder.now()))
    recorder.context.record(
        [("old key proved dead", p.user, p.other, {"rotation": recorder.rotation.id}) for p in people]
    )
