"""`provision render`: build dist/, a signed and sealed bundle per user."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output
from provision.errors import Exit

if TYPE_CHECKING:
    from datetime import datetime

    from provision.bundle.render import Outcome, Progress
    from provision.fleet.workspace import Workspace

_SILENT = {"unchanged"}
_MADE = {"new", "changed", "renewed"}
_ENTRY_BYTES = 100  # of a user in the inventory, at least


@app.command("render")
def render(
    ctx: typer.Context,
    limit: Limit = None,
    force: Annotated[bool, typer.Option("--force", help="Make every bundle anew, changed or not.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove the bundles of users who left the inventory.")] = False,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """Build dist/: a sealed, signed bundle per user.

    Only what changed is built again.
    """
    from datetime import UTC, datetime

    from provision.bundle.prepare import prepare
    from provision.bundle.render import build, opened_dist
    from provision.bundle.workers import SMALL, warm
    from provision.cli.workspace.validation import refuse_wrong_profiles
    from provision.rotate.store import keys_ahead_of_vault

    run: Run = ctx.obj
    workspace = run.open_workspace()
    if workspace.inventory.is_file() and workspace.inventory.stat().st_size > SMALL * _ENTRY_BYTES:
        warm()
    ready = prepare(workspace, limit, datetime.now(UTC), force=force, prune=prune, ahead=keys_ahead_of_vault(workspace.root))
    refuse_wrong_profiles(workspace, ready.order.states)
    outcomes: list[Outcome] = []
    rendered: list[Outcome] = []
    counts: Counter[str] = Counter()
    with opened_dist(ready.dist) as dist, ExitStack() as stack:
        progress = _progress(run, stack)
        for outcome in build(ready.order, dist, ready.signing_key, progress):
            counts[outcome.status] += 1
            if outcome.key_fingerprint != outcome.key_before and outcome.status in _MADE:
                rendered.append(outcome)
            if format_ == "json" or outcome.status not in _SILENT:
                outcomes.append(outcome)
    _record(workspace, rendered, datetime.now(UTC))
    failed = [o for o in outcomes if o.status == "failed"]
    for outcome in failed:
        run.say(f"{outcome.user}: {outcome.message}" + (f" ({outcome.hint})" if outcome.hint else ""))
    run.result(_json(outcomes, counts) if format_ == "json" else _table(outcomes, counts), output)
    if failed:
        raise typer.Exit(Exit.PARTIAL)


def _record(workspace: Workspace, rendered: list[Outcome], now: datetime) -> None:
    """Say in the event log which keys are now in a bundle for the first time."""
    from provision.keys.events.log import Event, append, log_of, operator

    events = (
        Event(now, operator(), "key rendered", o.user, o.key_fingerprint, {"bundle": o.generation, "command": "render"})
        for o in rendered
    )
    append(log_of(workspace.vault), events)


def _progress(run: Run, stack: ExitStack) -> Progress:
    """A bar on a terminal, a line per thousand users elsewhere, nothing with --quiet."""
    if run.quiet:
        return lambda _done, _of, _outcome: None
    if not sys.stderr.isatty():

        def line(done: int, of: int, _outcome: Outcome) -> None:
            if done % 1000 == 0:
                run.say(f"{done} of {of} users")

        return line
    from rich.console import Console
    from rich.progress import Progress as Bar

    bar = stack.enter_context(Bar(console=Console(stderr=True), transient=True))
    task = bar.add_task("bundles", total=None)

    def step(done: int, of: int, _outcome: Outcome) -> None:
        bar.update(task, completed=done, total=of)

    return step


def _table(outcomes: list[Outcome], counts: Counter[str]) -> str:
    from provision.report.terminal import table

    shown = sorted(outcomes, key=lambda o: o.user)
    rows = [(o.user, o.status, o.profile, o.key_fingerprint, o.generation or "", o.message) for o in shown]
    summary = ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "no users"
    return (table(("USER", "STATUS", "PROFILE", "KEY", "GENERATION", "REMARK"), rows) if rows else "") + summary + "\n"


def _json(outcomes: list[Outcome], counts: Counter[str]) -> str:
    from provision.report.document import document

    def user(o: Outcome) -> dict[str, Any]:
        more = {"message": o.message, "hint": o.hint} if o.message else {}
        key = o.key_fingerprint or None
        return {
            "user": o.user,
            "status": o.status,
            "profile": o.profile,
            "generation": o.generation,
            "key": key,
            **more,
        }

    shown = sorted(outcomes, key=lambda o: o.user)
    return document("render/v1", summary=dict(sorted(counts.items())), users=[user(o) for o in shown])
