"""`provision users leave`: take everything from users who left, and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.machines.app import AccountOption, CommandOption, KnownHostsOption, LoginOption, PrivateKeyOption
from provision.cli.options import DryRun, Output, TableOrJson, without_keys
from provision.cli.users.app import require_confirmation, users_app
from provision.errors import Exit, NothingMatchedError, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.feed.publish import PublishOptions
    from provision.fleet.desired import Machine
    from provision.fleet.load import Fleet
    from provision.fleet.users import FormerUser
    from provision.fleet.workspace import Workspace
    from provision.people.leaving import LeavingStep
    from provision.push.ansible import Ssh
    from provision.rotate.context import RotationContext


@users_app.command("leave")
def users_leave(
    ctx: typer.Context,
    users: Annotated[list[str] | None, typer.Argument(metavar="USER...", help="Users who leave or left.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with all users who left.")] = False,
    reason: Annotated[
        str, typer.Option("--reason", callback=without_keys, help="Reason or ticket, for the event log.")
    ] = "",
    feed: Annotated[
        Path | None, typer.Option("--feed", metavar="DIR", file_okay=False, help="Folder that `publish` writes.")
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept", metavar="STEP=WHY", help="Accept a machine, the feed or a key without proof; repeatable."
        ),
    ] = None,
    deploy: Annotated[bool, typer.Option("--deploy", help="Uninstall on their machines through Ansible.")] = False,
    login: LoginOption = None,
    private_key: PrivateKeyOption = None,
    known_hosts: KnownHostsOption = None,
    account: AccountOption = None,
    command: CommandOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before marking users as left.")] = False,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Take everything from users who left.

    Closes the inventory entry, withdraws bundle and feed entry, waits until the gateway refuses their keys, and puts their
    receipts away. Each line has its proof. Exits with 4 until everything is proved; run it again to go on.
    """
    from provision.cli.delivery.receipts import valid_fleet
    from provision.cli.rotate.session import locked_rotations, open_context
    from provision.cli.users import leave_output

    run: Run = ctx.obj
    workspace = run.open_workspace()
    fleet = valid_fleet(workspace)
    chosen = _chosen(fleet, users or [], resume=resume)
    accepted = _accepted(accept)
    uninstall = None
    if deploy:
        from provision.push.ansible import Ssh

        uninstall = _uninstall(workspace, Ssh(login, private_key, known_hosts, account), command)
    if dry_run:
        former = {user: _as_former(fleet, user) for user in chosen}
        context = open_context(run, 10)
        done = _take(context, former, feed, reason, accepted, uninstall, acting=False)
        run.say("dry run: nothing was changed")
    else:
        _mark(run, workspace, fleet, chosen, yes=yes)
        left = valid_fleet(workspace).left
        with locked_rotations(run, "users leave") as context:
            done = _take(context, {user: left[user] for user in chosen}, feed, reason, accepted, uninstall, acting=True)
    write = leave_output.as_json if format_ is Format.JSON else leave_output.as_table
    run.result(write(done), output)
    if not all(step.proved for steps in done.values() for step in steps):
        raise typer.Exit(Exit.PARTIAL)


def _chosen(fleet: Fleet, users: list[str], *, resume: bool) -> list[str]:
    from provision.fleet.limit import no_match_error

    if resume == bool(users):
        raise UsageError(
            "name the users who leave, or use --resume for all who left", hint="provision users leave USER"
        )
    if resume:
        if not fleet.left:
            raise NothingMatchedError("no user left", hint="name one: provision users leave USER")
        return list(fleet.left)
    known = [*(state.user for state in fleet.states), *fleet.left]
    for user in users:
        if user not in known:
            raise no_match_error(f"no user {user!r} in the inventory", user, known)
    return list(dict.fromkeys(users))


def _accepted(texts: list[str] | None) -> dict[str, str]:
    found = {}
    for text in texts or ():
        step, equals, why = text.partition("=")
        if not equals or not step.strip() or not why.strip():
            raise UsageError(
                f"--accept: invalid value {text!r}", hint="use STEP=WHY, such as 'ada/laptop=reimaged by IT'"
            )
        found[step.strip()] = without_keys(why.strip())
    return found


def _as_former(fleet: Fleet, user: str) -> FormerUser:
    """A user as they would be after leaving, for a dry run."""
    from datetime import UTC, datetime

    from provision.fleet.users import FormerUser

    if user in fleet.left:
        return fleet.left[user]
    state = next(state for state in fleet.states if state.user == user)
    today = datetime.now(UTC).date().isoformat()
    return FormerUser(user, today, state.place, state.profile.name, state.email, state.external_id, state.machines)


def _mark(run: Run, workspace: Workspace, fleet: Fleet, users: list[str], *, yes: bool) -> None:
    """Close the inventory entries of users who are still there."""
    from datetime import UTC, datetime

    from provision.fleet.edit.entry_edit import EntryEdit
    from provision.fleet.edit.inventory_edit import edit_inventory
    from provision.fleet.edit.inventory_file import change_inventory

    there = [user for user in users if user not in fleet.left]
    if not there:
        return
    require_confirmation(f"Take bundle, key and receipts from {', '.join(there)}?", yes=yes)
    today = datetime.now(UTC).date().isoformat()  # as receipts and events have their times
    edits = [EntryEdit(user, {"left": today}) for user in there]
    change_inventory(workspace, lambda data: edit_inventory(data, workspace.inventory.name, edits))
    run.say(f"marked as left in {workspace.name_of(workspace.inventory)}: {', '.join(there)}")


