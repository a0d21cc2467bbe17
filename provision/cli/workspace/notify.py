"""`provision notify`: send a test message to each target."""

from __future__ import annotations

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.errors import Exit, ProvisionError


@app.command("notify")
def notify(ctx: typer.Context) -> None:
    """Send a test message to each target of `notify` in provision.toml.

    Exits with 4 if a target was not notified. Real messages are sent by rotate, report, audit --hosts and reconcile.
    """
    from datetime import UTC, datetime

    from provision.cli.notifications import deliver, message_of
    from provision.report.terminal import plural

    run: Run = ctx.obj
    workspace = run.open_workspace()
    targets = workspace.settings.notify
    if not targets:
        raise ProvisionError("no target is set", hint="add [[notify]] to provision.toml: docs/notify.md")
    now = datetime.now(UTC)
    sent = deliver(run, workspace, [(target, message_of(workspace, "notify", [], now)) for target in targets])
    run.result(f"{sum(sent)} of {plural(len(targets), 'target')} notified\n")
    if not all(sent):
        raise typer.Exit(Exit.PARTIAL)
