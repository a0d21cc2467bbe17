"""`provision diff`: what render would change."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output
from provision.errors import Exit


@app.command("diff")
def diff_command(
    ctx: typer.Context,
    limit: Limit = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """Show what render would change, per user.

    Ends with 10 if anything would.
    """
    from datetime import UTC, datetime

    from provision.bundle.diff import as_json, diff
    from provision.bundle.prepare import prepare
    from provision.report.document import document
    from provision.report.terminal import plural, table
    from provision.rotate.store import keys_ahead_of_vault
    from provision.signing.sshsig import public_blob

    run: Run = ctx.obj
    workspace = run.open_workspace()
    ready = prepare(workspace, limit, datetime.now(UTC), ahead=keys_ahead_of_vault(workspace.root))
    found = list(diff(ready.order, ready.dist, public_blob(ready.signing_key.public_key())))
    if format_ == "json":
        text = document("diff/v1", drift=bool(found), users=[as_json(item) for item in found])
    elif found:
        rows = [(d.user, d.status, str(line)) for d in found for line in (d.differences or (d.reason,))]
        text = table(("USER", "STATUS", "CHANGE"), rows)
    else:
        text = f"no drift: dist/ is what the workspace says for {plural(len(ready.order.states), 'user')}\n"
    run.result(text, output)
    if found:
        raise typer.Exit(Exit.FINDINGS)
