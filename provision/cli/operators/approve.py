"""`provision operators approve`: recipients, gateway hosts and commands that changed in the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.operators.app import operators_app
from provision.cli.options import DryRun, Limit, Output, TableOrJson
from provision.errors import Exit
from provision.report.formats import Format

if TYPE_CHECKING:
    from provision.fleet.workspace import Workspace


@operators_app.command("approve")
def approve(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Approve everything that is shown, without asking.")] = False,
    limit: Limit = None,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Show recipients, gateway hosts and commands that changed in the workspace, or another vault, and approve them.

    What you approved is kept on this machine, outside of the workspace. Exits with 10 if something still waits.
    """
    from provision.cli.approvals import confirmed, setting_lines, user_lines
    from provision.fleet.approvals import (
        keep_recipients_approval,
        keep_settings_approval,
        pending_recipients,
        pending_settings,
        read_recipients_approval,
        read_settings_approval,
        recipients_now,
    )
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet
    from provision.keys.vault.known_key import keep_known_vault
    from provision.report.document import document

    run: Run = ctx.obj
    workspace, problems = run.read_workspace()
    if problems:
        run.open_workspace()
    fleet = load_fleet(workspace)
    known = read_recipients_approval(workspace)
    states = select_users(fleet.states, limit)
    now = recipients_now(states)
    users = pending_recipients(now, known) if known is not None else ()
    settings = () if limit else pending_settings(workspace, read_settings_approval(workspace) or {})
    if read_settings_approval(workspace) is None and not dry_run:
        settings = ()
        keep_settings_approval(workspace)
    other = None if limit else _other_vault(run, workspace)
    lines = [*([other[0]] if other else ()), *setting_lines(settings), *user_lines(users)]
    given = bool(lines) and not dry_run and (yes or confirmed(run.say, lines))
    if given and other:
        keep_known_vault(workspace.vault, other[1])
    if given and settings:
        keep_settings_approval(workspace)
    if given and known is not None and users:
        keep_recipients_approval(workspace, known | {each.user: now[each.user] for each in users})
    if format_ is Format.JSON:
        run.result(
            document(
                "approvals/v1",
                approved=given,
                vault=other and other[0],
                settings=[{"name": s.name, "before": s.before, "now": s.now} for s in settings],
                recipients=[{"user": u.user, "new_user": u.new_user, "added": list(u.added)} for u in users],
            ),
            output,
        )
    else:
        verdict = "approved" if given else "not approved" if lines else "nothing waits for approval"
        run.result("".join(f"{line}\n" for line in [*lines, verdict]), output)
    if lines and not given:
        raise typer.Exit(Exit.FINDINGS)


def _other_vault(run: Run, workspace: Workspace) -> tuple[str, str] | None:
    """What to say about a vault with another data key than this operator used, and that key's digest."""
    from provision.errors import ProvisionError
    from provision.keys.identities import load_identities
    from provision.keys.vault.file import open_vault
    from provision.keys.vault.known_key import OtherVaultError, data_key_digest, require_known_vault

    try:
        vault = open_vault(workspace.vault, load_identities(workspace.identity))
        require_known_vault(workspace.vault, vault)
    except OtherVaultError:
        readers = ", ".join((*vault.operators, *vault.recovery))
        return f"{workspace.vault.name}: another data key than before; it opens for: {readers}", data_key_digest(vault)
    except ProvisionError as e:
        run.say(f"the vault was not compared with the one that you used: {e.message}")
    return None
