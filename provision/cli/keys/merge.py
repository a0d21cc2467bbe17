"""`provision keys merge`: resolve a merge conflict in the vault."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app
from provision.shell import shell_path


@keys_app.command("merge")
def merge(
    ctx: typer.Context,
    other: Annotated[Path, typer.Argument(help="Vault of the other branch: git show MERGE_HEAD:keys.vault > FILE.")],
    log: Annotated[
        Path | None,
        typer.Option("--log", help="Event log of the other branch: git show MERGE_HEAD:events.jsonl > FILE."),
    ] = None,
) -> None:
    """Merge the vault of another branch into this one. Resolves a git merge conflict, which no text editor can."""
    from provision.keys.age import load_identities
    from provision.keys.events.log import LOG_NAME, log_path
    from provision.keys.events.merge import merge_logs
    from provision.keys.vault.file import editing, open_vault
    from provision.keys.vault.merge import merge_vaults
    from provision.report.terminal import plural

    run: Run = ctx.obj
    workspace = run.open_workspace()
    identities = load_identities(workspace.identity)
    theirs = open_vault(other, identities)
    with editing(workspace.vault, identities, "keys merge") as vault:
        notes = merge_vaults(vault, theirs)
    taken = merge_logs(log_path(workspace.vault), log) if log is not None else 0
    run.result("".join(f"{note}\n" for note in notes))
    if taken:
        run.say(f"appended {plural(taken, 'event')} of the other branch to {LOG_NAME}")
    changed = notes or taken
    run.say(
        f"merged; next: git add {shell_path(workspace.name_of(workspace.vault))} {LOG_NAME}"
        if changed
        else "nothing to merge"
    )
