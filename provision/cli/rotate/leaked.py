"""`provision rotate leaked`: revoke leaked keys first, then replace them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Forks, Output, parse_duration
from provision.cli.rotate.app import rotate_app
from provision.cli.rotate.options import (
    DeployOption,
    NewKeysFile,
    ProbesOption,
    ReceiptsOption,
    RotationFormat,
    TakeOverOption,
    rotation_probes,
)
from provision.cli.rotate.read_keys import read_new_keys
from provision.cli.rotate.session import locked_rotations, print_rotations, view_of
from provision.errors import Exit
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.rotate.context import RotationContext
    from provision.rotate.recorder import Recorder
    from provision.rotate.rotation import Rotation

_POLL_EVERY_S = 5.0


@rotate_app.command("leaked")
def leaked(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="USER|FINGERPRINT...", help="Users, or fingerprints of keys.")],
    from_: NewKeysFile = None,
    probe: ProbesOption = "key,models",
    deploy: DeployOption = False,
    wait: Annotated[
        str | None, typer.Option("--wait", metavar="10m", help="Check for this long whether the leaked keys are dead.")
    ] = None,
    receipts: ReceiptsOption = None,
    forks: Forks = 10,
    take_over: TakeOverOption = False,
    format_: RotationFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Replace leaked keys, after their revocation.

    Prints the keys to revoke before anything else, waits for proof that they are dead, then replaces them. Give new
    keys now, or later with `rotate resume --from`. Exits with 10 until every leaked key is dead.
    """
    from provision.rotate.delivery import import_receipts
    from provision.rotate.runner import run_pass
    from provision.rotate.start import add_new_keys, create_rotation, leak_terms, leaked_users, open_rotation
    from provision.rotate.store import busy_with

    run: Run = ctx.obj
    with locked_rotations(run, "rotate leaked", take_over=take_over, forks=forks) as context:
        now = context.clock()
        people, others = leaked_users(context, names, busy_with(list(context.store.unfinished())), now)
        _say_revoke(run, context, [(person.user, person.other) for person in people])
        for known, why in others:
            if "revoke" in why:
                _say_revoke(run, context, [(known.user, known.fingerprint)])
            run.say(f"{known.user} version {known.version} ({known.fingerprint}): {why}")
        if not people:
            raise typer.Exit(Exit.FINDINGS if any("revoke" in why for _, why in others) else Exit.OK)
        rotation = create_rotation(context, people, leak_terms(context, now, rotation_probes(probe), deploy=deploy))
        context.record([("key leaked: to be revoked", p.user, p.other, {"rotation": rotation.id}) for p in people])
        refused = import_receipts(context, receipts or ())
        with open_rotation(context, rotation) as recorder:
            if from_:
                add_new_keys(recorder, read_new_keys(run, context, from_, None, None))
            run_pass(recorder)
            if wait:
                _wait(recorder, wait)
            doubts = tuple(recorder.unsure)
        _say_dead(run, rotation)
        print_rotations([view_of(context, rotation, doubts)], format_, output)
        raise typer.Exit(_exit_code(rotation, refused=bool(refused or doubts)))


def _say_revoke(run: Run, context: RotationContext, keys: Sequence[tuple[str, str]]) -> None:
    """Print which keys to revoke, by user and fingerprint."""
    for user, fingerprint in keys:
        known = context.vault.version_of(user, fingerprint)
        if known is not None:
            four = context.vault.value(user, known.version).last_four
            run.say(f"REVOKE NOW in the console: {user}, label {known.label or '-'}, ends in …{four}")


def _wait(recorder: Recorder, wait: str) -> None:
    """Repeat the pass until every leaked key is dead, or the time is over."""
    from provision.rotate.runner import run_pass
    from provision.rotate.states import State

    until = time.monotonic() + parse_duration(wait, "--wait").total_seconds()
    while recorder.rotation.in_state(State.EXPOSED) and time.monotonic() < until:
        time.sleep(min(_POLL_EVERY_S, max(0.0, until - time.monotonic())))
        recorder.held.clear()
        recorder.unsure.clear()
        run_pass(recorder)


def _say_dead(run: Run, rotation: Rotation) -> None:
    from provision.report.rotation import age_text

    for person in rotation.people.values():
        if person.dead_at is not None:
            run.say(f"{person.user}: dead {age_text(person.dead_at - person.began)} after the start ({person.other})")


def _exit_code(rotation: Rotation, *, refused: bool) -> Exit:
    from provision.rotate.revoke_list import exit_of
    from provision.rotate.states import State

    if rotation.in_state(State.EXPOSED, State.BARE):
        return Exit.FINDINGS
    code = exit_of([rotation], ())
    return Exit.PARTIAL if refused and code is Exit.OK else code
