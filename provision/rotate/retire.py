"""Keys that were replaced outside of a rotation: plan their way to a proved death.

The user's current key counts as the new one. Its bundle is built if needed, the endpoint must confirm it, the old key must be
idle; only then is the old key listed for revocation, and retired when the gateway refuses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.errors import Place, Problem
from provision.keys.vault.ledger import Stage
from provision.rotate.model import RotationUser
from provision.rotate.planning import raise_if_errors
from provision.rotate.states import Course, State
from provision.rotate.store import busy_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from provision.fleet.desired import DesiredState
    from provision.keys.vault.ledger import KeyVersion, Ledger
    from provision.rotate.rotation import Rotation


def plan_retirement(
    named: Sequence[str],
    ledger: Ledger,
    states: Mapping[str, DesiredState],
    rotations: Sequence[Rotation],
    now: datetime,
) -> list[RotationUser]:
    """One entry per user with a replaced key: of all users, or of the named users and fingerprints.

    Of several old keys of a user the oldest is first. Raises RefusedKeysError with all names that cannot be retired.
    """
    busy = busy_with(rotations)
    problems: list[Problem] = []
    chosen: list[KeyVersion] = []
    for name in named:
        known = ledger.find(name) if name.startswith("fp_") else ledger.versions(name)
        old = [key for key in known if key.stage is Stage.PREVIOUS]
        if not old:
            hint = "list the keys: provision keys list --all"
            problems.append(Problem("not-replaced", f"'{name}' has no replaced key", Place("retire"), hint))
        chosen += old
    if not named:
        chosen = [key for key in ledger if key.stage is Stage.PREVIOUS and key.user in states and key.user not in busy]
    people: dict[str, RotationUser] = {}
    for key in chosen:
        problem = _refusal(key, ledger, states, busy)
        current = ledger.current(key.user)
        if problem is not None:
            problems.append(problem)
        elif current is not None and key.user not in people:
            profile = states[key.user].profile.name
            keys = (current.fingerprint, key.fingerprint)
            people[key.user] = RotationUser(key.user, profile, 0, Course.SCHEDULED, *keys, State.PROBED, now, now)
    raise_if_errors(problems)
    return list(people.values())


def _refusal(
    key: KeyVersion, ledger: Ledger, states: Mapping[str, DesiredState], busy: Mapping[str, str]
) -> Problem | None:
    """Why a replaced key cannot be retired this way, with the command that can."""
    place = Place("retire")
    if key.user in busy:
        what = f"{key.user} is in rotation {busy[key.user]}"
        return Problem("in-rotation", what, place, f"provision rotate resume {busy[key.user]}")
    if key.user not in states or ledger.current(key.user) is None:
        what = f"{key.user} has no current key in use" if key.user in states else f"{key.user} is not in the inventory"
        return Problem("no-successor", what, place, f"provision rotate leaked {key.fingerprint}")
    return None
