"""`provision operators add|remove|revoke|threshold|sign|upgrade`: each is one act, all or nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.operators.app import operators_app
from provision.cli.operators.recovery_output import NoRecovery, RecoveryAge, RecoveryKeyOption, RecoveryTo
from provision.cli.options import DryRun, without_keys
from provision.errors import UsageError

if TYPE_CHECKING:
    from provision.operators.act import OperatorAct

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The operator's name.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before removing yourself.")]


@operators_app.command("add")
def add(
    ctx: typer.Context,
    name: _Name,
    recipient: Annotated[str, typer.Argument(metavar="AGE", help="Age recipient, or an SSH public key or .pub file.")],
    key: Annotated[str | None, typer.Argument(metavar="[SSHKEY]", help="Signing key, or its .pub file.")] = None,
    roles: Annotated[
        str, typer.Option("--roles", help="What the key may sign, comma-separated.")
    ] = "bundle,feed,order,trust",
    dry_run: DryRun = False,
) -> None:
    """Add an operator, as the line says that `operators join` printed for them."""
    from provision.cli.operators.session import act_of_operator, public_key, text_of, valid_name
    from provision.operators.acts import add as add_operator
    from provision.report.terminal import plural
    from provision.trust.trust_list import Role

    run: Run = ctx.obj
    words = {word.strip() for word in roles.split(",")}
    if not words or words - {role.value for role in Role}:
        raise UsageError(f"invalid roles {roles!r}", hint="use bundle, feed, order, trust, comma-separated")
    signing = public_key(key) if key is not None else None
    with act_of_operator(run, "operators add", dry_run=dry_run) as act:
        add_operator(act, valid_name(name), text_of(recipient), signing, [Role(word) for word in words])
        count = len(act.vault_act.vault.operators)
    if dry_run:
        return
    run.say(f"{plural(count, 'operator')} can open the vault")
    run.say("next: commit the workspace; `provision publish` brings the new list to the machines")


@operators_app.command("remove")
def remove(ctx: typer.Context, name: _Name, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Remove an operator whose keys are not stolen, and say what remains.

    Bundles that they signed are signed again with your key. The vault gets a new data key. For stolen keys: `operators revoke`
    or `recovery use`.
    """
    from provision.bundle.sign_again import sign_again
    from provision.cli.operators.session import act_of_operator
    from provision.operators.acts import remove as remove_operator
    from provision.report.terminal import plural
    from provision.trust.trust_list import key_blob

    run: Run = ctx.obj
    with act_of_operator(run, "operators remove", dry_run=dry_run) as act:
        _confirm_self(act, name, yes=yes or dry_run)
        trust = act.trusted.trust
        gone = trust.signer_named(name) if trust else None
        remove_operator(act, name)
        signed = sign_again(act.workspace.dist, [key_blob(gone.key)], act.key, dry_run=dry_run) if gone else 0
        keys = len(act.vault_act.vault)
    if dry_run:
        run.say(
            f"would sign {plural(signed, 'bundle')} again with your key; {name} could read {plural(keys, 'key version')}"
        )
        return
    run.say(f"{name} opens and signs nothing new; {plural(signed, 'bundle')} signed again with your key")
    _what_remains(run, name, keys)


def _what_remains(run: Run, name: str, keys: int) -> None:
    from provision.report.terminal import plural

    run.say(
        f"what remains: {name} could read all {plural(keys, 'key version')} of the vault until now; old copies and git keep them"
    )
    run.say(f"what remains: {name} knows the feed's addresses, which open no bundle")
    run.say("next: commit the workspace, `provision publish`, and replace the keys: provision rotate start")


