"""`provision diff`: show what `render` would change."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output, TableOrJson
from provision.errors import Exit, UsageError
from provision.report.formats import Format


@app.command("diff")
def diff_command(
    ctx: typer.Context,
    limit: Limit = None,
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="Show every change of one user.")] = None,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Show what render would change.

    One line per change, with the users it concerns. Exits with 10 if anything would change.
    """
    from provision.report.document import document
    from provision.report.render import diff_groups, diff_user

    run: Run = ctx.obj
    if user and limit:
        raise UsageError("--user is one user: use it without --limit")
    last = run.last_render() if user is None and limit is None else None
    if last and (users := last.unchanged_users(time.time())) is not None:
        run.result(
            document("diff/v1", drift=False, users=[]) if format_ is Format.JSON else diff_groups((), users), output
        )
        return
    from datetime import UTC, datetime

    from provision.bundle.diff import diff_bundles, user_diff_json
    from provision.bundle.prepare import prepare_render
    from provision.rotate.store import keys_ahead_of_vault
    from provision.signing.sshsig import public_blob

    workspace = run.open_workspace()
    ready = prepare_render(
        workspace, [user] if user else limit, datetime.now(UTC), ahead=keys_ahead_of_vault(workspace.root)
    )
    found = list(diff_bundles(ready.options, ready.dist, public_blob(ready.signing_key.public_key())))
    found = [each for each in found if each.user == user] if user else found
    if format_ is Format.JSON:
        text = document("diff/v1", drift=bool(found), users=[user_diff_json(item) for item in found])
    else:
        text = diff_user(found, user) if user else diff_groups(found, len(ready.options.states))
    run.result(text, output)
    if found:
        raise typer.Exit(Exit.FINDINGS)
