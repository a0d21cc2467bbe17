"""`provision rotate finish`: end a rotation whose old keys are all dead."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Output, without_keys
from provision.cli.rotate.app import rotate_app
from provision.cli.rotate.options import DryRunOption, RotationName, TakeOverOption
from provision.cli.rotate.session import locked_rotations, print_rotations, view_of
from provision.errors import Exit, UsageError
from provision.report.formats import Format

_MAX_ROWS = 50


@rotate_app.command("finish")
def finish_command(
    ctx: typer.Context,
    name: RotationName = None,
    except_: Annotated[
        list[str] | None,
        typer.Option(
            "--except",
            metavar="USER=WHY",
            help="Finish without proof for this user; the reason is recorded. Globs allowed.",
        ),
    ] = None,
    dry_run: DryRunOption = False,
    take_over: TakeOverOption = False,
    output: Output = None,
) -> None:
    """End a rotation when every old key is proved dead.

    A user whose old key is not proved dead needs an exception, with a reason that is recorded. The command excludes these
    users; while others are left, it lists them, does not end the rotation, and exits with 10.
    """
    from provision.report.rotation import waits_for_text
    from provision.report.terminal import plural, table
    from provision.rotate.finish import drop_superseded, exclude, finish, split_exceptions
    from provision.rotate.runner import check_vault
    from provision.rotate.start import open_rotation

    run: Run = ctx.obj
    exceptions = [parse_exception(text) for text in except_ or ()]
    with locked_rotations(run, "rotate finish", take_over=take_over, dry_run=dry_run) as context:
        rotation = context.store.select(name)
        with open_rotation(context, rotation) as recorder:
            check_vault(recorder)
            drop_superseded(recorder)
            reasons, blocking = split_exceptions(list(rotation.people.values()), exceptions)
            exclude(recorder, reasons)
            if not blocking:
                finish(recorder)
        if blocking:
            waits_for = waits_for_text(rotation)
            rows = [(p.user, p.state.value, waits_for(p)) for p in blocking[:_MAX_ROWS]]
            run.result(table(("USER", "STATE", "WAITS FOR"), rows), output)
            if reasons:
                run.say(f"excluded: {plural(len(reasons), 'user')}")
            run.say(f"not finished: {len(blocking):,} of {len(rotation.people):,} old keys are not proved dead")
            exception = f"provision rotate finish {rotation.id} --except 'USER=WHY'"
            run.say(f"next: `provision rotate resume`; or exclude these users: {exception}")
            raise typer.Exit(Exit.FINDINGS)
        print_rotations([view_of(context, rotation, ())], Format.TABLE, output)


def parse_exception(text: str) -> tuple[str, str]:
    """Parse `PATTERN=REASON` of `--except`; a key in the reason is masked, since it is recorded. Raises UsageError."""
    pattern, equals, why = without_keys(text).partition("=")
    if not equals or not why.strip() or not pattern.strip():
        raise UsageError(f"--except {text!r} gives no reason", hint="--except 'ada=laptop lost, key revoked by hand'")
    return pattern.strip(), why.strip()
