"""`provision diff`: show what `render` would change."""

from __future__ import annotations

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output, TableOrJson
from provision.errors import Exit
from provision.report.formats import Format


@app.command("diff")
def diff_command(
    ctx: typer.Context,
    limit: Limit = None,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Show what render would change, per user.

    Exits with 10 if anything would change.
    """
    from datetime import UTC, datetime

    from provision.bundle.diff import diff_bundles, user_diff_json
    from provision.bundle.prepare import prepare_render
    from provision.report.document import document
    from provision.report.terminal import plural, table
    from provision.rotate.store import keys_ahead_of_vault
    from provision.signing.sshsig import public_blob

    run: Run = ctx.obj
    workspace = run.open_workspace()
    ready = prepare_render(workspace, limit, datetime.now(UTC), ahead=keys_ahead_of_vault(workspace.root))
    found = list(diff_bundles(ready.options, ready.dist, public_blob(ready.signing_key.public_key())))
    if format_ is Format.JSON:
        text = document("diff/v1", drift=bool(found), users=[user_diff_json(item) for item in found])
    elif found:
        rows = [(d.user, d.status, str(line)) for d in found for line in (d.differences or (d.reason,))]
        text = table(("USER", "STATUS", "CHANGE"), rows)
    else:
        text = f"no drift: dist/ matches the workspace for {plural(len(ready.options.states), 'user')}\n"
    run.result(text, output)
    if found:
        raise typer.Exit(Exit.FINDINGS)
