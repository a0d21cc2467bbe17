"""Record a rotation: write every entry to the journal first, then apply it in memory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from provision.rotate.journal import StoppedError
from provision.rotate.model import stamp
from provision.rotate.rotation import blocker_entry, event_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from provision.rotate.context import RotationContext
    from provision.rotate.journal import Journal, JournalEntry
    from provision.rotate.model import Blocker, RotationUser
    from provision.rotate.rotation import Rotation
    from provision.rotate.states import RotationEvent

_FLUSH_AT = 200
CLOCK_SLACK_S = 600


class Recorder:
    """Records one rotation. Events of single users are collected and written together; call `flush` after each step."""

    def __init__(self, context: RotationContext, rotation: Rotation, journal: Journal) -> None:
        self.context = context
        self.rotation = rotation
        self._journal = journal
        self._waiting: dict[RotationEvent, list[str]] = {}
        self._troubles: dict[Blocker, list[str]] = {}
        self._fine: list[str] = []
        self._count = 0
        self.held: set[str] = set()
        """Users with a blocker in this pass. They are skipped until the next pass."""
        self.unsure: list[Blocker] = []

    def now(self) -> datetime:
        """The time, never before the last journal entry. Raises StoppedError if the clock is too far behind it."""
        now, last = self.context.clock(), self.rotation.touched
        if last is None or now >= last:
            return now
        if (last - now).total_seconds() > CLOCK_SLACK_S:
            raise StoppedError(
                f"the clock ({stamp(now)}) is behind the journal of rotation {self.rotation.id} ({stamp(last)})",
                hint="set the clock, then run `provision rotate resume`",
            )
        return last

    def write(self, entries: Iterable[JournalEntry]) -> None:
        """Write entries durably and apply them."""
        listed = list(entries)
        self._journal.append(listed)
        for entry in listed:
            self.rotation.apply(entry)

    def event(self, event: RotationEvent, person: RotationUser) -> None:
        """Record an event of a user. Written together with others of its kind."""
        self._waiting.setdefault(event, []).append(person.user)
        self._grown()

    def trouble(self, trouble: Blocker, person: RotationUser) -> None:
        """Record a blocker of a user. The user is skipped in this pass. An unchanged blocker is not written again."""
        self.held.add(person.user)
        if person.trouble != trouble:
            self._troubles.setdefault(trouble, []).append(person.user)
            self._grown()

    def fine(self, person: RotationUser) -> None:
        """Remove the blocker of a user."""
        if person.trouble is not None:
            self._fine.append(person.user)
            self._grown()

    def hold(self, trouble: Blocker, people: Iterable[RotationUser]) -> None:
        """Skip users who were not reached in this pass. Nothing is written to the journal."""
        self.held.update(person.user for person in people)
        self.unsure.append(trouble)

    def flush(self) -> None:
        """Write the collected entries."""
        now = self.now()
        entries = [entry for event, users in self._waiting.items() for entry in event_entries(event, users, now)]
        entries += [blocker_entry(trouble, users, now) for trouble, users in self._troubles.items()]
        if self._fine:
            entries.append({"at": stamp(now), "clear": self._fine})
        self._waiting, self._troubles, self._fine, self._count = {}, {}, [], 0
        self.write(entries)

    @contextlib.contextmanager
    def act(self, what: str, people: Iterable[RotationUser]) -> Iterator[None]:
        """Write the intent before an action and the outcome after it, with the vault's generation."""
        users = sum(1 for _ in people)
        self.write([{"at": stamp(self.now()), "intent": what, "users": users, "generation": self.rotation.generation}])
        yield
        generation = self.context.vault.generation
        self.write([{"at": stamp(self.now()), "did": what, "users": users, "generation": generation}])

    def _grown(self) -> None:
        self._count += 1
        if self._count >= _FLUSH_AT:
            self.flush()
