"""The state of a rotation, computed from its journal entries. Pure: no files, vault or gateway."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.rotate.journal import JournalEntry, journal_damaged
from provision.rotate.model import Blocker, Grade, RotationKind, RotationUser, Terms, Usage, moment, stamp
from provision.rotate.states import UNDER_WAY, Course, RotationEvent, State, advance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path


SURVEY = "survey"
"""The act of probing all new keys before the first wave."""


@dataclass(slots=True)
class Rotation:
    """The state after all entries so far. `generation` is the vault's, as last recorded."""

    terms: Terms
    generation: int
    budget: int
    people: dict[str, RotationUser] = field(default_factory=dict)
    begun: bool = False
    ended: datetime | None = None
    ended_as: str = ""
    halted: str = ""
    paused: str = ""
    calls: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """Paid calls and their answers. None if the call may have been made but no answer was recorded."""
    touched: datetime | None = None
    surveyed: bool = False
    """Whether all new keys were probed before the first wave."""

    @property
    def id(self) -> str:
        return self.terms.id

    @property
    def over(self) -> bool:
        """Whether no user is in progress."""
        return self.ended is not None or (self.begun and all(person.over for person in self.people.values()))

    @property
    def blocked(self) -> bool:
        """Whether no further user may get a new key: the failure budget is spent, or an operator paused the rotation."""
        return bool(self.paused) or self.failures > self.budget

    @property
    def failures(self) -> int:
        """The number of users that count against the failure budget."""
        return sum(person.failed for person in self.people.values())

    def waves(self) -> list[list[RotationUser]]:
        """Users by wave."""
        count = max((person.wave for person in self.people.values()), default=-1) + 1
        found: list[list[RotationUser]] = [[] for _ in range(count)]
        for person in self.people.values():
            found[person.wave].append(person)
        return found

    def open_wave(self) -> int:
        """The last wave that is open: all waves before it are settled."""
        waves = self.waves()
        for number, wave in enumerate(waves):
            if not all(person.settled for person in wave):
                return number
        return max(len(waves) - 1, 0)

    def in_state(self, *states: State) -> list[RotationUser]:
        """Users in these states, in plan order."""
        return [person for person in self.people.values() if person.state in states]

    def ahead(self) -> dict[str, str]:
        """Users whose bundle in dist/ has another key than the vault's current one, with that key's fingerprint."""
        return {p.user: p.target for p in self.people.values() if p.state in UNDER_WAY and self.ended is None}

    def counts(self) -> Counter[State]:
        """How many users are in each state."""
        return Counter(person.state for person in self.people.values())

    def apply(self, entry: JournalEntry) -> None:
        """Apply one entry. Raises KeyError, TypeError, ValueError or RuntimeError for an invalid one."""
        if "plan" in entry:
            self._plan(entry)
            return
        at = moment(entry["at"])
        self.touched = at
        self.generation = entry.get("generation", self.generation)
        self.surveyed = self.surveyed or entry.get("did") == SURVEY
        apply = next((apply for name, apply in _APPLY.items() if name in entry), None)
        if apply is not None:
            apply(self, entry, at)
        elif not entry.keys() & _REMARKS:
            raise ValueError("an unknown entry")

    def _begin(self, entry: JournalEntry, at: datetime) -> None:
        if entry["begin"] != len(self.people):
            raise ValueError("users are missing")
        self.begun = True

    def _trouble(self, entry: JournalEntry, at: datetime) -> None:
        grade = (
            Grade.UNSURE if entry["grade"] == "cannot tell" else Grade(entry["grade"])
        )  # as journals before 0.2.0 wrote it
        blocker = Blocker(entry["trouble"], entry["message"], entry["cure"], grade)
        for user in entry["users"]:
            self.people[user].trouble = blocker

    def _clear(self, entry: JournalEntry, at: datetime) -> None:
        for user in entry["clear"]:
            self.people[user].trouble = None

    def _usage(self, entry: JournalEntry, at: datetime) -> None:
        for user, (since, total) in entry["usage"].items():
            self.people[user].usage = Usage(since, total, at)

    def _targets(self, entry: JournalEntry, at: datetime) -> None:
        for user, target in entry["targets"].items():
            self.people[user].target = str(target)

    def _call(self, entry: JournalEntry, at: datetime) -> None:
        self.calls[entry["call"]] = entry.get("answer")

    def _budget(self, entry: JournalEntry, at: datetime) -> None:
        self.budget, self.halted, self.paused = int(entry["budget"]), "", ""

    def _new_terms(self, entry: JournalEntry, at: datetime) -> None:
        self.terms = self.terms.changed(entry["terms"])

    def _halt(self, entry: JournalEntry, at: datetime) -> None:
        self.halted = str(entry["halt"])

    def _pause(self, entry: JournalEntry, at: datetime) -> None:
        self.paused = str(entry["pause"])

    def _end(self, entry: JournalEntry, at: datetime) -> None:
        self.ended, self.ended_as = at, str(entry["end"])

    def _plan(self, entry: JournalEntry) -> None:
        if self.begun or entry["plan"] in self.people:
            raise ValueError("a user is planned twice")
        course = Course(entry.get("course", Course.LEAK if self.terms.kind is RotationKind.LEAK else Course.SCHEDULED))
        state = State.PLANNED if course is Course.SCHEDULED else State.EXPOSED
        at = self.terms.at
        if "state" in entry:
            state = State(entry["state"])
        also, taken_from = tuple(map(str, entry.get("also", ()))), str(entry.get("from", ""))
        keys, name = (entry["new"], entry["old"]), entry["plan"]
        self.people[name] = RotationUser(
            name, entry["profile"], int(entry["wave"]), course, *keys, state, at, at, also=also, taken_from=taken_from
        )

    def _event(self, entry: JournalEntry, at: datetime) -> None:
        event = RotationEvent(entry["event"])
        users: list[str] | dict[str, Any] = entry["users"]
        for user in users:
            person = self.people[user]
            person.state = advance(person.course, person.state, event)
            person.since, person.trouble = at, None
            if event is RotationEvent.BUILT and isinstance(users, dict):
                person.generation = int(users[user])
            elif event is RotationEvent.SUPPLIED and isinstance(users, dict):
                person.target = str(users[user])
            elif event is RotationEvent.REFUSED:
                if person.course is Course.LEAK:
                    person.target = ""
                person.trouble = Blocker(entry["cause"], entry["message"], entry["cure"], Grade.FAILED)
            elif event is RotationEvent.LISTED:
                person.idle = str(entry["idle"])
            elif event is RotationEvent.PROVED:
                person.dead_at = at
            elif event is RotationEvent.EXCEPTED:
                person.reason = str(entry["reason"])
            elif event is RotationEvent.TURNED:
                person.target, person.other = person.other, person.target
                person.back, person.usage, person.idle = not person.back, None, ""


