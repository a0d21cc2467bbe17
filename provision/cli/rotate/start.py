"""`rotate start`, `status`, `resume`: new keys for many users, step by step. Leaks, going back and ending: `rotate_more`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Forks, Limit, Output
from provision.cli.rotate.common import (
    Deploy,
    Format,
    Formatted,
    From,
    Name,
    Probes,
    Receipts,
    TakeOver,
    at_work,
    end,
    new_keys,
    probes_of,
    rotate_app,
    show,
    status_of,
    vault_as_seen_here,
)
from provision.errors import Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.keys.import_file import NewKey
    from provision.rotate.context import RotationContext
    from provision.rotate.model import Blocker, Terms
    from provision.rotate.planning import RotationPlan
    from provision.rotate.rotation import Rotation


@rotate_app.command("start")
def start(
    ctx: typer.Context,
    from_: From = None,
    key_command: Annotated[
        str | None, typer.Option("--key-command", metavar="CMD", help="Prints the new key of {user}; no shell.")
    ] = None,
    limit: Limit = None,
    waves: Annotated[str, typer.Option("--waves", help="How many at a time: numbers or percentages.")] = "1,10%,100%",
    max_failures: Annotated[int, typer.Option("--max-failures", min=0, help="Halt when more than this fail.")] = 0,
    probe: Probes = "key,models",
    deploy: Deploy = False,
    confirm_within: Annotated[
        str, typer.Option("--confirm-within", metavar="7d", help="An endpoint silent for longer counts as a failure.")
    ] = "7d",
    idle_for: Annotated[
        str, typer.Option("--idle-for", metavar="1h", help="How long an old key must go unused before it is listed.")
    ] = "1h",
    receipts: Receipts = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether to begin.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only judge the keys and show the plan.")] = False,
    forks: Forks = 10,
    take_over: TakeOver = False,
    format_: Formatted = Format.TABLE,
    output: Output = None,
) -> None:
    """Begin a rotation: plan, then the first wave.

    The new keys are judged, the plan is shown, and the first wave goes as far as it can now. Waves follow the
    order of the keys. Nothing is revoked: the keys to revoke are listed when their successors are confirmed.
    """
    from provision.rotate.delivery import import_receipts
    from provision.rotate.runner import run_pass, seal_new_keys
    from provision.rotate.start import create_rotation, open_rotation, resume_unstarted

    run: Run = ctx.obj
    with at_work(run, "rotate start", take_over=take_over, forks=forks) as site:
        keys = new_keys(run, site, from_, key_command, limit)
        rotations = list(site.store.unfinished())
        rotation = resume_unstarted(site, rotations, keys)
        if rotation is None:
            terms = _terms(
                site, site.clock(), waves, max_failures, probes_of(probe), (confirm_within, idle_for), deploy=deploy
            )
            plan = _plan(site, keys, terms)
            if dry_run:
                _show_plan(run, plan, format_, output)
                return
            _agree(run, plan, terms, yes=yes)
            rotation = create_rotation(site, plan.people, terms)
        elif dry_run:
            run.say(f"rotation {rotation.id} was begun with these keys; without --dry-run it would go on")
            show([status_of(site, rotation, ())], format_, output)
            return
        else:
            run.say(f"rotation {rotation.id} was begun with these keys; it goes on")
        refused = import_receipts(site, receipts or ())
        with open_rotation(site, rotation) as book:
            seal_new_keys(book, {new.user: new for new in keys})
            run_pass(book)
            doubts = tuple(book.unsure)
        end(run, site, [(rotation, doubts)], format_, output, refused=refused)


@rotate_app.command("resume")
def resume(
    ctx: typer.Context,
    name: Name = None,
    from_: From = None,
    receipts: Receipts = None,
    max_failures: Annotated[
        int | None, typer.Option("--max-failures", min=0, help="From now on, halt when more than this fail.")
    ] = None,
    go_on: Annotated[bool, typer.Option("--go-on", help="Go forward again after a rollback of everybody.")] = False,
    forks: Forks = 10,
    take_over: TakeOver = False,
    format_: Formatted = Format.TABLE,
    output: Output = None,
) -> None:
    """Take every rotation as far as it can go now.

    Run it as often as you like, also from cron.
    Exit 0 when all is well, however much is still to come; 4 when something could not be told; 10 when somebody failed.
    """
    from provision.rotate.delivery import import_receipts
    from provision.rotate.model import stamp
    from provision.rotate.runner import run_pass, seal_new_keys
    from provision.rotate.start import add_new_keys, open_rotation

    run: Run = ctx.obj
    with at_work(run, "rotate resume", take_over=take_over, forks=forks) as site:
        single = name is not None or max_failures is not None or go_on or from_ is not None
        rotations = (
            [site.store.the_one(name)] if single else list(site.store.unfinished()) or [site.store.the_one(None)]
        )
        refused = import_receipts(site, receipts or ())
        keys = new_keys(run, site, from_, None, None) if from_ else []
        done: list[tuple[Rotation, tuple[Blocker, ...]]] = []
        for rotation in rotations:
            with open_rotation(site, rotation) as book:
                if max_failures is not None or go_on:
                    budget = rotation.budget if max_failures is None else max_failures
                    book.write([{"at": stamp(book.now()), "budget": budget}])
                if keys:
                    add_new_keys(book, keys)
                seal_new_keys(book, {})
                run_pass(book)
                done.append((rotation, tuple(book.unsure)))
        end(run, site, done, format_, output, refused=refused)


@rotate_app.command("status")
def status(
    ctx: typer.Context,
    name: Name = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Every user, and rotations that have ended.")] = False,
    format_: Formatted = Format.TABLE,
    output: Output = None,
) -> None:
    """Show where everybody stands; asks nobody.

    Per wave and state, what waits for whom, what is in the way, what to revoke. Needs no identity: without one that
    opens the vault, keys to revoke are named by label and fingerprint. Exit 10 when somebody failed or a rotation
    is halted.
    """
    from datetime import UTC, datetime

    from provision.errors import NothingMatchedError
    from provision.report.rotation import RotationView
    from provision.rotate.revoke_list import to_revoke
    from provision.rotate.store import RotationStore

    run: Run = ctx.obj
    workspace = run.open_workspace()
    store = RotationStore(workspace.root)
    if name is not None:
        rotations = [store.the_one(name)]
    elif all_:
        read = (store.read(each) for each in store.names())
        rotations = [rotation for rotation in read if rotation is not None and rotation.begun]
    else:
        rotations = list(store.unfinished())
    if not rotations:
        raise NothingMatchedError("no rotation is under way", hint="provision rotate start begins one")
    vault, now = vault_as_seen_here(run, workspace), datetime.now(UTC)
    show(
        [RotationView(each, now, tuple(to_revoke(each, vault))) for each in rotations], format_, output, everybody=all_
    )
    failed = any(rotation.failures for rotation in rotations if rotation.ended is None)
    raise typer.Exit(Exit.FINDINGS if failed else Exit.OK)


def _terms(
    site: RotationContext,
    now: datetime,
    waves: str,
    max_failures: int,
    probes: tuple[str, ...],
    spans: tuple[str, str],
    *,
    deploy: bool,
) -> Terms:
    from provision.cli.options import parse_duration
    from provision.push.waves import parse_waves
    from provision.rotate.model import RotationKind, Terms

    within, idle = (
        0 if text == "0" else int(parse_duration(text, option).total_seconds())
        for text, option in zip(spans, ("--confirm-within", "--idle-for"), strict=True)
    )
    return Terms(
        id=site.store.new_name(now),
        kind=RotationKind.SCHEDULED,
        who=site.who,
        at=now,
        vault=site.vault.vault_id,
        waves=parse_waves(waves),
        probes=probes,
        deploy=deploy,
        max_failures=max_failures,
        confirm_within_s=within,
        idle_for_s=idle,
    )


def _plan(site: RotationContext, keys: Sequence[NewKey], terms: Terms) -> RotationPlan:
    from provision.cli.workspace.validation import refuse_wrong_profiles
    from provision.rotate.planning import PlanInputs, plan
    from provision.rotate.store import busy_with

    known = PlanInputs(site.vault, site.states, busy_with(list(site.store.unfinished())))
    found = plan(keys, known, terms.waves, terms.at)
    refuse_wrong_profiles(site.workspace, [site.states[person.user] for person in found.people])
    return found


def _show_plan(run: Run, plan: RotationPlan, format_: Format, output: Path | None) -> None:
    from provision.report.rotation import plan_json, plan_lines, plan_table

    for line in plan_lines(plan, ("100%",)):
        run.say(line)
    run.result(plan_json(plan) if format_ is Format.JSON else plan_table(plan), output)


def _agree(run: Run, plan: RotationPlan, terms: Terms, *, yes: bool) -> None:
    """Show what is about to happen, and ask once."""
    from provision.report.rotation import plan_lines

    for line in plan_lines(plan, terms.waves):
        run.say(line)
    calls = len(plan.people) if "chat" in terms.probes else 0
    paid = f", with {calls:,} paid calls of a few tokens each" if calls else ""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this would rotate {len(plan.people):,} keys{paid}", hint="add --yes to agree, or --dry-run")
    typer.confirm(f"rotate {len(plan.people):,} keys{paid}?", abort=True, err=True)
