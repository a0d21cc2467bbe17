"""Create and open rotations. The caller holds the workspace's lock."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from provision.detect.fingerprint import fingerprint
from provision.errors import Problem
from provision.keys.vault.ledger import Stage
from provision.rotate import vault_steps
from provision.rotate.journal import Journal, StoppedError
from provision.rotate.model import RotationKind, Terms, stamp
from provision.rotate.planning import raise_if_errors, reused_keys
from provision.rotate.recorder import Recorder
from provision.rotate.rotation import Rotation, plan_entries, replay
from provision.rotate.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from provision.keys.import_file import NewKey
    from provision.keys.vault.vault import Vault
    from provision.rotate.context import RotationContext
    from provision.rotate.model import RotationUser


@contextlib.contextmanager
def open_rotation(context: RotationContext, rotation: Rotation) -> Iterator[Recorder]:
    """Open a rotation's journal for writing."""
    with Journal(context.store.path(rotation.id)) as journal:
        yield Recorder(context, rotation, journal)


def create_rotation(context: RotationContext, people: Sequence[RotationUser], terms: Terms) -> Rotation:
    """Write the plan to a new journal. Nothing else changes: after a crash the rotation is missing or has no keys yet."""
    path = context.store.path(terms.id)
    generation = context.vault.generation
    entries = [terms.entry(generation), *plan_entries(people, terms)]
    try:
        with Journal(path) as journal:
            journal.append(entries)
    except StoppedError as e:
        path.unlink(missing_ok=True)
        raise StoppedError(
            e.message, hint="free disk space or fix the permissions, then try again; no rotation was started"
        ) from e
    rotation = replay(iter(entries), path)
    if rotation is None:
        raise RuntimeError("a plan without a first line")
    detail = {"rotation": terms.id, "kind": terms.kind.value, "users": len(people), "generation": generation}
    context.record([("rotation begun", "", "", detail)])
    return rotation


def resume_unstarted(
    context: RotationContext, rotations: Sequence[Rotation], keys: Sequence[NewKey]
) -> Rotation | None:
    """Return a rotation that was created with exactly these keys, but stopped before they reached the vault.

    Such a rotation with other keys is ended as void: nothing was done for it.
    """
    wanted = {new.user: fingerprint(new.key.reveal(), context.vault.salt) for new in keys}
    for rotation in rotations:
        waiting = rotation.in_state(State.PLANNED)
        if not waiting or vault_steps.has_targets(context.vault, waiting):
            continue
        if {p.user: p.target for p in rotation.people.values()} == wanted:
            return rotation
        with open_rotation(context, rotation) as recorder:
            recorder.write([{"at": stamp(recorder.now()), "end": "void: its keys never reached the vault"}])
        context.say(f"rotation {rotation.id} is void: its keys never reached the vault")
    return None


def add_new_keys(recorder: Recorder, keys: Sequence[NewKey]) -> None:
    """Add new keys for leaked ones to the vault. Raises RefusedKeysError for unusable keys, before any change."""
    context, rotation = recorder.context, recorder.rotation
    problems, targets = [], {}
    for new in keys:
        name = fingerprint(new.key.reveal(), context.vault.salt)
        person = rotation.people.get(new.user)
        if person is None or not person.wants_key:
            hint = f"see: provision rotate status {rotation.id}"
            problems.append(
                Problem("not-wanted", f"{new.user} does not need a new key in this rotation", new.place, hint)
            )
        elif person.target != name and _is_pending(context.vault, person):
            hint = f"revoke the leaked key, then: provision rotate resume {rotation.id}"
            problems.append(Problem("has-key", f"{new.user} has a new key already", new.place, hint))
        else:
            problems += reused_keys(new, name, context.vault)
            targets[new.user] = name
    raise_if_errors(problems)
    if not targets:
        return
    recorder.write([{"at": stamp(recorder.now()), "targets": targets}])
    people = [rotation.people[user] for user in targets]
    with recorder.act("seal", people), context.editing(f"rotate {rotation.id}: new keys") as vault:
        vault_steps.add_pending_keys(vault, people, {new.user: new for new in keys}, recorder.now())


def _is_pending(vault: Vault, person: RotationUser) -> bool:
    """Whether the vault has a new key for this user. A fallback to an older key may be replaced by a new one."""
    known = vault.version_of(person.user, person.target) if person.target else None
    return known is not None and known.stage is Stage.PENDING


def leak_terms(context: RotationContext, now: datetime, probes: tuple[str, ...], *, deploy: bool) -> Terms:
    """The terms of a leak rotation: one wave, no failure budget."""
    return Terms(
        id=context.store.new_name(now),
        kind=RotationKind.LEAK,
        who=context.who,
        at=now,
        vault=context.vault.workspace_id,
        probes=probes,
        deploy=deploy,
        max_failures=10**9,
    )
