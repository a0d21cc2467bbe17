"""`provision rotate rollback`: return to the old keys while they are still valid."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Forks, Limit, Output
from provision.cli.rotate.app import rotate_app
from provision.cli.rotate.options import DryRunOption, RotationFormat, RotationName, TakeOverOption
from provision.cli.rotate.session import locked_rotations, print_and_exit
from provision.errors import UsageError
from provision.report.formats import Format


@rotate_app.command("rollback")
def rollback(
    ctx: typer.Context,
    name: RotationName = None,
    limit: Limit = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Roll back all users without asking.")] = False,
    forks: Forks = 10,
    dry_run: DryRunOption = False,
    take_over: TakeOverOption = False,
    format_: RotationFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Return to the old keys while they are still valid.

    Every old key is probed first; bundles get a new generation. Without --limit all users are rolled back, after a
    confirmation, and the rotation is paused: no other user gets a new key until `rotate resume --go-on`. Exits with 4
    when a user cannot be rolled back.
    """
    from provision.fleet.limit import select_users
    from provision.rotate.finish import roll_back
    from provision.rotate.model import stamp
    from provision.rotate.runner import check_vault, run_pass, seal_new_keys
    from provision.rotate.start import open_rotation

    run: Run = ctx.obj
    with locked_rotations(run, "rotate rollback", take_over=take_over, dry_run=dry_run, forks=forks) as context:
        rotation = context.store.select(name)
        states = [context.states[user] for user in rotation.people if user in context.states]
        chosen = {state.user for state in select_users(states, limit)} if limit else set(rotation.people)
        people = [person for person in rotation.people.values() if person.user in chosen]
        if not limit:
            people = [person for person in people if not person.over]
            _confirm(len(people), rotation.id, yes=yes or dry_run)
        with open_rotation(context, rotation) as recorder:
            check_vault(recorder)
            seal_new_keys(recorder, {})
            if not limit and not rotation.paused:
                recorder.write([{"at": stamp(recorder.now()), "pause": f"rolled back by {context.who}"}])
            refused = roll_back(recorder, people)
            back = [("rotation turned back", p.user, p.target, {"rotation": rotation.id}) for p in people if p.back]
            context.record(back)
            for each in refused:
                run.say(f"{each.user} cannot be rolled back: {each.why}" + (f" ({each.cure})" if each.cure else ""))
            run_pass(recorder)
            doubts = tuple(recorder.unsure)
        print_and_exit(run, context, [(rotation, doubts)], format_, output, refused=len(refused))


def _confirm(users: int, rotation: str, *, yes: bool) -> None:
    """Ask once before all users of a rotation are rolled back."""
    if yes or not users:
        return
    from provision.report.terminal import plural

    what = f"roll back {plural(users, 'user')} of rotation {rotation} to their old keys"
    if not sys.stdin.isatty():
        raise UsageError(f"not confirmed: this would {what}", hint="add --yes to confirm, --dry-run, or --limit USER")
    typer.confirm(f"{what}?", abort=True, err=True)