_APPLY: dict[str, Callable[[Rotation, JournalEntry, datetime], None]] = {
    "event": Rotation._event,  # noqa: SLF001  the table belongs to the class
    "trouble": Rotation._trouble,  # noqa: SLF001
    "clear": Rotation._clear,  # noqa: SLF001
    "usage": Rotation._usage,  # noqa: SLF001
    "targets": Rotation._targets,  # noqa: SLF001
    "call": Rotation._call,  # noqa: SLF001
    "budget": Rotation._budget,  # noqa: SLF001
    "terms": Rotation._new_terms,  # noqa: SLF001
    "halt": Rotation._halt,  # noqa: SLF001
    "pause": Rotation._pause,  # noqa: SLF001
    "end": Rotation._end,  # noqa: SLF001
    "begin": Rotation._begin,  # noqa: SLF001
}
_REMARKS = frozenset({"intent", "did"})


def replay(entries: Iterable[JournalEntry], path: Path) -> Rotation | None:
    """Compute a rotation from its entries. None without a complete first line. Raises RotationJournalError with the line."""
    rotation: Rotation | None = None
    for number, entry in enumerate(entries, 1):
        try:
            if rotation is None:
                terms = Terms.of(entry)
                rotation = Rotation(terms, int(entry["generation"]), terms.max_failures)
            else:
                rotation.apply(entry)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as e:
            raise journal_damaged(
                path, number, f"invalid after the entries before it ({type(e).__name__}: {e})"
            ) from None
    return rotation


def plan_entries(people: Iterable[RotationUser], terms: Terms) -> Iterator[JournalEntry]:
    """The entries of a plan. The last one is `begin`."""
    usual = Course.LEAK if terms.kind is RotationKind.LEAK else Course.SCHEDULED
    count = 0
    for count, p in enumerate(people, 1):  # noqa: B007  counted for the last line
        entry: JournalEntry = {"plan": p.user, "profile": p.profile, "wave": p.wave, "old": p.other, "new": p.target}
        if p.course is not usual:
            entry["course"] = p.course.value
        if p.course is Course.SCHEDULED and p.state is not State.PLANNED:
            entry["state"] = p.state.value
        if p.also:
            entry["also"] = list(p.also)
        if p.taken_from:
            entry["from"] = p.taken_from
        yield entry
    yield {"begin": count, "at": stamp(terms.at)}


def event_entries(
    event: RotationEvent, users: Iterable[str] | Mapping[str, Any], at: datetime, *, of: int = 500, **more: Any
) -> Iterator[JournalEntry]:
    """The entries for an event of several users, at most `of` users per entry."""
    listed = list(users)
    for start in range(0, len(listed), of):
        part = listed[start : start + of]
        named = {user: users[user] for user in part} if isinstance(users, dict) else part
        yield {"at": stamp(at), "event": event.value, "users": named, **more}


def blocker_entry(trouble: Blocker, users: Iterable[str], at: datetime) -> JournalEntry:
    """The entry for a blocker of several users."""
    return {
        "at": stamp(at),
        "trouble": trouble.cause,
        "users": list(users),
        "message": trouble.message,
        "cure": trouble.cure,
        "grade": trouble.grade.value,
    }