@operators_app.command("revoke")
def revoke(
    ctx: typer.Context,
    named: Annotated[str, typer.Argument(metavar="NAME|KEY", help="The signer's name, or the key itself.")],
    reason: Annotated[
        str, typer.Option("--reason", callback=without_keys, help="Why; machines and reports show it.")
    ] = "revoked by an operator",
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Revoke a stolen signing key: everything that it ever signed is refused.

    A key with the role trust can only be revoked with the recovery key: `provision recovery use`.
    """
    from provision.cli.operators.session import act_of_operator
    from provision.operators.acts import revoke as revoke_key

    run: Run = ctx.obj
    with act_of_operator(run, "operators revoke", dry_run=dry_run) as act:
        _confirm_self(act, named, yes=yes or dry_run)
        name = revoke_key(act, named if not named.startswith("ssh-") else " ".join(named.split()[:2]), reason)
        keys = len(act.vault_act.vault)
    if dry_run:
        return
    run.say("what the key signed is refused by machines as soon as they have the new list")
    run.say("next: provision render --force, then provision publish")
    if name:
        _what_remains(run, name, keys)


@operators_app.command("threshold")
def threshold(
    ctx: typer.Context,
    count: Annotated[
        int | None, typer.Argument(metavar="[COUNT]", min=1, help="Signatures that a new list needs.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Show or raise how many operators must sign a new trust list."""
    from datetime import UTC, datetime

    from provision.cli.operators.session import act_of_operator
    from provision.keys.vault.file import read_workspace_id
    from provision.operators.acts import set_threshold
    from provision.trust.workspace import workspace_trust

    run: Run = ctx.obj
    if count is None:
        workspace = run.open_workspace()
        trust = workspace_trust(workspace, read_workspace_id(workspace.vault), datetime.now(UTC)).trust
        run.result(f"{trust.threshold.trust if trust else 'no trust list'}\n")
        return
    with act_of_operator(run, "operators threshold", dry_run=dry_run) as act:
        set_threshold(act, count)


@operators_app.command("sign")
def sign(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Sign what is shown, without asking.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Show what a trust list of another operator changes, and add your signature to it."""
    from provision.cli.operators.session import act_of_operator
    from provision.trust.trust_list import list_changes

    run: Run = ctx.obj
    with act_of_operator(run, "operators sign", dry_run=dry_run) as act:
        pending = act.trusted.pending
        if pending is not None:
            run.say(f"trust list {pending.number}:")
            for line in list_changes(act.trust, pending):
                run.say(f"  {line}")
            _confirm_signature(yes=yes or dry_run)
        act.add_signature()


def _confirm_signature(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("cannot ask without a terminal", hint="--yes signs it; compare the changes first")
    typer.confirm("Sign this list?", abort=True, err=True)


@operators_app.command("accept")
def accept(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Accept the workspace's trust list after two operators made one of the same number.

    Yours is given up: run your command again afterwards. Another chain than a sibling of yours is refused.
    """
    from datetime import UTC, datetime

    from provision.keys.vault.file import read_workspace_id
    from provision.trust.workspace import accept_sibling

    run: Run = ctx.obj
    workspace = run.open_workspace()
    if not yes and not sys.stdin.isatty():
        raise UsageError("cannot ask without a terminal", hint="--yes accepts it; ask the other operator first")
    if not yes:
        typer.confirm("Did another operator make a list at the same time as you?", abort=True, err=True)
    mine, newest = accept_sibling(workspace, read_workspace_id(workspace.vault), datetime.now(UTC))
    names = ", ".join(each.name for each in newest.signers)
    run.result(f"accepted trust list {newest.number} (signers: {names}); your own {mine.number} is given up\n")
    run.say(f"machines that took your {mine.number} from the feed refuse the other one until recovery begins an epoch")


@operators_app.command("upgrade")
def upgrade(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Your name in the list. Default: your account's.")] = None,
    recovery_to: RecoveryTo = None,
    recovery_age: RecoveryAge = None,
    recovery_key: RecoveryKeyOption = None,
    no_recovery: NoRecovery = False,
    dry_run: DryRun = False,
) -> None:
    """Make the first trust list out of allowed_signers, and the recovery key.

    A workspace that has a list without a recovery key gets one.
    """
    from provision.cli.operators.recovery_output import RecoveryChoice, new_recovery
    from provision.cli.operators.session import act_of_operator, own_name, valid_name
    from provision.operators.acts import require_no_recovery
    from provision.operators.acts import upgrade as upgrade_workspace

    run: Run = ctx.obj
    choice = RecoveryChoice(recovery_to, recovery_age, recovery_key, no_recovery)
    workspace = run.open_workspace()
    called = valid_name(name or own_name(workspace))
    with act_of_operator(run, "operators upgrade", dry_run=dry_run, workspace=workspace) as act:
        require_no_recovery(act, recovery=not choice.none)
        _, public = new_recovery(run, choice, act, dry_run=dry_run)
        upgrade_workspace(act, called, public)
    if dry_run:
        return
    run.say("next: commit the workspace, then provision publish; test the recovery key: provision recovery test")


def _confirm_self(act: OperatorAct, name: str, *, yes: bool) -> None:
    from provision.keys.age import parse_recipient
    from provision.signing.sshsig import public_line

    own = {identity.recipient for identity in act.identities}
    mine = any(
        parse_recipient(text).text in own and parse_recipient(text).comment == name
        for text in act.vault_act.vault.operators
    )
    trust = act.trusted.trust
    signer = trust.signer_named(name) if trust else None
    if yes or not (mine or (signer and signer.key == public_line(act.key.public_key()))):
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{name} is you", hint="--yes removes you")
    typer.confirm(f"{name} is you: you will open and sign nothing here any more. Continue?", abort=True, err=True)
