"""What becomes of the keys that are to go: are they idle, do others still use them, are they proved dead?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.rotate.model import Grade, Trouble, stamp
from provision.rotate.probes import ask_all
from provision.rotate.rotation import happened
from provision.rotate.states import Event, State
from provision.rotate.vault_steps import retire, shared_with

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from provision.rotate.model import Person
    from provision.rotate.probes import Asker, Life
    from provision.rotate.recorder import Recorder

IDLE, UNTOLD = "yes", "cannot tell"


def watch(book: Recorder, people: Sequence[Person]) -> None:
    """Ask about each old key. Whoever is idle is listed for revocation; whoever is refused is proved dead."""
    watching = _Watch(book)
    left = ask_all(people, watching.ask, watching.settle, book.site.reach)
    book.flush()
    watching.write()
    if left:
        message = f"the gateway does not answer; {len(left)} old keys were not asked about"
        book.hold(
            Trouble("gateway-silent", message, "provision rotate resume, when it answers again", Grade.UNSURE), left
        )


class _Watch:
    """One round of questions; what it found is written together at its end."""

    def __init__(self, book: Recorder) -> None:
        self._book = book
        self._looks: dict[str, tuple[str, int]] = {}
        self._listed: dict[str, list[Person]] = {IDLE: [], UNTOLD: []}

    async def ask(self, asker: Asker, person: Person) -> Trouble | int | Life:
        """How many requests the old key has had, or whether it is dead, or why neither can be told."""
        site = self._book.site
        route, key = site.route(person.user), site.key(person.user, person.other)
        if isinstance(route, Trouble):
            return route
        if key is None:
            cure = "take the last good vault from git, then: provision rotate resume"
            return Trouble("no-old-key", "the vault does not have the old key", cure, Grade.FAILED)
        if person.state is State.CURRENT:
            today = self._book.now().date()
            found = await asker.requests_since(route, key, self._first_day(person), today)
            if isinstance(found, int) or found.grade is Grade.UNSURE:
                return found
            if found.cause == "usage-unknown" and self._ripe(person):
                self._listed[UNTOLD].append(person)
        beside = site.key(person.user, person.target) if person.state is not State.EXPOSED else None
        return await asker.life(route, key, beside)

    def settle(self, person: Person, result: Trouble | int | Life) -> None:
        """Take one answer."""
        if isinstance(result, Trouble):
            self._book.trouble(result, person)
        elif isinstance(result, int):
            self._count(person, result)
        elif result.dead:
            self._listed[UNTOLD] = [each for each in self._listed[UNTOLD] if each is not person]
            self._book.event(Event.PROVED, person)
        elif result.trouble is not None:
            self._book.trouble(result.trouble, person)
        else:
            self._book.fine(person)

    def write(self) -> None:
        """Write the looks and the list. Nobody is listed whose key somebody else still uses."""
        book = self._book
        if self._looks:
            book.write([{"at": stamp(book.now()), "usage": self._looks}])
        for idle, people in self._listed.items():
            free = []
            for person in people:
                others = shared_with(book.site.vault, person)
                if others:
                    message = f"{', '.join(others[:5])} still use{'s' if len(others) == 1 else ''} the same old key"
                    cure = "rotate theirs too; it can be revoked when nobody uses it"
                    book.trouble(Trouble("shared-key", message, cure, Grade.WAITING), person)
                else:
                    free.append(person.user)
            book.write(happened(Event.LISTED, free, book.now(), idle=idle))
        book.flush()

    def _count(self, person: Person, total: int) -> None:
        """Idle means: as many requests as at the last look, and that was long enough ago."""
        now, last, day = self._book.now(), person.usage, self._first_day(person).isoformat()
        if last is None or last.since != day:
            self._looks[person.user] = (day, total)
            self._book.fine(person)
        elif total > last.total:
            self._looks[person.user] = (day, total)
            more = total - last.total
            message = f"the old key is in use: {more} more request{'s' if more > 1 else ''} since {stamp(last.at)}"
            cure = "restart Hermes there; `provision audit` there finds copies of the key"
            self._book.trouble(Trouble("old-key-busy", message, cure, Grade.WAITING), person)
        elif (now - last.at).total_seconds() >= self._book.rotation.terms.idle_for_s:
            self._listed[IDLE].append(person)

    def _ripe(self, person: Person) -> bool:
        return (self._book.now() - person.since).total_seconds() >= self._book.rotation.terms.idle_for_s

    def _first_day(self, person: Person) -> dt.date:
        return person.since.date()


def file(book: Recorder, people: Sequence[Person]) -> None:
    """Call the dead retired in the vault."""
    with book.act("retire", people), book.site.editing(f"rotate {book.rotation.id}: retire") as vault:
        retire(vault, [(person.user, person.other) for person in people])
    book.write(happened(Event.FILED, [person.user for person in people], book.now()))
    book.site.record([("old key proved dead", p.user, p.other, {"rotation": book.rotation.id}) for p in people])
