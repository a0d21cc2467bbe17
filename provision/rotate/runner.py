"""One pass over a rotation: take every user as far as possible now. `start`, `resume` and cron jobs run the same pass.

Work in progress is always finished. New work (probe, release, deliver) waits for its wave and stops when the failure budget is
spent; then only failed users are retried. A pass can be killed at any point: the next one finds what was done and continues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.rotate import vault_steps
from provision.rotate.accepted import without_revoked
from provision.rotate.delivery import confirm, deliver, release
from provision.rotate.finish import drop_superseded
from provision.rotate.journal import StoppedError
from provision.rotate.model import Blocker, Grade, stamp
from provision.rotate.new_keys import probe_new_keys, survey_new_keys
from provision.rotate.revocation import check_old_keys, retire_dead_keys
from provision.rotate.revoke_by_command import revoke_listed
from provision.rotate.rotation import event_entries
from provision.rotate.states import Course, RotationEvent, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provision.keys.import_file import NewKey
    from provision.rotate.model import RotationUser
    from provision.rotate.recorder import Recorder


def check_vault(recorder: Recorder) -> None:
    """Check that the journal belongs to this vault, and not to a newer state of it. Raises StoppedError."""
    vault, rotation = recorder.context.vault, recorder.rotation
    if vault.workspace_id != rotation.terms.vault:
        raise StoppedError(
            f"rotation {rotation.id} belongs to another vault",
            hint="use the vault and rotations/ from the same commit",
        )
    if vault.generation < rotation.generation:
        raise StoppedError(
            f"the vault has generation {vault.generation}, but rotation {rotation.id} has already used {rotation.generation}:"
            " an older vault was restored",
            hint="get the newest keys.vault from git (or from a colleague), then run `provision rotate resume`",
        )


def seal_new_keys(recorder: Recorder, keys: Mapping[str, NewKey]) -> None:
    """Add the new keys to the vault in one change. Raises StoppedError if the keys are not available."""
    people = recorder.rotation.in_state(State.PLANNED)
    absent = [person for person in people if not vault_steps.has_targets(recorder.context.vault, [person])]
    if any(person.user not in keys for person in absent):
        raise StoppedError(
            f"the new keys of rotation {recorder.rotation.id} never reached the vault; nothing was changed",
            hint=_start_again(recorder, absent),
        )
    if absent:
        with (
            recorder.act("seal", absent),
            recorder.context.editing(f"rotate {recorder.rotation.id}: new keys") as vault,
        ):
            vault_steps.add_pending_keys(vault, absent, keys, recorder.now())
    recorder.write(event_entries(RotationEvent.SEALED, [person.user for person in people], recorder.now()))


def _start_again(recorder: Recorder, absent: Sequence[RotationUser]) -> str:
    """How to go on without the new keys: give them again, if all users are still there, or end the rotation."""
    end = f"give it up: provision rotate finish {recorder.rotation.id} --except '*=never started'"
    again = "run `provision rotate start --from FILE` with the same file"
    return f"{again}; or {end}" if all(p.user in recorder.context.states for p in absent) else end


def run_pass(recorder: Recorder) -> None:
    """Take every user as far as possible now. Raises StoppedError if the disk, the vault or Ansible prevents it."""
    check_vault(recorder)
    drop_superseded(recorder)
    for person in recorder.rotation.in_state(State.REJECTED):
        _stays(recorder, person)
    recorder.flush()
    survey_new_keys(recorder)
    _waves(recorder)
    # proved dead in an earlier pass that did not end: the successor may have been revoked since
    without_revoked(recorder, [p for p in recorder.rotation.in_state(State.DEAD) if p.course is Course.SCHEDULED])
    watched = [p for p in recorder.rotation.in_state(State.CURRENT, State.LISTED, State.EXPOSED) if _free(recorder, p)]
    if watched:
        check_old_keys(recorder, watched)
        revoke_listed(recorder)
    if dead := [p for p in recorder.rotation.in_state(State.DEAD) if _free(recorder, p)]:
        retire_dead_keys(recorder, dead)
    if supply(recorder):
        _waves(recorder)
    _halt(recorder)


def supply(recorder: Recorder) -> bool:
    """Continue with the users whose leaked key is dead and whose new key is in the vault."""
    vault = recorder.context.vault
    ready = {
        p.user: p.target
        for p in recorder.rotation.in_state(State.BARE)
        if p.target and vault_steps.has_targets(vault, [p]) and not vault_steps.is_retired(vault, p.user, p.target)
    }
    recorder.write(event_entries(RotationEvent.SUPPLIED, ready, recorder.now()))
    return bool(ready)


def _waves(recorder: Recorder) -> None:
    """Work on all open waves, on the next one once it opens, and again after a failure was fixed."""
    before = None
    while (now := (recorder.rotation.open_wave(), recorder.rotation.blocked)) != before:
        before, (wave, _) = now, now
        _step(recorder, wave, State.PENDING, probe_new_keys, begins=True)
        _step(recorder, wave, State.PROBED, release, begins=True)
        _step(recorder, wave, State.RELEASED, deliver, begins=True)
        _step(recorder, wave, State.DELIVERED, confirm)
        _step(recorder, wave, State.CONFIRMED, _promote)


def _step(
    recorder: Recorder,
    wave: int,
    state: State,
    act: Callable[[Recorder, Sequence[RotationUser]], object],
    *,
    begins: bool = False,
) -> None:
    people, blocked = [], begins and recorder.rotation.blocked
    for person in recorder.rotation.in_state(state):
        if not _free(recorder, person):
            continue
        if not person.back and (person.wave > wave or (blocked and not person.failed)):
            continue
        if _stays(recorder, person):
            people.append(person)
    recorder.flush()
    if people:
        act(recorder, people)


def _stays(recorder: Recorder, person: RotationUser) -> bool:
    """Whether the user is still in the inventory. If not, no step and no other key helps; the keys must die."""
    if person.user in recorder.context.states:
        return True
    cure = "if the user left: provision rotate leaked USER --all"
    message = "the user is no longer in the inventory, or has errors there"
    recorder.trouble(Blocker("left-inventory", message, cure, Grade.FAILED), person)
    return False


def _free(recorder: Recorder, person: RotationUser) -> bool:
    return person.user not in recorder.held


def _promote(recorder: Recorder, people: Sequence[RotationUser]) -> None:
    """Make confirmed keys current, in one change of the vault."""
    ready = []
    for person in people:
        if vault_steps.is_overtaken(recorder.context.vault, person):
            message = "another key became current in the meantime"
            cure = f"run `provision rotate finish {recorder.rotation.id} --except 'USER=WHY'`, then rotate again"
            recorder.trouble(Blocker("overtaken", message, cure, Grade.FAILED), person)
        else:
            ready.append(person)
    recorder.flush()
    ready = without_revoked(recorder, ready)
    if not ready:
        return
    with recorder.act("promote", ready), recorder.context.editing(f"rotate {recorder.rotation.id}: promote") as vault:
        vault_steps.promote(vault, ready)
    recorder.write(event_entries(RotationEvent.PROMOTED, [person.user for person in ready], recorder.now()))


def _halt(recorder: Recorder) -> None:
    """Record once that the failure budget is spent."""
    rotation = recorder.rotation
    waiting = [p for p in rotation.people.values() if p.state in {State.PENDING, State.PROBED, State.RELEASED}]
    why = f"{rotation.failures} failed, {rotation.budget} allowed"
    if rotation.failures <= rotation.budget or not waiting or rotation.halted == why or rotation.paused:
        return
    recorder.write([{"at": stamp(recorder.now()), "halt": why}])
    recorder.context.record([("rotation halted", "", "", {"rotation": rotation.id, "why": why})])
