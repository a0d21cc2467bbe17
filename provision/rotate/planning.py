"""Plan a rotation before any change: which users get a new key, in which wave, and all problems.

A new key must differ from every known key of any user, in any stage. All problems are reported together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint
from provision.errors import Exit, InvalidFilesError, Place, Problem, Severity
from provision.fleet.desired import machine_label
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
    """Some of the new keys cannot be used. No rotation was started, and the vault is unchanged."""

    exit_code = Exit.FINDINGS


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """The users with their new keys, in the order of their waves, and remarks on what will need attention."""

    people: tuple[RotationUser, ...]
    remarks: tuple[Problem, ...]

    def waves(self) -> list[list[RotationUser]]:
        """Users by wave."""
        found: list[list[RotationUser]] = []
        for person in self.people:
            if person.wave == len(found):
                found.append([])
            found[person.wave].append(person)
        return found


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What new keys are checked against: the vault, the fleet and the users in other rotations."""

    vault: Vault
    states: Mapping[str, DesiredState]
    busy: Mapping[str, str]


def plan_rotation(keys: Sequence[NewKey], known: PlanInputs, sizes: Sequence[str], now: datetime) -> RotationPlan:
    """Plan a rotation for these keys, in their order. Raises RefusedKeysError with all problems."""
    problems: list[Problem] = []
    people: list[RotationUser] = []
    for new in keys:
        name = fingerprint(new.key.reveal(), known.vault.salt)
        current = known.vault.current(new.user)
        found = list(_key_problems(new, name, current, known))
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
    """Raise RefusedKeysError if any problem is an error."""
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise RefusedKeysError(sorted(errors, key=lambda problem: problem.place or Place("")))


def _key_problems(new: NewKey, name: str, current: KeyVersion | None, known: PlanInputs) -> Iterator[Problem]:
    user, at, states = new.user, new.place, known.states
    if user not in states:
        close = nearest_words(user, states) if len(states) <= _SUGGEST_BELOW else []
        hint = f"did you mean {close[0]}?" if close else "add the user to the inventory first"
        yield Problem("unknown-user", f"{user} is not in the inventory", at, hint)
        return
    if user in known.busy:
        hint = f"see: provision rotate status {known.busy[user]}"
        yield Problem("in-rotation", f"{user} is already in rotation {known.busy[user]}", at, hint)
    elif current is None:
        hint = "import the first key: provision keys import FILE"
        yield Problem("no-current-key", f"{user} has no current key to rotate", at, hint)
    yield from reused_keys(new, name, known.vault)
    yield from _reachable(states[user], at)


def reused_keys(new: NewKey, name: str, vault: Vault) -> Iterator[Problem]:
    """Yield a problem for each version that already has this key, of any user. The same user's pending key is fine."""
    for known in vault.find(name):
        which = f"version {known.version}, {known.stage}"
        if known.user != new.user:
            hint = "use one key per user: create another one in the console"
            yield Problem(
                "key-of-another", f"the key for {new.user} is the key of {known.user} ({which})", new.place, hint
            )
        elif known.stage is Stage.CURRENT:
            hint = "create a new one in the console; this is the key to replace"
            yield Problem("key-unchanged", f"{new.user} already has this key ({which})", new.place, hint)
        elif known.stage is not Stage.PENDING:
            hint = "replaced keys cannot be used again: create a new one in the console"
            yield Problem("key-replaced", f"{new.user} had this key before ({which})", new.place, hint)


def _reachable(state: DesiredState, at: Place) -> Iterator[Problem]:
    if not state.all_recipients:
        hint = "run `provision enroll` on the machine, and add its output to the inventory"
        yield Problem("no-recipients", f"{state.user} has no recipients: a bundle cannot be built", at, hint)
    for machine in state.machines:
        if machine.recipients and machine.endpoint_key is None:
            hint = "add the endpoint_key from `provision enroll`; otherwise the rotation cannot end for this user"
            label = machine_label(state.user, machine.name)
            what = f"{label} has no endpoint_key: the machine cannot confirm the new key"
            yield Problem("no-endpoint-key", what, at, hint, Severity.WARNING)


def swapped_labels(keys: Sequence[NewKey], states: Mapping[str, DesiredState]) -> Iterator[Problem]:
    """Yield problems for labels that name another user. It is an error if two labels name each other's user."""
    named = {new.user: whom for new in keys if (whom := _named(new.label, new.user, states))}
    for new in keys:
        whom = named.get(new.user)
        if whom is None:
            continue
        each_other = named.get(whom) == new.user
        what = f"the key for {new.user} has a label that names {whom}"
        hint = (
            f"check whether the keys of {new.user} and {whom} are swapped"
            if each_other
            else "check that it is in the right row"
        )
        severity = Severity.ERROR if each_other else Severity.WARNING
        yield Problem("swapped-keys" if each_other else "label-of-another", what, new.place, hint, severity)


def _named(label: str, user: str, states: Mapping[str, DesiredState]) -> str | None:
    """The other user that a label starts with, as in `ada-laptop-v2`. None if it also names its own user."""
    text = label.lower()
    if not text or user in text:
        return None
    borders = [match.start() for match in re.finditer(r"[^a-z0-9]|$", text)]
    return next((text[:end] for end in reversed(borders) if text[:end] in states and text[:end] != user), None)
