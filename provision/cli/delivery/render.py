"""`provision render`: build dist/, a signed and sealed bundle per user."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output, TableOrJson
from provision.errors import Exit
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from provision.bundle.render import RenderOutcome, RenderProgress
    from provision.fleet.workspace import Workspace
    from provision.report.progress import Progress

_BUILT = {"new", "changed", "renewed"}
_USER_BYTES = 100  # the least that a user takes in an inventory


@app.command("render")
def render(
    ctx: typer.Context,
    limit: Limit = None,
    force: Annotated[bool, typer.Option("--force", help="Rebuild every bundle, changed or not.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove bundles of users who left the inventory.")] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Build a signed, encrypted bundle per user in dist/.

    Only what changed is rebuilt. Exits with 4 if some bundles could not be built.
    """
    from provision.report import render as report

    run: Run = ctx.obj
    last = run.last_render() if limit is None and not force else None
    if last and format_ is Format.TABLE and (users := last.unchanged_users(time.time())) is not None:
        run.result(report.as_table((), Counter(unchanged=users)), output)
        return
    from datetime import UTC, datetime

    from provision.bundle.prepare import place_chain, prepare_render
    from provision.bundle.render import opened_dist, render_bundles
    from provision.cli.approvals import review_recipients
    from provision.cli.delivery.last_render import named_files, note_unchanged
    from provision.cli.workspace.checks import require_valid_profiles
    from provision.files import sweep_once
    from provision.keys.vault.file import read_newest_vault
    from provision.rotate.store import keys_ahead_of_vault

    workspace = run.open_workspace()
    if last:
        last.begin(workspace.dist, named_files(workspace))
    _start_workers(workspace)
    sweep_once(workspace.vault.parent)  # what a killed render left there; this one may write only into dist/
    remarks = read_newest_vault(workspace.vault)[1]
    for remark in remarks:
        run.say(remark)
    ahead = keys_ahead_of_vault(workspace.root)
    ready = prepare_render(workspace, limit, datetime.now(UTC), force=force, prune=prune, ahead=ahead)
    require_valid_profiles(workspace, ready.options.states)
    ready = ready.with_approved(review_recipients(run.say, workspace, ready.everyone, ready.approved))
    listed: list[RenderOutcome] = []
    current: dict[str, tuple[bytes, int]] = {}
    new_keys: list[RenderOutcome] = []
    counts: Counter[str] = Counter()
    with opened_dist(ready.dist) as dist, _progress(run) as progress:
        place_chain(ready.dist, ready.trusted)
        for outcome in render_bundles(ready.options, dist, ready.signing_key, progress):
            counts[outcome.status] += 1
            if outcome.content:
                current[outcome.user] = outcome.content, outcome.expires
            if outcome.key_fingerprint != outcome.key_before and outcome.status in _BUILT:
                new_keys.append(outcome)
            if format_ is Format.JSON or outcome.status != "unchanged":
                listed.append(outcome)
    record_new_keys(workspace, new_keys, datetime.now(UTC))
    if last and counts.keys() <= {"unchanged", *_BUILT} and not remarks:
        note_unchanged(last, workspace, ready, current)
    for outcome in listed:
        if outcome.status == "failed":
            run.say(f"{outcome.user}: {outcome.message}" + (f" ({outcome.hint})" if outcome.hint else ""))
    run.result((report.as_json if format_ is Format.JSON else report.as_table)(listed, counts), output)
    if counts["failed"]:
        raise typer.Exit(Exit.PARTIAL)


def record_new_keys(workspace: Workspace, new_keys: list[RenderOutcome], now: datetime) -> None:
    """Write to the event log which keys are in a bundle for the first time."""
    from provision.keys.events.log import Event, append, log_path, operator

    events = (
        Event(now, operator(), "key rendered", o.user, o.key_fingerprint, {"bundle": o.generation, "command": "render"})
        for o in new_keys
    )
    append(log_path(workspace.vault), events)


def _start_workers(workspace: Workspace) -> None:
    """Start what makes bundles early, if there may be many."""
    from provision.bundle.workers import SMALL, start_fork_server

    if workspace.inventory.is_file() and workspace.inventory.stat().st_size > SMALL * _USER_BYTES:
        start_fork_server()


@contextmanager
def _progress(run: Run) -> Iterator[RenderProgress]:
    """The progress of all long runs, removed at the end; nothing with --quiet."""
    from provision.report.progress import Progress

    shown: list[Progress] = []

    def step(_done: int, of: int, outcome: RenderOutcome) -> None:
        if not shown:
            shown.append(Progress("render", of, sys.stderr, time.monotonic))
        shown[0].step(outcome.status, current=outcome.user)

    try:
        yield (lambda _done, _of, _outcome: None) if run.quiet else step
    finally:
        for progress in shown:
            progress.clear()
