"""`provision rotate leaked`: revoke leaked keys first, then replace them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Forks, Output, parse_duration
from provision.cli.rotate.app import rotate_app
from provision.cli.rotate.options import (
    DeployOption,
    DryRunOption,
    NewKeysFile,
    ProbesOption,
    ReceiptsOption,
    RotationFormat,
    TakeOverOption,
    rotation_probes,
)
from provision.cli.rotate.read_keys import read_new_keys
from provision.cli.rotate.session import locked_rotations, notify_of, print_rotations, view_of
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.rotate.context import RotationContext
    from provision.rotate.leak_plan import LeakChoice, LeakPlan
    from provision.rotate.recorder import Recorder
    from provision.rotate.rotation import Rotation

_POLL_EVERY_S = 5.0


@rotate_app.command("leaked")
def leaked(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="USER|FINGERPRINT|-...", help="Users, fingerprints of keys, or - for keys on standard input."
        ),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="FINGERPRINT", help="The leaked key, if a user has several."),
    ] = None,
    all_keys: Annotated[bool, typer.Option("--all", help="All keys of these users leaked.")] = False,
    from_: NewKeysFile = None,
    probe: ProbesOption = "key,models",
    deploy: DeployOption = False,
    wait: Annotated[
        str | None, typer.Option("--wait", metavar="10m", help="Check for this long whether the leaked keys are dead.")
    ] = None,
    receipts: ReceiptsOption = None,
    forks: Forks = 10,
    dry_run: DryRunOption = False,
    take_over: TakeOverOption = False,
    format_: RotationFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Replace leaked keys, after their revocation.

    Prints the keys to revoke before anything else, waits for proof that they are dead, then replaces them. Takes users
    over from other rotations. Give new keys now, or later with `rotate resume --from`. Exits with 10 until every
    leaked key is dead.
    """
    from provision.rotate.delivery import import_receipts
    from provision.rotate.leak_plan import LeakChoice
    from provision.rotate.rehearsal import without_effects
    from provision.rotate.runner import run_pass
    from provision.rotate.start import add_new_keys, create_rotation, leak_terms, open_rotation
    from provision.rotate.take_over import complete_take_overs

    run: Run = ctx.obj
    with locked_rotations(run, "rotate leaked", take_over=take_over, dry_run=dry_run, forks=forks) as context:
        now = context.clock()
        plan = _plan(context, LeakChoice(names or (), keys or (), all_keys), now)
        people = plan.people
        _say_plan(run, context, plan)
        if not people:
            raise typer.Exit(Exit.FINDINGS if any(each.revoke for each in plan.aside) else Exit.OK)
        terms = leak_terms(context, now, rotation_probes(probe), deploy=deploy)
        rotation = create_rotation(context, people, without_effects(terms) if dry_run else terms)
        leaks = [(p.user, name) for p in people for name in p.others]
        context.record([("key leaked: to be revoked", *leak, {"rotation": rotation.id}) for leak in leaks])
        complete_take_overs(context)
        refused = import_receipts(context, receipts or ())
        with open_rotation(context, rotation) as recorder:
            if from_:
                add_new_keys(recorder, read_new_keys(run, context, from_, None, None))
            run_pass(recorder)
            if wait and not dry_run:
                _wait(recorder, wait)
            doubts = tuple(recorder.unsure)
        _say_dead(run, rotation)
        print_rotations([view_of(context, rotation, doubts)], format_, output)
        notify_of(run, context, [rotation])
        raise typer.Exit(_exit_code(rotation, refused=bool(refused or doubts)))


def _plan(context: RotationContext, choice: LeakChoice, now: datetime) -> LeakPlan:
    """Find the leaked keys, also those on standard input, and plan their rotation. Raises UsageError."""
    from provision.cli.keys.key_file import read_pasted_keys
    from provision.rotate.leak_plan import leaked_keys, plan_leak

    if not choice.names and not choice.keys:
        raise UsageError("no user and no key given", hint="provision rotate leaked --help")
    names = [name for name in choice.names if name != "-"]
    if "-" in choice.names:
        names += [context.vault.fingerprint(key) for key in read_pasted_keys()]
    rotations = list(context.store.unfinished())
    leaked = leaked_keys(replace(choice, names=names), context.vault, rotations)
    return plan_leak(leaked, context.vault, context.states, rotations, now)


def _say_plan(run: Run, context: RotationContext, plan: LeakPlan) -> None:
    """Print the keys to revoke first, then what happens to whom."""
    _say_revoke(run, context, [(person.user, name) for person in plan.people for name in person.others])
    _say_revoke(run, context, [(each.user, each.fingerprint) for each in plan.aside if each.revoke])
    for each in plan.aside:
        run.say(f"{each.user} ({each.fingerprint}): {each.why}")
    for person in plan.people:
        if person.taken_from:
            run.say(f"{person.user}: taken over from rotation {person.taken_from}")
        if person.target:
            run.say(f"{person.user}: the replacement is {person.target}, already in the vault")


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