def _take(
    context: RotationContext,
    former: dict[str, FormerUser],
    feed: Path | None,
    reason: str,
    accepted: dict[str, str],
    uninstall: Callable[[FormerUser, Machine], tuple[bool, str]] | None,
    *,
    acting: bool,
) -> dict[str, list[LeavingStep]]:
    from provision.keys.feed_secret import FILE
    from provision.people.leaving import Leaving

    workspace = context.workspace
    leaving = Leaving(
        context=context,
        acting=acting,
        reason=reason,
        has_feed=(workspace.root / FILE).exists(),
        feed=_withdrawal(workspace, feed.absolute(), acting=acting) if feed is not None else None,
        uninstall=uninstall,
        accepted=accepted,
        order=_order(context, former, reason, acting=acting) if feed is not None else None,
    )
    machines = {user: leaving.machines(each) for user, each in former.items()}
    return {user: list(leaving.steps(each, machines[user])) for user, each in former.items()}


def _uninstall(
    workspace: Workspace, ssh: Ssh, command: str | None
) -> Callable[[FormerUser, Machine], tuple[bool, str]]:
    """Ask one machine at a time: each line of proof is about one."""
    import os

    from provision.push.inventory import target_of
    from provision.push.uninstalling import uninstall_hosts

    def ask(former: FormerUser, machine: Machine) -> tuple[bool, str]:
        target = target_of(former.user, former.profile or "-", machine, machine.host or "", home=machine.hermes_home)
        return uninstall_hosts(workspace.root, [target], ssh, command, os.environ)[target.label]

    return ask


def _order(
    context: RotationContext, former: dict[str, FormerUser], reason: str, *, acting: bool
) -> Callable[[str], str]:
    """Give the order to uninstall, once for each user; the next publish carries it."""
    from datetime import UTC, datetime, timedelta

    from provision.errors import ProvisionError
    from provision.feed.give_orders import give_orders, given_orders
    from provision.keys.vault.file import read_workspace_id
    from provision.signing.fields import moment, parse_moment
    from provision.trust.orders import read_order
    from provision.trust.workspace import workspace_trust

    workspace, now = context.workspace, datetime.now(UTC)

    def given(user: str) -> str:
        """When the order was given, if it is the user's last one and still counts."""
        data = given_orders(workspace.root).get(user)
        if data is None:
            return ""
        order = read_order(data, workspace_trust(workspace, read_workspace_id(workspace.vault), now).signers, now)
        since = order.created[:10] >= former[user].left
        return order.created if order.kind == "uninstall" and since and parse_moment(order.expires) > now else ""

    def order(user: str) -> str:
        try:
            if not (when := given(user)) and acting:
                why = f"left on {former[user].left}" + (f": {reason}" if reason else "")
                give_orders(workspace, "uninstall", [user], reason=why[:500], life=timedelta(days=365), now=now)
                when = moment(now)
        except ProvisionError as e:
            return f"no order to uninstall: {e.message}"
        return f"ordered through the feed on {when}" if when else "no order to uninstall yet"

    return order


def _withdrawal(workspace: Workspace, root: Path, *, acting: bool) -> Callable[[str], str]:
    """Publish once without the users who left, then remove the folder of each and look what is still there."""
    import functools
    import shutil
    from datetime import UTC, datetime, timedelta

    from provision.cli.delivery.publish import feed_options
    from provision.feed.index import Index, address_of, endpoint_id
    from provision.feed.publish import FeedTree, lock_path
    from provision.feed.published_parts import published_parts
    from provision.files import locked
    from provision.signing.sshsig import load_signing_key

    if not (root / "index").is_dir():
        raise UsageError(f"--feed: {root} holds no feed", hint="name the folder that `provision publish` writes")
    key = load_signing_key(workspace.signing_key)

    @functools.cache
    def current() -> PublishOptions:
        """Not before the orders were given: they are part of it."""
        return feed_options(workspace, key, datetime.now(UTC), timedelta(days=7), 3, create=False)

    @functools.cache
    def publish() -> None:
        tree = FeedTree(root, current(), key)
        for _ in tree.users():
            pass
        tree.finish()

    def withdraw(user: str) -> str:
        options = current()
        address = address_of(options.secret, user)
        folder = root / "e" / address
        with locked(lock_path(root), "users leave"):
            if acting:
                publish()
                if folder.is_dir() and not folder.is_symlink():
                    shutil.rmtree(folder)
            listed = any(
                endpoint_id(address) in part.endpoints
                for _, part in published_parts(root, options.workspace_id, options.signers, options.now)
                if isinstance(part, Index)
            )
        parts = (["listed in the index"] if listed else []) + ([f"{folder} exists"] if folder.exists() else [])
        return ", ".join(parts)

    return withdraw
