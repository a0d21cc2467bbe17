"""`provision keys merge`: resolve a merge conflict in the vault."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app


@keys_app.command("merge")
def merge(
    ctx: typer.Context,
    other: Annotated[
        Path, typer.Argument(help="The vault of the other branch: git show MERGE_HEAD:keys.vault > FILE.")
    ],
    log: Annotated[
        Path | None, typer.Option("--log", help="Its event log, too: git show MERGE_HEAD:events.jsonl > FILE.")
    ] = None,
) -> None:
    """Take over what another branch's vault knows. For a merge conflict, which no text editor can resolve."""
    from provision.keys.age import load_identities
    from provision.keys.events.log import LOG_NAME, log_path
    from provision.keys.events.merge import merge_logs
    from provision.keys.vault.file import editing, open_vault
    from provision.keys.vault.merge import merge as merge_vaults

    run: Run = ctx.obj
    workspace = run.open_workspace()
    identities = load_identities(workspace.identity)
    theirs = open_vault(other, identities)
    with editing(workspace.vault, identities, "keys merge") as vault:
        notes = merge_vaults(vault, theirs)
    taken = merge_logs(log_path(workspace.vault), log) if log is not None else 0
    run.result("".join(f"{note}\n" for note in notes))
    if taken:
        run.say(f"{taken} event{'s' if taken > 1 else ''} of the other branch appended to {LOG_NAME}")
    changed = notes or taken
    run.say(
        f"merged; now: git add {workspace.name_of(workspace.vault)} {LOG_NAME}"
        if changed
        else "there was nothing to take over"
    )
