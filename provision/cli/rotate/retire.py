"""`provision rotate retire`: prove keys dead that were replaced outside of a rotation."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Forks, Output, parse_duration
from provision.cli.rotate.app import rotate_app
from provision.cli.rotate.options import DeployOption, DryRunOption, ReceiptsOption, RotationFormat, TakeOverOption
from provision.cli.rotate.session import locked_rotations, print_and_exit
from provision.errors import NothingMatchedError
from provision.report.formats import Format


@rotate_app.command("retire")
def retire(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="USER|FINGERPRINT...", help="Users or replaced keys. Default: all replaced keys."),
    ] = None,
    idle_for: Annotated[
        str, typer.Option("--idle-for", metavar="1h", help="Time an old key must be unused before it is listed.")
    ] = "1h",
    deploy: DeployOption = False,
    receipts: ReceiptsOption = None,
    forks: Forks = 10,
    dry_run: DryRunOption = False,
    take_over: TakeOverOption = False,
    format_: RotationFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Retire keys that were replaced outside of a rotation.

    For keys that `keys import` replaced. An old key is listed for revocation when the endpoint confirmed its current
    key and the old one is idle; continue with `rotate resume` and `rotate finish`, as in any rotation.
    """
    from provision.rotate.delivery import import_receipts
    from provision.rotate.model import RotationKind, Terms
    from provision.rotate.retire import plan_retirement
    from provision.rotate.runner import run_pass
    from provision.rotate.start import create_rotation, open_rotation

    run: Run = ctx.obj
    idle_s = 0 if idle_for == "0" else int(parse_duration(idle_for, "--idle-for").total_seconds())
    with locked_rotations(run, "rotate retire", take_over=take_over, dry_run=dry_run, forks=forks) as context:
        now, rotations = context.clock(), list(context.store.unfinished())
        people = plan_retirement(names or (), context.vault, context.states, rotations, now)
        if not people:
            raise NothingMatchedError("no replaced key outside of a rotation", hint="provision keys list")
        terms = Terms(
            context.store.new_name(now),
            RotationKind.SCHEDULED,
            context.who,
            now,
            context.vault.workspace_id,
            deploy=deploy and not dry_run,
            max_failures=len(people),
            idle_for_s=idle_s,
        )
        rotation = create_rotation(context, people, terms)
        refused = import_receipts(context, receipts or ())
        with open_rotation(context, rotation) as recorder:
            run_pass(recorder)
            doubts = tuple(recorder.unsure)
        print_and_exit(run, context, [(rotation, doubts)], format_, output, refused=refused)
