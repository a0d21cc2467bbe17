"""What becomes of the keys that are to go: are they idle, do others still use them, are they proved dead?"""

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

IDLE, UNTOLD = "yes", "cannot tell"


def check_old_keys(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Ask about each old key. Whoever is idle is listed for revocation; whoever is refused is proved dead."""
    watching = _Watch(recorder)
    left = probe_all(people, watching.ask, watching.settle, recorder.context.reach)
    recorder.flush()
    watching.write()
    if left:
        message = f"the gateway does not answer; {len(left)} old keys were not asked about"
        recorder.hold(
            Blocker("gateway-silent", message, "provision rotate resume, when it answers again", Grade.UNSURE), left
        )


class _Watch:
    """One round of questions; what it found is written together at its end."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._looks: dict[str, tuple[str, int]] = {}
        self._listed: dict[str, list[RotationUser]] = {IDLE: [], UNTOLD: []}

    async def ask(self, asker: KeyProber, person: RotationUser) -> Blocker | int | KeyLiveness:
        """How many requests the old key has had, or whether it is dead, or why neither can be told."""
        context = self._recorder.context
        route, key = context.route(person.user), context.key(person.user, person.other)
        if isinstance(route, Blocker):
            return route
        if key is None:
            cure = "take the last good vault from git, then: provision rotate resume"
            return Blocker("no-old-key", "the vault does not have the old key", cure, Grade.FAILED)
        if person.state is State.CURRENT:
            today = self._recorder.now().date()
            found = await asker.requests_since(route, key, self._first_day(person), today)
            if isinstance(found, int) or found.grade is Grade.UNSURE:
                return found
            if found.cause == "usage-unknown" and self._ripe(person):
                self._listed[UNTOLD].append(person)
        beside = context.key(person.user, person.target) if person.state is not State.EXPOSED else None
        return await asker.life(route, key, beside)

    def settle(self, person: RotationUser, result: Blocker | int | KeyLiveness) -> None:
        """Take one answer."""
        if isinstance(result, Blocker):
            self._recorder.trouble(result, person)
        elif isinstance(result, int):
            self._count(person, result)
        elif result.dead:
            self._listed[UNTOLD] = [each for each in self._listed[UNTOLD] if each is not person]
            self._recorder.event(RotationEvent.PROVED, person)
        elif result.trouble is not None:
            self._recorder.trouble(result.trouble, person)
        else:
            self._recorder.fine(person)

    def write(self) -> None:
        """Write the looks and the list. Nobody is listed whose key somebody else still uses."""
        recorder = self._recorder
        if self._looks:
            recorder.write([{"at": stamp(recorder.now()), "usage": self._looks}])
        for idle, people in self._listed.items():
            free = []
            for person in people:
                others = shared_with(recorder.context.vault, person)
                if others:
                    message = f"{', '.join(others[:5])} still use{'s' if len(others) == 1 else ''} the same old key"
                    cure = "rotate theirs too; it can be revoked when nobody uses it"
                    recorder.trouble(Blocker("shared-key", message, cure, Grade.WAITING), person)
                else:
                    free.append(person.user)
            recorder.write(event_entries(RotationEvent.LISTED, free, recorder.now(), idle=idle))
        recorder.flush()

    def _count(self, person: RotationUser, total: int) -> None:
        """Idle means: as many requests as at the last look, and that was long enough ago."""
        now, last, day = self._recorder.now(), person.usage, self._first_day(person).isoformat()
        if last is None or last.since != day:
            self._looks[person.user] = (day, total)
            self._recorder.fine(person)
        elif total > last.total:
            self._looks[person.user] = (day, total)
            more = total - last.total
            message = f"the old key is in use: {more} more request{'s' if more > 1 else ''} since {stamp(last.at)}"
            cure = "restart Hermes there; `provision audit` there finds copies of the key"
            self._recorder.trouble(Blocker("old-key-busy", message, cure, Grade.WAITING), person)
        elif (now - last.at).total_seconds() >= self._recorder.rotation.terms.idle_for_s:
            self._listed[IDLE].append(person)

    def _ripe(self, person: RotationUser) -> bool:
        return (self._recorder.now() - person.since).total_seconds() >= self._recorder.rotation.terms.idle_for_s

    def _first_day(self, person: RotationUser) -> dt.date:
        return person.since.date()


def retire_dead_keys(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Call the dead retired in the vault."""
    with recorder.act("retire", people), recorder.context.editing(f"rotate {recorder.rotation.id}: retire") as vault:
        retire(vault, [(person.user, person.other) for person in people])
    recorder.write(event_entries(RotationEvent.FILED, [person.user for person in people], recorder.now()))
    recorder.context.record(
        [("old key proved dead", p.user, p.other, {"rotation": recorder.rotation.id}) for p in people]
    )
