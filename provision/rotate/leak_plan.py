"""Leaked keys: which keys are meant, which users they affect, and how a user is taken over from another rotation. Pure.

A leak takes a user out of the rotation that handles this key, in any state. Everything that must be revoked, and the key to use
instead, go into the new rotation: a user is never without a next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import Place, Problem, UsageError
from provision.keys.vault.ledger import Stage
from provision.rotate.model import RotationUser
from provision.rotate.planning import raise_if_errors
from provision.rotate.states import UNDER_WAY, Course, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from provision.fleet.desired import DesiredState
    from provision.keys.vault.ledger import KeyVersion, Ledger
    from provision.rotate.rotation import Rotation


class UnnamedLeakError(UsageError):
    """The user has several keys that may work: the leaked one must be named."""


@dataclass(frozen=True, slots=True)
class LeakChoice:
    """How the leaked keys were named: users and fingerprints, `--key`, `--all`."""

    names: Sequence[str]
    keys: Sequence[str] = ()
    all_keys: bool = False


@dataclass(frozen=True, slots=True)
class LeftAside:
    """A named key that gets no rotation of its own, with the reason. `revoke`: it must be revoked all the same."""

    user: str
    fingerprint: str
    why: str
    revoke: bool = False


@dataclass(frozen=True, slots=True)
class LeakPlan:
    """The users of the new rotation, and the keys that get none."""

    people: tuple[RotationUser, ...]
    aside: tuple[LeftAside, ...]


def leaked_keys(choice: LeakChoice, ledger: Ledger, rotations: Sequence[Rotation]) -> list[KeyVersion]:
    """The leaked key versions, of all users who have them. Raises RefusedKeysError for unknown names, UnnamedLeakError."""
    problems: list[Problem] = []
    meant: dict[str, None] = {}
    for name in (*choice.names, *choice.keys):
        if name.startswith("fp_"):
            found = [known.fingerprint for known in ledger.find(name)]
        else:
            found = [each.fingerprint for each in _keys_of(name, choice, ledger)]
        if not found:
            problems.append(_unknown(name, rotations))
        meant |= dict.fromkeys(found)
    raise_if_errors(problems)
    return [known for name in meant for known in ledger.find(name)]


def _keys_of(user: str, choice: LeakChoice, ledger: Ledger) -> list[KeyVersion]:
    """The keys of a user that are meant: the one named by `--key`, all, or the only one that is not retired."""
    known = ledger.versions(user)
    alive = [each for each in known if each.stage is not Stage.RETIRED]
    if named := [each for each in known if each.fingerprint in choice.keys]:
        return named
    if len(alive) <= 1 or choice.all_keys:
        return alive or list(known[-1:])
    which = " and ".join(f"{each.stage} key ({each.fingerprint})" for each in reversed(alive))
    options = "   ".join(f"--key {each.fingerprint}" for each in reversed(alive))
    raise UnnamedLeakError(
        f"name the leaked key: {user}'s {which} are not proved dead",
        hint=f"add one of: {options}   --all",
    )


def _unknown(name: str, rotations: Sequence[Rotation]) -> Problem:
    for rotation in rotations:
        for person in rotation.people.values():
            if person.target == name and person.state is State.PLANNED:
                what = f"{name} is the planned new key of {person.user} in rotation {rotation.id} and was never used"
                exclude = f"provision rotate finish {rotation.id} --except '{person.user}=new key leaked'"
                hint = f"revoke it in the console, then: {exclude}"
                return Problem("unused-key", what, Place("leaked"), hint)
    hint = "list the keys: provision keys list --all; find a key by its value: provision keys whose -"
    return Problem("unknown-key", f"unknown user or key '{name}': not in this vault", Place("leaked"), hint)


def plan_leak(
    leaked: Iterable[KeyVersion],
    ledger: Ledger,
    states: Mapping[str, DesiredState],
    rotations: Sequence[Rotation],
    now: datetime,
) -> LeakPlan:
    """Plan the rotation for these keys: one entry per user, who may be taken over from a rotation in progress."""
    by_user: dict[str, list[KeyVersion]] = {}
    for known in leaked:
        by_user.setdefault(known.user, []).append(known)
    people: list[RotationUser] = []
    aside: list[LeftAside] = []
    for user, keys in by_user.items():
        alive = [known for known in keys if known.stage is not Stage.RETIRED]
        aside += [
            LeftAside(user, known.fingerprint, "it is already proved dead")
            for known in keys
            if known.stage is Stage.RETIRED
        ]
        handled = [found for known in alive if (found := _handled(known, rotations))]
        aside += handled
        names = [k.fingerprint for k in alive if k.fingerprint not in {each.fingerprint for each in handled}]
        if names:
            people.append(_person(names, ledger, states.get(user), _Entry(user, *_busy(user, names, rotations)), now))
    return LeakPlan(tuple(people), tuple(aside))


def _handled(known: KeyVersion, rotations: Sequence[Rotation]) -> LeftAside | None:
    """Whether a rotation already waits for this key's revocation after a leak, or has proved it dead."""
    for rotation in rotations:
        person = rotation.people.get(known.user)
        if person is None or known.fingerprint not in person.others:
            continue
        if person.state is State.EXPOSED:
            why = f"rotation {rotation.id} waits for this: revoke the key now, then run `provision rotate resume {rotation.id}`"
            return LeftAside(known.user, known.fingerprint, why, revoke=True)
        if person.state is State.DEAD:
            why = f"it is already proved dead: run `provision rotate resume {rotation.id}`"
            return LeftAside(known.user, known.fingerprint, why)
    return None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A user with the entry in an unfinished rotation, if there is one."""

    user: str
    person: RotationUser | None
    rotation: str


def _busy(user: str, names: Sequence[str], rotations: Sequence[Rotation]) -> tuple[RotationUser | None, str]:
    """The user's entry in the unfinished rotation that these keys concern, with the rotation's id."""
    for rotation in rotations:
        person = rotation.people.get(user)
        if person is None or person.over or person.course is Course.SPARE:
            continue
        concerned = {person.target, *person.others}
        if person.course is Course.LEAK or concerned & set(names):
            return person, rotation.id
    return None, ""


def _person(names: list[str], ledger: Ledger, state: DesiredState | None, entry: _Entry, now: datetime) -> RotationUser:
    user, person = entry.user, entry.person
    if person is not None and person.state is State.EXPOSED:
        names += [name for name in person.others if name not in names]
    lacks_key = person is not None and person.course is Course.LEAK
    needs_key = state is not None and (lacks_key or bool(_in_use(user, person, ledger) & set(names)))
    return RotationUser(
        user,
        state.profile.name if state else "",
        0,
        Course.LEAK if needs_key else Course.SPARE,
        _replacement(user, person, names, ledger) if needs_key else "",
        names[0],
        State.EXPOSED,
        now,
        now,
        also=tuple(names[1:]),
        taken_from=entry.rotation,
    )


def _in_use(user: str, person: RotationUser | None, ledger: Ledger) -> set[str]:
    """The keys that the user's machine may have."""
    current = ledger.current(user)
    in_vault = {current.fingerprint} if current else set()
    if person is None:
        return in_vault
    # probed: a crash after the bundle was built may have left it in dist/, unknown to the journal
    if person.state in UNDER_WAY | {State.PROBED} or person.back:
        return {person.target, *person.others} | in_vault
    if person.state in {State.CURRENT, State.LISTED, State.DEAD}:
        return {person.target}
    return in_vault


def _replacement(user: str, person: RotationUser | None, leaked: Sequence[str], ledger: Ledger) -> str:
    """The key to use instead, by fingerprint: one that the rotation had already, else empty."""
    if person is None:
        return ""
    current = ledger.current(user)
    for name in (person.target, current.fingerprint if current else "", *person.others):
        known = ledger.version_of(user, name) if name and name not in leaked else None
        if known is not None and known.stage is not Stage.RETIRED:
            return name
    return ""
