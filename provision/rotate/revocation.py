"""Check the old keys: are they idle, shared with other users, or dead? Retire the dead ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.rotate.accepted import REVOKED, target_trouble
from provision.rotate.model import Blocker, Grade, stamp
from provision.rotate.probes import KeyLiveness, probe_all
from provision.rotate.rotation import event_entries
from provision.rotate.states import RotationEvent, State
from provision.rotate.vault_steps import is_retired, retire, shared_with

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from provision.rotate.model import RotationUser
    from provision.rotate.probes import GatewayRoute, KeyProber
    from provision.rotate.recorder import Recorder

IDLE, UNKNOWN = "yes", "unknown"


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
        self._dead: list[tuple[str, str]] = []
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
        if person.state is State.EXPOSED:
            return await self._leaked(prober, route, person)
        beside = context.key(person.user, person.target)
        trouble = await target_trouble(prober, context, person)
        if trouble is not None and trouble.cause == REVOKED:
            old = await prober.check_liveness(route, key, beside)
            return old if old.refused else trouble
        if person.state is State.CURRENT:
            today = self._recorder.now().date()
            found = await prober.requests_since(route, key, self._first_day(person), today)
            if isinstance(found, int) or found.grade is Grade.UNSURE:
                return trouble or found
            if found.cause == "usage-unknown" and self._ripe(person):
                self._listed[UNKNOWN].append(person)
        return await prober.check_liveness(route, key, beside)

    async def _leaked(self, prober: KeyProber, route: GatewayRoute, person: RotationUser) -> KeyLiveness:
        """Check all leaked keys of a user. Dead ones are retired at once, also while another one is alive."""
        found = KeyLiveness(True, refused=True)
        dead = []
        for name in person.others:
            key = self._recorder.context.key(person.user, name)
            each = await prober.check_liveness(route, key, None) if key else KeyLiveness(True)
            if each.dead:
                dead.append((person.user, name))
            else:
                found = each
        if not found.dead:
            self._dead += dead
        return found

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
            self._recorder.trouble(_with_cure(result.trouble, person), person)
        else:
            self._recorder.fine(person)

    def write(self) -> None:
        """Write the usage counts and the list. A key that another user still has is not listed."""
        recorder = self._recorder
        alive = [(user, name) for user, name in self._dead if not is_retired(recorder.context.vault, user, name)]
        if alive:
            with (
                recorder.act("retire", [recorder.rotation.people[user] for user, _ in alive]),
                recorder.context.editing(f"rotate {recorder.rotation.id}: retire") as vault,
            ):
                retire(vault, alive)
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


def _with_cure(trouble: Blocker, person: RotationUser) -> Blocker:
    """If the new key is refused too, it was probably revoked by accident: the command that replaces it."""
    if trouble.cause != "both-refused":
        return trouble
    cure = f"check base_url; if the new key was revoked: provision rotate leaked {person.user} --key {person.target}"
    return replace(trouble, cure=cure)


def retire_dead_keys(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Set dead keys to `retired` in the vault."""
    with recorder.act("retire", people), recorder.context.editing(f"rotate {recorder.rotation.id}: retire") as vault:
        retire(vault, [(person.user, name) for person in people for name in person.others])
    recorder.write(event_entries(RotationEvent.FILED, [person.user for person in people], recorder.now()))
    recorder.context.record(
        [("old key proved dead", p.user, name, {"rotation": recorder.rotation.id}) for p in people for name in p.others]
    )
