"""What a rotation would do, judged as a whole before anything is touched: who gets a new key, in which wave, and what is wrong.

A new key must be unlike any key that was ever seen, of anybody and in any stage. All problems come at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint
from provision.errors import Exit, InvalidFilesError, Place, Problem, Severity
from provision.fleet.nearest import nearest_words
from provision.keys.vault.ledger import Stage
from provision.push.waves import split_into_waves
from provision.rotate.model import RotationUser
from provision.rotate.states import Course, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from provision.fleet.desired import DesiredState
    from provision.keys.import_file import NewKey
    from provision.keys.vault.ledger import KeyVersion
    from provision.keys.vault.vault import Vault

_SUGGEST_BELOW = 20_000


class RefusedKeysError(InvalidFilesError):
    """The new keys were judged, and some cannot be used; nothing was begun, the vault is as it was."""

    exit_code = Exit.FINDINGS


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """Who gets which key: people in the order of their waves, and remarks about what will need somebody's attention."""

    people: tuple[RotationUser, ...]
    remarks: tuple[Problem, ...]

    def waves(self) -> list[list[RotationUser]]:
        """People by wave."""
        found: list[list[RotationUser]] = []
        for person in self.people:
            if person.wave == len(found):
                found.append([])
            found[person.wave].append(person)
        return found


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What new keys are judged against: the vault, the fleet, and who is in which rotation already."""

    vault: Vault
    states: Mapping[str, DesiredState]
    busy: Mapping[str, str]


def plan_rotation(keys: Sequence[NewKey], known: PlanInputs, sizes: Sequence[str], now: datetime) -> RotationPlan:
    """The plan for these keys, in their order. Raises RefusedKeysError with every problem that there is."""
    problems: list[Problem] = []
    people: list[RotationUser] = []
    for new in keys:
        name = fingerprint(new.key.reveal(), known.vault.salt)
        current = known.vault.current(new.user)
        found = list(_judged(new, name, current, known))
        problems += found
        if current is not None and not any(problem.severity is Severity.ERROR for problem in found):
            profile = known.states[new.user].profile.name
            begun = (new.user, profile, 0, Course.SCHEDULED, name, current.fingerprint, State.PLANNED, now, now)
            people.append(RotationUser(*begun))
    problems += swapped_labels(keys, known.states)
    raise_if_errors(problems)
    for number, wave in enumerate(split_into_waves(people, sizes)):
        for person in wave:
            person.wave = number
    return RotationPlan(tuple(people), tuple(problem for problem in problems if problem.severity is not Severity.ERROR))


def raise_if_errors(problems: Iterable[Problem]) -> None:
    """Raise RefusedKeysError when any problem is an error."""
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise RefusedKeysError(sorted(errors, key=lambda problem: problem.place or Place("")))


def _judged(new: NewKey, name: str, current: KeyVersion | None, known: PlanInputs) -> Iterator[Problem]:
    user, at, states = new.user, new.place, known.states
    if user not in states:
        close = nearest_words(user, states) if len(states) <= _SUGGEST_BELOW else []
        hint = f"did you mean {close[0]}?" if close else "add the user to the inventory first"
        yield Problem("unknown-user", f"{user} is not in the inventory", at, hint)
        return
    if user in known.busy:
        hint = f"see: provision rotate status {known.busy[user]}"
        yield Problem("in-rotation", f"{user} is in rotation {known.busy[user]} already", at, hint)
    if current is None:
        hint = "a first key is imported: provision keys import"
        yield Problem("no-current-key", f"{user} has no current key to rotate", at, hint)
    yield from reused_keys(new, name, known.vault)
    yield from _reachable(states[user], at)


def reused_keys(new: NewKey, name: str, vault: Vault) -> Iterator[Problem]:
    """A problem for each version of anybody that has this key already; a pending one of the same user is taken up."""
    for known in vault.find(name):
        which = f"version {known.version}, {known.stage}"
        if known.user != new.user:
            hint = "one key per person: make another one in the console"
            yield Problem(
                "key-of-another", f"the key for {new.user} is the key of {known.user} ({which})", new.place, hint
            )
        elif known.stage is Stage.CURRENT:
            hint = "make a new one in the console; this one is to go"
            yield Problem("key-unchanged", f"{new.user} has this key now ({which})", new.place, hint)
        elif known.stage is not Stage.PENDING:
            hint = "a key that was replaced does not come back; make a new one in the console"
            yield Problem("key-replaced", f"{new.user} had this key before ({which})", new.place, hint)


def _reachable(state: DesiredState, at: Place) -> Iterator[Problem]:
    if not state.recipients:
        hint = "run `provision enroll` there, and put what it prints into the inventory"
        yield Problem("no-recipients", f"{state.user} has no recipients: no bundle can be made", at, hint)
    elif state.endpoint_key is None:
        hint = "add the endpoint_key that `provision enroll` prints there, or the rotation cannot end for this user"
        what = f"{state.user} has no endpoint_key: nothing can confirm that the new key is installed"
        yield Problem("no-endpoint-key", what, at, hint, Severity.WARNING)


def swapped_labels(keys: Sequence[NewKey], states: Mapping[str, DesiredState]) -> Iterator[Problem]:
    """Labels that name another user than the one whose key it is to be: an error when two name each other."""
    said = {new.user: whom for new in keys if (whom := _named(new.label, new.user, states))}
    for new in keys:
        whom = said.get(new.user)
        if whom is None:
            continue
        each_other = said.get(whom) == new.user
        what = f"the key for {new.user} has a label that names {whom}"
        hint = f"were the keys of {new.user} and {whom} swapped?" if each_other else "is it in the right row?"
        severity = Severity.ERROR if each_other else Severity.WARNING
        yield Problem("swapped-keys" if each_other else "label-of-another", what, new.place, hint, severity)


def _named(label: str, user: str, states: Mapping[str, DesiredState]) -> str | None:
    """Another user whom a label begins with, as in `ada-laptop-v2`; None when it names its own user as well."""
    text = label.lower()
    if not text or user in text:
        return None
    borders = [match.start() for match in re.finditer(r"[^a-z0-9]|$", text)]
    return next((text[:end] for end in reversed(borders) if text[:end] in states and text[:end] != user), None)
