"""Compare an export with the inventory: who joins, who changed, who leaves, and what is not known. Pure.

A person is recognised by the directory's unchanging id, then by the mail address, then by the user id that the address gives.
Only what the export says counts: a blank status is unknown, and who is not in the export has not left, unless the operator says
that the export is complete. The plan's edits write exactly what it lists; a second import of the same export has none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provision.directory.person import Person, PersonStatus, external_key
from provision.directory.user_ids import propose_id
from provision.fleet.edit.entry_edit import EntryEdit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from provision.directory.people import Export
    from provision.directory.profile_map import ProfileChoice
    from provision.fleet.desired import DesiredState
    from provision.fleet.users import FormerUser


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One line of the plan: a user, or for rows that cannot be used the login. `details` go into the JSON."""

    id: str
    why: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ImportPlan:
    """What an import would do, and the edits that do it. `current` is the number of users in the inventory."""

    current: int
    joiners: list[PlanEntry] = field(default_factory=list)
    movers: list[PlanEntry] = field(default_factory=list)
    leavers: list[PlanEntry] = field(default_factory=list)
    unknown: list[PlanEntry] = field(default_factory=list)
    unmapped: list[PlanEntry] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    """Users of the directory who are not in the export; this proves nothing unless it is complete."""
    unchanged: int = 0
    gone: Counter[str] = field(default_factory=Counter)
    """Accounts that are gone and were no users, by what says so."""
    unlisted: int = 0
    """Users without a mail address and id of a directory: no export can say that they left."""
    edits: list[EntryEdit] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether the inventory would stay as it is."""
        return not self.edits

    def leaver_percent(self) -> float:
        """Which part of the users would leave."""
        return 100 * len(self.leavers) / self.current if self.current else 0.0


@dataclass(frozen=True, slots=True)
class Known:
    """The inventory as an import sees it."""

    states: Sequence[DesiredState]
    left: Mapping[str, FormerUser]
    refused: Sequence[str] = ()


def plan_people(
    export: Export,
    known: Known,
    profiles: ProfileChoice,
    today: date,
    *,
    complete: bool,
    assume_active: bool = False,
) -> ImportPlan:
    """Plan the import of an export of persons."""
    return _PeoplePlan(known, profiles, today, assume_active=assume_active).made(export, complete=complete)


def _is_of(state: DesiredState, realm: str) -> bool:
    """Whether a complete export of a directory must have this user: by the id in it, else by a mail address."""
    return state.external_id.startswith(realm) if state.external_id else state.email is not None


class _PeoplePlan:
    def __init__(self, known: Known, profiles: ProfileChoice, today: date, *, assume_active: bool) -> None:
        self._known = known
        self._profiles = profiles
        self._today = today
        self._assume_active = assume_active
        self._states = {state.user: state for state in known.states}
        self._by_external = {external_key(s.external_id): s.user for s in known.states if s.external_id}
        self._by_email = {s.email.casefold(): s.user for s in known.states if s.email}
        self._former = {external_key(f.external_id): f.user for f in known.left.values() if f.external_id}
        self._taken = {*self._states, *known.left, *known.refused}
        self._seen: dict[str, Person] = {}
        self._mentioned: set[str | None] = set()
        """Users of rows that cannot be used: they are in the export."""
        self.plan = ImportPlan(len(known.states))

    def made(self, export: Export, *, complete: bool) -> ImportPlan:
        plan = self.plan
        joining: dict[str, list[Person]] = {}
        for person in export.people:
            if person.broken:
                self._unmapped(person, person.broken)
                self._mention(person)
                continue
            user = self._user_of(person)
            if user is None:
                continue
            if user in self._states:
                self._there(user, person)
            else:
                joining.setdefault(user, []).append(person)
        for user, people in joining.items():
            self._join(user, people)
        realm = f"{export.source.realm or export.source.name}:"
        present = self._seen.keys() | self._mentioned
        unseen = [state for user, state in self._states.items() if user not in present]
        missing = [state.user for state in unseen if _is_of(state, realm)]
        plan.unlisted = sum(not (state.external_id or state.email) for state in unseen)
        if complete:
            for user in missing:
                self._leave(user, "not in the complete export")
        else:
            plan.absent = missing
        return plan

    def _unmapped(self, person: Person, why: str, user: str = "") -> None:
        details = {"row": person.line, "email": person.email or None}
        self.plan.unmapped.append(PlanEntry(user or person.label, why, details))

    def _mention(self, person: Person) -> None:
        known = (self._by_external.get(person.external_id), self._by_email.get(person.email))
        self._mentioned |= {*known, propose_id(person.wanted_id, person.email, person.login)}

    def _user_of(self, person: Person) -> str | None:
        """The user id of a person, new or not; None if that cannot be said, which is reported."""
        if person.external_id in self._by_external:
            return self._by_external[person.external_id]
        if person.external_id in self._former:
            self._rejoins(self._former[person.external_id], person)
            return None
        proposed = propose_id(person.wanted_id) if person.wanted_id else propose_id(person.email, person.login)
        user = self._by_email.get(person.email) if person.email else None
        if user is None and proposed in self._states and self._same(self._states[proposed], person):
            user = proposed
        if user is not None:
            if self._of_another(self._states[user], person):
                self._mention(person)
                self._unmapped(
                    person, f"{user!r} has another id in the inventory ({self._states[user].external_id})", user
                )
                return None
            return user
        if not proposed:
            self._unmapped(person, "no user id can be made of the login: name a column with --map id=COLUMN")
            return None
        if proposed in self._known.left:
            self._rejoins(proposed, person)
            return None
        if proposed in self._taken:
            self._unmapped(person, f"the user id {proposed!r} belongs to another user", proposed)
            return None
        return proposed

    def _rejoins(self, user: str, person: Person) -> None:
        if person.status is PersonStatus.ACTIVE:
            day = self._known.left[user].left
            why = f"{user!r} left on {day}, and is active: provision users add {user} --rejoin"
            self._unmapped(person, why, user)

    def _same(self, state: DesiredState, person: Person) -> bool:
        """Whether a user of the inventory without ids of a directory is this person, by the user id alone."""
        return state.external_id is None and (state.email is None or state.email.casefold() == person.email)

    def _of_another(self, state: DesiredState, person: Person) -> bool:
        """Whether a mail address belongs to another person now: the same directory has another id for it."""
        if not state.external_id or not person.external_id or external_key(state.external_id) == person.external_id:
            return False
        return state.external_id.partition(":")[0] == person.external_id.partition(":")[0]

    def _there(self, user: str, person: Person) -> None:
        """A person who is in the inventory."""
        before = self._seen.setdefault(user, person)
        if before is not person:
            self._unmapped(person, f"{user!r} is also row {before.line}", user)
            return
        if person.status is PersonStatus.GONE:
            self._leave(user, person.why)
            return
        if person.status is PersonStatus.UNKNOWN and not self._assume_active:
            self.plan.unknown.append(PlanEntry(user, person.why, {"email": person.email or None, "in_inventory": True}))
            return
        changes = dict(self._changes(self._states[user], person))
        if not changes:
            self.plan.unchanged += 1
            return
        self.plan.movers.append(PlanEntry(user, "", {"changes": changes}))
        self.plan.edits.append(EntryEdit(user, {name: new for name, (_, new) in changes.items()}))

    def _changes(self, state: DesiredState, person: Person) -> Iterator[tuple[str, tuple[str | None, str]]]:
        if person.external_id and state.external_id is None:
            yield "external_id", (None, person.external_id)
        if person.email and (state.email or "").casefold() != person.email:
            yield "email", (state.email, person.email)
        profile = self._profiles.mapped(person.teams)
        if profile is not None and profile != state.profile.name:
            yield "profile", (state.profile.name, profile)

    def _leave(self, user: str, why: str) -> None:
        self.plan.leavers.append(PlanEntry(user, why, {"email": self._states[user].email}))
        self.plan.edits.append(EntryEdit(user, {"left": self._today.isoformat()}))

    def _join(self, user: str, people: list[Person]) -> None:
        """A person who is not in the inventory. Two persons of one id are both left out."""
        if len(people) > 1:
            rows = " and ".join(f"{p.label} (row {p.line})" for p in people)
            for person in people:
                self._unmapped(person, f"{rows} would get the same user id: name a column with --map id=COLUMN", user)
            return
        (person,) = people
        if person.status is PersonStatus.GONE:
            self.plan.gone[person.why] += 1
            return
        if person.status is PersonStatus.UNKNOWN and not self._assume_active:
            self.plan.unknown.append(
                PlanEntry(user, person.why, {"email": person.email or None, "in_inventory": False})
            )
            return
        profile = self._profiles.for_new(person.teams)
        if profile is None:
            teams = ", ".join(person.teams) or "no department or group"
            self._unmapped(person, f"no profile for {teams}: use --profile-map FILE or --profile NAME", user)
            return
        fields: dict[str, Any] = {
            "profile": profile if profile != self._profiles.default else None,
            "email": person.email or None,
            "external_id": person.external_id or None,
            "recipients": [],
        }
        details = {"email": person.email or None, "external_id": person.external_id or None, "profile": profile}
        self.plan.joiners.append(PlanEntry(user, "", details))
        self.plan.edits.append(EntryEdit(user, fields, new=True))
