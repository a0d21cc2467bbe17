"""`provision machines lost`: a lost or stolen machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.machines.app import machines_app
from provision.cli.options import DryRun, without_keys
from provision.cli.users.app import require_confirmation
from provision.errors import Exit, NothingMatchedError

if TYPE_CHECKING:
    from provision.fleet.desired import DesiredState, Machine
    from provision.fleet.workspace import Workspace


@machines_app.command("lost")
def machines_lost(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="USER[/NAME]", help="The machine; without a name the user's only one.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", callback=without_keys, help="Reason or ticket, for the event log.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Cut off a lost or stolen machine.

    Takes its keys out of the inventory, so that nothing is sealed to it and its receipts are refused. The key that it
    holds has to be replaced: exits with 4 and prints that command while the user's key is the one that the machine knows.
    """
    from datetime import UTC, datetime

    from provision.cli.delivery.receipts import receipt_store, valid_fleet
    from provision.fleet.desired import machine_label
    from provision.keys.events.log import operator
    from provision.people import lost_machine

    run: Run = ctx.obj
    workspace = run.open_workspace()
    user, _, machine_name = name.partition("/")
    fleet = valid_fleet(workspace)
    state = next((each for each in fleet.states if each.user == user), None)
    if state is None:
        raise NothingMatchedError(f"no user {user!r} in the inventory", hint="provision users list")
    machine = _machine(state, machine_name or None)
    day = datetime.now(UTC).astimezone().date().isoformat()
    label = machine_label(user, machine.name)
    if machine.lost is None:
        _write(run, workspace, state, machine, day, yes=yes, dry_run=dry_run)
    if dry_run:
        return
    if machine.lost is None or lost_machine.keys_since_loss(workspace.vault, label) is None:  # the latter after a kill
        now = datetime.now(UTC)
        lost_machine.record_lost(workspace.vault, state, machine, who=operator(), now=now, reason=reason)
    lost_machine.put_receipt_away(receipt_store(workspace), label)
    fingerprint = _key_of(workspace, user, lost_machine.keys_since_loss(workspace.vault, label) or frozenset())
    if fingerprint is None:
        run.say(f"{label} is cut off; the key of {user} is in no vault: replace it where key_command takes it from")
        raise typer.Exit(Exit.PARTIAL)
    if not fingerprint:
        run.say(f"{label} is cut off, and every key that it could hold is dead")
        return
    run.say(f"{label} is cut off; it still holds the key {fingerprint} of {user}")
    run.say(f"next: provision rotate leaked {fingerprint} --from FILE, with a new key for {user}; then run this again")
    raise typer.Exit(Exit.PARTIAL)


def _machine(state: DesiredState, name: str | None) -> Machine:
    """The machine of that name, or without a name the only one. Raises NothingMatchedError."""
    every = (*state.machines, *state.lost_machines)
    found = [each for each in every if each.name == name] if name else list(every)
    if len(found) != 1:
        names = ", ".join(f"{state.user}/{each.name}" if each.name else state.user for each in every)
        raise NothingMatchedError(f"no such machine, or several: {state.user} has {names}", hint="USER/NAME")
    return found[0]


def _write(
    run: Run, workspace: Workspace, state: DesiredState, machine: Machine, day: str, *, yes: bool, dry_run: bool
) -> None:
    from provision.fleet.edit.inventory_edit import edit_inventory
    from provision.fleet.edit.inventory_file import change_inventory
    from provision.people.lost_machine import edit_for_lost

    def changed(data: bytes) -> bytes:
        return edit_inventory(data, workspace.inventory.name, [edit_for_lost(state, machine, day)])

    if dry_run:
        changed(workspace.inventory.read_bytes())
        run.say("dry run: nothing was written")
        return
    require_confirmation(f"Cut off {state.user}{'/' + machine.name if machine.name else ''}?", yes=yes)
    change_inventory(workspace, changed)
    run.say(f"wrote {workspace.name_of(workspace.inventory)}")


def _key_of(workspace: Workspace, user: str, since: frozenset[str]) -> str | None:
    """A key that the machine may hold: made before the loss, and not retired. Empty if there is none, None without a vault."""
    from provision.keys.vault.file import read_vault
    from provision.keys.vault.ledger import Stage

    versions = read_vault(workspace.vault).versions(user) if workspace.vault.exists() else ()
    if not versions:
        return None
    open_keys = [
        known.fingerprint for known in versions if known.stage is not Stage.RETIRED and known.fingerprint not in since
    ]
    return open_keys[-1] if open_keys else ""
