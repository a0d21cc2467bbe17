"""`provision recovery test|use`: prove that the recovery key works, and begin again with it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.operators.app import recovery_app
from provision.cli.operators.recovery_output import RecoveryTo
from provision.cli.options import DryRun, without_keys
from provision.errors import ProvisionError, UsageError

if TYPE_CHECKING:
    from provision.fleet.workspace import Workspace
    from provision.trust.recovery import RecoverySeed

_Seed = Annotated[
    str | None,
    typer.Argument(metavar="[FILE]", help="File with the seed, or - for standard input. Default: ask on the terminal."),
]


class WrongRecoveryError(ProvisionError):
    """The seed is well formed, but not the recovery key of this workspace."""


@recovery_app.command("test")
def prove(ctx: typer.Context, file: _Seed = None) -> None:
    """Prove that the recovery key opens the vault and the feed secret, and is in the trust list."""
    from provision.trust.workspace import note_recovery_test

    run: Run = ctx.obj
    workspace = run.open_workspace()
    seed = _seed(file, workspace)
    opened = _proved(workspace, seed)
    note_recovery_test(seed.workspace_id, datetime.now(UTC))
    run.result(f"the recovery key opens the vault{opened}, and is in the trust list\n")


@recovery_app.command("use")
def use(
    ctx: typer.Context,
    file: _Seed = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Your name in the new list. Default: your account's.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="NAME", help="Operator who stays; repeatable.")
    ] = None,
    revoke: Annotated[
        list[str] | None, typer.Option("--revoke", metavar="NAME", help="Operator whose key was stolen; repeatable.")
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", callback=without_keys, help="Why keys are revoked.")
    ] = "revoked by recovery",
    recovery_to: RecoveryTo = None,
    dry_run: DryRun = False,
) -> None:
    """Begin again with the recovery key, on this machine.

    You become operator; all others go, unless --keep names them. The recovery key is replaced in the same act.
    """
    from provision.cli.operators.recovery_output import RecoveryChoice, new_recovery
    from provision.cli.operators.session import act_of_operator, own_keys, own_name, passing_keys, valid_name
    from provision.operators.acts import recover
    from provision.report.terminal import plural

    run: Run = ctx.obj
    workspace = run.open_workspace()
    called = valid_name(name or own_name(workspace))
    seed = _seed(file, workspace)
    _proved(workspace, seed)
    key = None
    if dry_run and not (workspace.identity.exists() and workspace.signing_key.exists()):
        run.say("you have no keys here yet: without --dry-run they are made first")
        recipient, key = passing_keys()
    else:
        recipient, _ = own_keys(run)
    with act_of_operator(
        run, "recovery use", dry_run=dry_run, workspace=workspace, identities=[seed.identity()], key=key
    ) as act:
        choice = RecoveryChoice(recovery_to, None, None, none=False)
        new_seed, public = new_recovery(run, choice, act, dry_run=dry_run)
        if new_seed is None or public is None:
            raise RuntimeError("a used recovery key is always replaced")
        gone = recover(
            act,
            seed,
            called,
            recipient,
            (new_seed, public),
            keep=keep or (),
            revoke=dict.fromkeys(revoke or (), reason),
        )
        users = act.vault_act.vault.users
    if dry_run:
        run.say(f"you would be operator as {called}; would go: {', '.join(gone) or 'no operator'}")
        return
    run.say(f"you are operator as {called}; gone: {', '.join(gone) or 'no operator'}")
    run.say("the old recovery key opens and signs nothing new")
    if users:
        whose = plural(len(users), "user")
        run.say(f"replace the keys of {whose}: the lost identity could read them: provision rotate start")
    run.say("next: commit the workspace, provision render --force, provision publish")


def _seed(file: str | None, workspace: Workspace) -> RecoverySeed:
    from provision.files import read_bounded
    from provision.formats.shell_output import shell_bytes
    from provision.keys.vault.file import read_workspace_id
    from provision.trust.recovery import parse_seed

    if file == "-":
        text = sys.stdin.read(1 << 14)
    elif file is not None:
        try:
            text = shell_bytes(read_bounded(Path(file), 1 << 14)).decode("utf-8", "replace")
        except FileNotFoundError as e:
            raise UsageError(f"file not found: {file}", hint="leave it out to type the seed") from e
    elif sys.stdin.isatty():
        text = typer.prompt("Recovery seed (13 groups)", hide_input=True, err=True)
    else:
        raise UsageError("cannot ask for the seed without a terminal", hint="use - to read it from standard input")
    return parse_seed(text, read_workspace_id(workspace.vault))


def _proved(workspace: Workspace, seed: RecoverySeed) -> str:
    """Prove the seed against vault, feed secret and trust list; returns what to say about the feed secret."""
    from provision.keys.age import NoIdentityError
    from provision.keys.feed_secret import FILE, feed_secret
    from provision.keys.vault.file import open_vault
    from provision.trust.workspace import workspace_trust

    identity = [seed.identity()]
    trusted = workspace_trust(workspace, seed.workspace_id, datetime.now(UTC))
    if trusted.trust is None or seed.public().key not in trusted.trust.recovery_keys:
        raise WrongRecoveryError(
            "this seed is not the recovery key of this workspace's trust list",
            hint="compare the workspace id and `signs as` on the page; it may be an older page",
        )
    try:
        open_vault(workspace.vault, identity)
        if not (workspace.root / FILE).exists():
            return ""
        feed_secret(workspace.root / FILE, (), identity, create=False)
    except NoIdentityError as e:
        raise WrongRecoveryError(
            f"the recovery key does not open everything: {e.message}",
            hint="any operator's next act seals it again: provision operators check --renew",
        ) from e
    return " and the feed secret"
