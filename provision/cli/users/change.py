"""`provision users add`, `users move` and `users rename`: changes of one user, written into the inventory in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.context import Run
from provision.cli.options import DryRun
from provision.cli.users.app import users_app
from provision.errors import UsageError

if TYPE_CHECKING:
    from provision.fleet.edit.entry_edit import EntryEdit
    from provision.fleet.load import Fleet
    from provision.fleet.workspace import Workspace


@users_app.command("add")
def users_add(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The new user's id.")],
    profile: Annotated[str | None, typer.Option("--profile", help="Team profile. Default: the inventory's.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="Mail address.")] = None,
    platform: Annotated[str | None, typer.Option("--platform", help="linux, macos or windows.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="Tag; repeatable.")] = None,
    rejoin: Annotated[
        bool, typer.Option("--rejoin", help="Bring back a user who left, without the machines of before.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Add a user to the inventory, without keys: they enroll next."""
    from provision.fleet.edit.entry_edit import EntryEdit

    run: Run = ctx.obj
    workspace, fleet = _opened(run)
    if rejoin:
        _rejoin(run, workspace, fleet, user, profile, dry_run=dry_run)
        return
    _require_free(fleet, user)
    if profile is None and fleet.default_profile is None:
        raise UsageError(
            f"{user} is new and has no profile", hint=f"pass --profile NAME, one of {', '.join(fleet.profiles)}"
        )
    fields: dict[str, Any] = {"profile": profile, "email": email, "platform": platform, "recipients": []}
    edit = EntryEdit(user, {**fields, "tags": list(tags) if tags else None}, new=True)
    _change(run, workspace, [edit], dry_run=dry_run)
    run.say(f"next: provision enroll --user {user} on the machine, then provision enroll --batch FILE here")


@users_app.command("move")
def users_move(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user to move.")],
    profile: Annotated[str, typer.Option("--profile", help="The new team profile.")],
    dry_run: DryRun = False,
) -> None:
    """Move a user to another team profile; keys and machines stay."""
    from provision.fleet.edit.entry_edit import EntryEdit

    run: Run = ctx.obj
    workspace, fleet = _opened(run)
    _require_there(fleet, user)
    _change(run, workspace, [EntryEdit(user, {"profile": profile})], dry_run=dry_run)
    run.say(f"next: provision diff --limit {user}, then provision render")


@users_app.command("rename")
def users_rename(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's id now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new id.")],
    email: Annotated[str | None, typer.Option("--email", help="New mail address.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Give a user another id; keys, machines and receipts stay theirs.

    After a kill, run it again: it goes on. Then render and deliver: the bundle names the user.
    """
    from provision.people.renaming import rename_user, renaming_refusal

    run: Run = ctx.obj
    workspace, fleet = _opened(run)
    there = any(state.user == new for state in fleet.states)
    if not there or any(state.user == user for state in fleet.states):
        _require_there(fleet, user)
        _require_free(fleet, new)
    if why := renaming_refusal(workspace, user):
        raise UsageError(*why)
    if dry_run:
        run.say(f"dry run: {user} would become {new}; nothing was written")
        return
    for line in rename_user(workspace, user, new, email=email, in_inventory=not there):
        run.say(line)
    user = new
    run.say(
        f"next: provision render --limit {user}, then deliver; machines that pull need their new address from `publish`"
    )


def _opened(run: Run) -> tuple[Workspace, Fleet]:
    from provision.cli.delivery.receipts import valid_fleet

    workspace = run.open_workspace()
    return workspace, valid_fleet(workspace)


def _require_free(fleet: Fleet, user: str) -> None:
    import re

    from provision.fleet.names import ID, RULES, id_refusal

    if why := id_refusal(user) if re.match(ID, user) else RULES["id"].hint:
        raise UsageError(f"invalid user id {user!r}", hint=why)
    if user in fleet.left:
        raise UsageError(
            f"{user} left on {fleet.left[user].left}", hint=f"if they are back: provision users add {user} --rejoin"
        )
    if user in {state.user for state in fleet.states}:
        raise UsageError(f"user {user!r} is in the inventory already", hint=f"provision users show {user}")


def _require_there(fleet: Fleet, user: str) -> None:
    from provision.fleet.limit import no_match_error

    known = [state.user for state in fleet.states]
    if user not in known:
        raise no_match_error(f"no user {user!r} in the inventory", user, known)


def _rejoin(run: Run, workspace: Workspace, fleet: Fleet, user: str, profile: str | None, *, dry_run: bool) -> None:
    from datetime import UTC, datetime

    from provision.keys.events.log import operator
    from provision.people.rejoining import prepare_rejoin, rejoin_edits

    if user not in fleet.left:
        raise UsageError(f"{user} did not leave", hint=f"provision users list; or without --rejoin: users add {user}")
    now = datetime.now(UTC)
    if not dry_run and prepare_rejoin(workspace, user, who=operator(), now=now):
        run.say("the order to uninstall is replaced: publish, so that machines read it")
    _change(run, workspace, rejoin_edits(fleet.left[user], profile, now.date().isoformat()), dry_run=dry_run)
    run.say(
        f"next: provision enroll --user {user} on the machine, then provision enroll --batch FILE here; import a key"
    )


def _change(run: Run, workspace: Workspace, edits: list[EntryEdit], *, dry_run: bool) -> None:
    """Write edits, if the inventory is valid with them, and say so. Raises InvalidFilesError."""
    from provision.fleet.edit.inventory_file import change_entries

    name = workspace.name_of(workspace.inventory)
    changed = change_entries(workspace, edits, dry_run=dry_run)
    if dry_run:
        run.say(f"dry run: {name} would {'change' if changed else 'stay as it is'}; nothing was written")
    else:
        run.say(f"wrote {name}" if changed else f"no changes: {name} says so already")
