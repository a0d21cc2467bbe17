"""`provision machines set`: the name, host, platform and Hermes home of a user's machine, written into the inventory in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.context import Run
from provision.cli.machines.app import machines_app
from provision.cli.options import DryRun, without_keys
from provision.errors import NothingMatchedError, UsageError

if TYPE_CHECKING:
    from provision.fleet.desired import DesiredState
    from provision.fleet.edit.entry_edit import EntryEdit


@machines_app.command("set")
def machines_set(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="USER[/NAME]", help="The machine; a new name adds one. Without a name the first.")
    ],
    called: Annotated[str | None, typer.Option("--name", help="Name of the first machine, if it has none.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Host name or address for `deploy`.")] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="linux, macos or windows.")] = None,
    home: Annotated[str | None, typer.Option("--home", help="Hermes home on the machine.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Set what the inventory says about a machine, or add a machine to a user. Its keys come by enrolment."""
    from provision.cli.delivery.receipts import valid_fleet
    from provision.fleet.edit.inventory_file import change_entries
    from provision.fleet.limit import no_match_error

    run: Run = ctx.obj
    if any(without_keys(text) != text for text in (name, called, host, platform, home) if text):
        raise UsageError("a value is a key: keys belong into the vault", hint="provision keys import FILE")
    workspace = run.open_workspace()
    fleet = valid_fleet(workspace)
    user, _, machine = name.partition("/")
    state = next((each for each in fleet.states if each.user == user), None)
    if state is None:
        raise no_match_error(f"no user {user!r} in the inventory", user, [each.user for each in fleet.states])
    fields = {"host": host, "platform": platform, "hermes_home": home}
    edit = _edit(state, machine, called, {field: value for field, value in fields.items() if value is not None})
    file = workspace.name_of(workspace.inventory)
    changed = change_entries(workspace, [edit], dry_run=dry_run)
    if dry_run:
        run.say(f"dry run: {file} would {'change' if changed else 'stay as it is'}; nothing was written")
    elif not changed:
        run.say(f"no changes: {file} says so already")
    else:
        run.say(f"wrote {file}; next: provision machines enroll -l {user}, or provision enroll on the machine")


def _edit(state: DesiredState, machine: str, called: str | None, fields: dict[str, Any]) -> EntryEdit:
    """The edit of the entry itself, or of a further machine."""
    from provision.fleet.edit.entry_edit import EntryEdit

    if machine in {each.name for each in state.lost_machines}:
        raise NothingMatchedError(f"{state.user}/{machine} is lost", hint="add it under another name")
    first = state.machines[0].name if state.machines else None
    if called is not None:
        if machine or first is not None:
            raise UsageError("--name is for a first machine without a name", hint=f"provision users show {state.user}")
        fields = {"machine": called, **fields}
    if not fields and machine in {each.name for each in state.machines} | {""}:
        raise UsageError("nothing to set", hint="use --host, --platform, --home or --name")
    if not machine or machine == first:
        return EntryEdit(state.user, fields)
    known = machine in {each.name for each in state.machines}
    return EntryEdit(state.user, fields if known else {"recipients": [], **fields}, machine=machine)
