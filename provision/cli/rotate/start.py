"""`provision rotate start`: plan a rotation and start it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Forks, Limit, Output
from provision.cli.rotate.app import rotate_app
from provision.cli.rotate.options import (
    DeployOption,
    NewKeysFile,
    ProbesOption,
    ReceiptsOption,
    RotationFormat,
    TakeOverOption,
    parse_span_s,
    rotation_probes,
)
from provision.cli.rotate.read_keys import read_new_keys
from provision.cli.rotate.session import locked_rotations, print_and_exit, print_rotations, view_of
from provision.errors import UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from provision.keys.import_file import NewKey
    from provision.rotate.context import RotationContext
    from provision.rotate.model import Terms
    from provision.rotate.planning import RotationPlan


@rotate_app.command("start")
def start(
    ctx: typer.Context,
    from_: NewKeysFile = None,
    key_command: Annotated[
        str | None,
        typer.Option(
            "--key-command", metavar="CMD", help="Command that prints the new key of {user}; run without a shell."
        ),
    ] = None,
    limit: Limit = None,
    waves: Annotated[str, typer.Option("--waves", help="Wave sizes: counts or percentages.")] = "1,10%,100%",
    max_failures: Annotated[
        int, typer.Option("--max-failures", min=0, help="Halt when more users than this fail.")
    ] = 0,
    probe: ProbesOption = "key,models",
    deploy: DeployOption = False,
    confirm_within: Annotated[
        str,
        typer.Option(
            "--confirm-within", metavar="7d", help="Count an endpoint without a receipt as failed after this."
        ),
    ] = "7d",
    idle_for: Annotated[
        str, typer.Option("--idle-for", metavar="1h", help="Time an old key must be unused before it is listed.")
    ] = "1h",
    receipts: ReceiptsOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking for confirmation.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the keys and show the plan; change nothing.")
    ] = False,
    forks: Forks = 10,
    take_over: TakeOverOption = False,
    format_: RotationFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Plan a rotation and start its first wave.

    The new keys are checked and the plan is shown. Then the first wave goes as far as it can now. Waves follow the
    order of the keys. No key is revoked: an old key is listed for revocation when its successor is confirmed.
    """
    from provision.rotate.delivery import import_receipts
    from provision.rotate.runner import run_pass, seal_new_keys
    from provision.rotate.start import create_rotation, open_rotation, resume_unstarted

    run: Run = ctx.obj
    with locked_rotations(run, "rotate start", take_over=take_over, forks=forks, dry_run=dry_run) as context:
        keys = read_new_keys(run, context, from_, key_command, limit)
        rotation = resume_unstarted(context, list(context.store.unfinished()), keys)
        if rotation is None:
            terms = _terms(context, waves, max_failures, probe, (confirm_within, idle_for), deploy=deploy)
            plan = _plan(context, keys, terms)
            if dry_run:
                _print_plan(run, plan, format_, output)
                return
            _confirm(run, plan, terms, yes=yes)
            rotation = create_rotation(context, plan.people, terms)
        elif dry_run:
            run.say(f"rotation {rotation.id} was started with these keys; without --dry-run it would be resumed")
            print_rotations([view_of(context, rotation, ())], format_, output)
            return
        else:
            run.say(f"rotation {rotation.id} was started with these keys; resuming it")
        refused = import_receipts(context, receipts or ())
        with open_rotation(context, rotation) as recorder:
            seal_new_keys(recorder, {new.user: new for new in keys})
            run_pass(recorder)
            doubts = tuple(recorder.unsure)
        print_and_exit(run, context, [(rotation, doubts)], format_, output, refused=refused)


def _terms(
    context: RotationContext, waves: str, max_failures: int, probe: str, durations: tuple[str, str], *, deploy: bool
) -> Terms:
    from provision.push.waves import parse_waves
    from provision.rotate.model import RotationKind, Terms

    within_s, idle_s = (
        parse_span_s(text, option) for text, option in zip(durations, ("--confirm-within", "--idle-for"), strict=True)
    )
    now = context.clock()
    return Terms(
        id=context.store.new_name(now),
        kind=RotationKind.SCHEDULED,
        who=context.who,
        at=now,
        vault=context.vault.workspace_id,
        waves=parse_waves(waves),
        probes=rotation_probes(probe),
        deploy=deploy,
        max_failures=max_failures,
        confirm_within_s=within_s,
        idle_for_s=idle_s,
    )


def _plan(context: RotationContext, keys: Sequence[NewKey], terms: Terms) -> RotationPlan:
    from provision.cli.workspace.checks import require_valid_profiles
    from provision.rotate.planning import PlanInputs, plan_rotation
    from provision.rotate.store import busy_with

    known = PlanInputs(context.vault, context.states, busy_with(list(context.store.unfinished())))
    found = plan_rotation(keys, known, terms.waves, terms.at)
    require_valid_profiles(context.workspace, [context.states[person.user] for person in found.people])
    return found


def _print_plan(run: Run, plan: RotationPlan, format_: Format, output: Path | None) -> None:
    from provision.report.rotation import plan_json, plan_lines, plan_table

    for line in plan_lines(plan, ("100%",)):
        run.say(line)
    run.result(plan_json(plan) if format_ is Format.JSON else plan_table(plan), output)


def _confirm(run: Run, plan: RotationPlan, terms: Terms, *, yes: bool) -> None:
    """Show the plan, and ask for confirmation once."""
    from provision.report.rotation import plan_lines
    from provision.report.terminal import plural

    for line in plan_lines(plan, terms.waves):
        run.say(line)
    if yes:
        return
    keys = plural(len(plan.people), "key")
    paid = f", with {plural(len(plan.people), 'paid call')} of a few tokens each" if "chat" in terms.probes else ""
    if not sys.stdin.isatty():
        raise UsageError(f"not confirmed: this would rotate {keys}{paid}", hint="add --yes to confirm, or --dry-run")
    typer.confirm(f"rotate {keys}{paid}?", abort=True, err=True)
