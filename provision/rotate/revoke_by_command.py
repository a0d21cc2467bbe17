"""Revoke the keys that are listed for revocation through `revoke_command`, and see at the gateway whether they are dead."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from provision.keys.key_command import KeyCommandError
from provision.keys.revoke_command import DoomedKey, run_revoke_command
from provision.keys.vault.ledger import Stage
from provision.rotate.model import Blocker, Grade
from provision.rotate.revocation import check_old_keys
from provision.rotate.revoke_list import revocable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.rotate.model import RotationUser
    from provision.rotate.recorder import Recorder

_UNPROVED = Blocker(
    "revoke-unproved",
    "revoke_command ended without an error, but the gateway does not refuse the key yet",
    "run `provision rotate resume` in a minute; then look into the gateway's console",
    Grade.WAITING,
)


def revoke_listed(recorder: Recorder) -> None:
    """Run `revoke_command` for each key that is to be revoked now, then check these keys again. Nothing without the setting."""
    settings = recorder.context.workspace.settings
    people = [p for p in recorder.rotation.people.values() if revocable(p) and p.user not in recorder.held]
    if not settings.revoke_command or not people:
        return
    doomed = [(person, each) for person in people for each in _doomed(recorder, person)]

    def revoke(item: tuple[RotationUser, DoomedKey]) -> KeyCommandError | None:
        try:
            run_revoke_command(settings.revoke_command, item[1], settings.key_command_timeout_s)
        except KeyCommandError as e:
            return e
        return None

    with ThreadPoolExecutor(recorder.context.gateway.concurrency) as pool:
        outcomes = list(pool.map(revoke, doomed))
    asked = [each for (_, each), error in zip(doomed, outcomes, strict=True) if error is None]
    detail = {"rotation": recorder.rotation.id}
    recorder.context.record([("revoked by revoke_command", d.user, d.fingerprint, detail) for d in asked])
    for (person, _), error in zip(doomed, outcomes, strict=True):
        if error is not None:
            cure = f"{error.hint}; or revoke the key in the console; then: provision rotate resume"
            recorder.trouble(Blocker("revoke-failed", error.message, cure, Grade.UNSURE), person)
    recorder.flush()
    again = [person for person in people if person.user not in recorder.held]
    if again:
        check_old_keys(recorder, again)
    for person in again:
        if revocable(person) and person.user not in recorder.held:
            recorder.trouble(_UNPROVED, person)
    recorder.flush()


def _doomed(recorder: Recorder, person: RotationUser) -> Iterator[DoomedKey]:
    vault = recorder.context.vault
    for name in person.others:
        known = vault.version_of(person.user, name)
        if known is not None and known.stage is not Stage.RETIRED:
            yield DoomedKey(person.user, vault.value(person.user, known.version), known.label, name)
