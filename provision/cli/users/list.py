"""`provision users list` and `users show`: who is in the inventory, with which machines and key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.context import Run
from provision.cli.options import Limit, Output, TableOrJson
from provision.cli.users.app import users_app
from provision.report.formats import Format

if TYPE_CHECKING:
    from provision.fleet.desired import DesiredState, Machine
    from provision.fleet.users import FormerUser
    from provision.fleet.workspace import Workspace
    from provision.keys.vault.ledger import Ledger


@users_app.command("list")
def users_list(
    ctx: typer.Context,
    limit: Limit = None,
    left: Annotated[bool, typer.Option("--left", help="List users who left.")] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """List users with their profile, machines and key."""
    from provision.cli.delivery.receipts import valid_fleet
    from provision.fleet.limit import select_users
    from provision.report.document import document
    from provision.report.terminal import plural, table

    run: Run = ctx.obj
    workspace = run.open_workspace()
    fleet = valid_fleet(workspace)
    ledger = _ledger(workspace)
    if left:
        rows = [_former_row(each) for each in fleet.left.values()]
    else:
        chosen = select_users(fleet.states, limit) if fleet.states or limit else ()
        rows = [_row(state, ledger) for state in chosen]
    if format_ is Format.JSON:
        run.result(document("users/v1", users=rows), output)
        return
    cells = [
        (
            r["id"],
            r["profile"] or "-",
            r["state"],
            ", ".join(m["name"] or "(unnamed)" for m in r["machines"]),
            r["key"] or "-",
        )
        for r in rows
    ]
    text = table(("USER", "PROFILE", "STATE", "MACHINES", "KEY"), cells) if cells else ""
    also = f", {len(fleet.left):,} left" if fleet.left and not left else ""
    run.result(f"{text}{plural(len(rows), 'user')}{also}\n", output)


@users_app.command("show")
def users_show(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user to show.")],
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Show one user: directory ids, machines, key, or when they left.

    The desired settings are in `provision show`.
    """
    from provision.cli.delivery.receipts import valid_fleet
    from provision.fleet.limit import no_match_error
    from provision.report.document import document
    from provision.report.terminal import table

    run: Run = ctx.obj
    workspace = run.open_workspace()
    fleet = valid_fleet(workspace)
    states = {state.user: state for state in fleet.states}
    if user in states:
        row = _row(states[user], _ledger(workspace))
    elif user in fleet.left:
        row = _former_row(fleet.left[user])
    else:
        raise no_match_error(f"no user {user!r} in the inventory", user, [*states, *fleet.left])
    if format_ is Format.JSON:
        run.result(document("user/v1", **row), output)
        return
    lines = [(name, row[name] or "-") for name in ("id", "state", "profile", "email", "external_id", "key")]
    lines += [("machine", " ".join(str(value) for value in each.values() if value)) for each in row["machines"]]
    run.result(table(("FIELD", "VALUE"), lines), output)


def _ledger(workspace: Workspace) -> Ledger | None:
    from provision.keys.vault.file import read_vault

    return read_vault(workspace.vault) if workspace.vault.exists() else None


def _row(state: DesiredState, ledger: Ledger | None) -> dict[str, Any]:
    known = ledger.current(state.user) if ledger is not None else None
    machines = [_machine(each) for each in (*state.machines, *state.lost_machines)]
    return {
        "id": state.user,
        "state": "enrolled" if state.all_recipients else "not enrolled",
        "profile": state.profile.name,
        "email": state.email,
        "external_id": state.external_id,
        "tags": list(state.tags),
        "key": known.fingerprint if known else None,
        "machines": machines,
        "left": None,
    }


def _former_row(former: FormerUser) -> dict[str, Any]:
    return {
        "id": former.user,
        "state": f"left {former.left}",
        "profile": former.profile,
        "email": former.email,
        "external_id": former.external_id,
        "tags": [],
        "key": None,
        "machines": [_machine(each) for each in former.machines],
        "left": former.left,
    }


def _machine(machine: Machine) -> dict[str, Any]:
    state = f"lost {machine.lost}" if machine.lost else "enrolled" if machine.recipients else "not enrolled"
    return {"name": machine.name, "platform": machine.platform.value, "host": machine.host, "state": state}
