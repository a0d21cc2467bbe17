"""`rotate start`, `status`, `resume`: new keys for many users, step by step. Leaks, going back and ending: `rotate_more`."""

from __future__ import annotations

import contextlib
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Limit, Output, Run
from provision.errors import Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.keys.intake import NewKey
    from provision.report.rotation import Status
    from provision.rotate.people import Terms, Trouble
    from provision.rotate.planning import Plan
    from provision.rotate.rotation import Rotation
    from provision.rotate.site import Site

rotate_app = typer.Typer(help="Replace keys in bulk: no outage, every step proved.", no_args_is_help=True)
app.add_typer(rotate_app, name="rotate")


class Format(StrEnum):
    """How a rotation is shown."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


Formatted = Annotated[Format, typer.Option("--format", "-f", help="How to print where everybody stands.")]
Name = Annotated[str | None, typer.Argument(metavar="[ROTATION]", help="Its id; needed when several are under way.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="FILE|-", help="New keys: CSV or JSON, user,new_key[,label].")
]
Probes = Annotated[
    str, typer.Option("--probe", help="What must hold for a new key: key, models, chat (paid), comma-separated.")
]
Deploy = Annotated[bool, typer.Option("--deploy", help="Push bundles through Ansible; else they wait in dist/.")]
Receipts = Annotated[
    list[str] | None,
    typer.Option("--receipts", metavar="FILE|DIR", help="Take in receipts from here first, such as a drop folder."),
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Set aside the note of somebody who was at work on another machine.")
]


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
    take_over: TakeOver = False,
    format_: Formatted = Format.TABLE,
    output: Output = None,
) -> None:
    """Begin a rotation: plan, then the first wave.

    The new keys are judged, the plan is shown, and the first wave goes as far as it can now. Waves follow the
    order of the keys. Nothing is revoked: the keys to revoke are listed when their successors are confirmed.
    """
    from provision.rotate.beginning import begin, opened, taken_up
    from provision.rotate.delivery import collect
    from provision.rotate.driver import run_pass, seal

    run: Run = ctx.obj
    with at_work(run, "rotate start", take_over=take_over) as site:
        keys = _new_keys(run, site, from_, key_command, limit)
        rotations = list(site.store.unfinished())
        rotation = taken_up(site, rotations, keys)
        if rotation is None:
            terms = _terms(
                site, site.clock(), waves, max_failures, _probes(probe), (confirm_within, idle_for), deploy=deploy
            )
            plan = _plan(site, keys, terms)
            if dry_run:
                _show_plan(run, plan, format_, output)
                return
            _agree(run, plan, terms, yes=yes)
            rotation = begin(site, plan.people, terms)
        else:
            run.say(f"rotation {rotation.id} was begun with these keys; it goes on")
        refused = collect(site, receipts or ())
        with opened(site, rotation) as book:
            seal(book, {new.user: new for new in keys})
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
    take_over: TakeOver = False,
    format_: Formatted = Format.TABLE,
    output: Output = None,
) -> None:
    """Take every rotation as far as it can go now.

    Run it as often as you like, also from cron.
    Exit 0 when all is well, however much is still to come; 4 when something could not be told; 10 when somebody failed.
    """
    from provision.rotate.beginning import opened, provide
    from provision.rotate.delivery import collect
    from provision.rotate.driver import run_pass, seal

    run: Run = ctx.obj
    with at_work(run, "rotate resume", take_over=take_over) as site:
        single = name is not None or max_failures is not None or go_on or from_ is not None
        rotations = (
            [site.store.the_one(name)] if single else list(site.store.unfinished()) or [site.store.the_one(None)]
        )
        refused = collect(site, receipts or ())
        keys = _new_keys(run, site, from_, None, None) if from_ else []
        done: list[tuple[Rotation, tuple[Trouble, ...]]] = []
        for rotation in rotations:
            with opened(site, rotation) as book:
                if max_failures is not None or go_on:
                    budget = rotation.budget if max_failures is None else max_failures
                    book.write([{"at": _stamp(book.now()), "budget": budget}])
                if keys:
                    provide(book, keys)
                seal(book, {})
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

    Per wave and state, what waits for whom, what is in the way, what to revoke. Exit 10 when somebody failed or
    a rotation is halted.
    """
    from provision.errors import NothingMatchedError
    from provision.rotate.listing import exit_of

    run: Run = ctx.obj
    site = open_site(run)
    if name is not None:
        rotations = [site.store.the_one(name)]
    elif all_:
        read = (site.store.read(each) for each in site.store.names())
        rotations = [rotation for rotation in read if rotation is not None and rotation.begun]
    else:
        rotations = list(site.store.unfinished())
    if not rotations:
        raise NothingMatchedError("no rotation is under way", hint="provision rotate start begins one")
    statuses = [status_of(site, rotation, ()) for rotation in rotations]
    show(statuses, format_, output, everybody=all_)
    code = exit_of([rotation for rotation in rotations if rotation.ended is None], ())
    raise typer.Exit(Exit.FINDINGS if code is Exit.FINDINGS else Exit.OK)


@contextlib.contextmanager
def at_work(run: Run, doing: str, *, take_over: bool = False) -> Iterator[Site]:
    """The workspace, with the lock of those who rotate, and what a crash left mended."""
    site = open_site(run)
    with site.store.locked(doing, site.clock(), take_over=take_over) as remark:
        if remark:
            run.say(remark)
        site.store.sweep()
        yield site


def open_site(run: Run) -> Site:
    """Everything a rotation works with. Raises InvalidFilesError when the fleet's files have errors."""
    import random
    from datetime import UTC, datetime

    from provision.cli.gateway import network, open_catalogue
    from provision.fleet.load import load_fleet
    from provision.keys.age import load_identities
    from provision.keys.events import operator
    from provision.rotate.asking import Reach
    from provision.rotate.site import Site
    from provision.rotate.store import Store

    workspace = run.open_workspace()
    fleet = load_fleet(workspace)
    fleet.require_valid()
    settings = workspace.settings
    return Site(
        workspace=workspace,
        store=Store(workspace.root),
        states={state.user: state for state in fleet.states},
        identities=load_identities(workspace.identity),
        reach=Reach(
            settings.gateway_hosts, network(workspace), open_catalogue(workspace), settings.concurrency, random.random
        ),
        clock=lambda: datetime.now(UTC),
        environ=os.environ,
        who=operator(),
        say=run.say,
    )


def end(
    run: Run,
    site: Site,
    done: Sequence[tuple[Rotation, tuple[Trouble, ...]]],
    format_: Format,
    output: Path | None,
    *,
    refused: int = 0,
) -> None:
    """Show how a pass ended, and leave with its code."""
    from provision.rotate.listing import exit_of

    show([status_of(site, rotation, doubts) for rotation, doubts in done], format_, output)
    if output:
        run.say(f"wrote {output}")
    code = exit_of([rotation for rotation, _ in done], (doubt for _, doubts in done for doubt in doubts))
    raise typer.Exit(Exit.PARTIAL if refused and code is Exit.OK else code)


def status_of(site: Site, rotation: Rotation, doubts: tuple[Trouble, ...]) -> Status:
    """A rotation now, with the keys to revoke."""
    from provision.report.rotation import Status
    from provision.rotate.listing import to_revoke

    return Status(rotation, site.clock(), tuple(to_revoke(rotation, site.vault)), doubts)


def show(statuses: Sequence[Status], format_: Format, output: Path | None, *, everybody: bool = False) -> None:
    """Print where everybody stands."""
    from provision.report import rotation as report
    from provision.report.sink import pour

    match format_:
        case Format.JSON:
            pour([report.status_json(statuses)], output)
        case Format.HTML:
            pour(report.status_html(statuses), output)
        case Format.TABLE:
            pour(("\n".join(report.status_text(each, everybody=everybody) for each in statuses),), output)


def _new_keys(
    run: Run, site: Site, from_: str | None, key_command: str | None, limit: list[str] | None
) -> Sequence[NewKey]:
    """The new keys that were brought. Raises RefusedKeysError for what is wrong with the file."""
    from provision.cli.keys_import import _bytes as bytes_of
    from provision.errors import Severity
    from provision.fleet.limit import select
    from provision.keys.intake import read_keys
    from provision.rotate.planning import refuse

    if (from_ is None) == (key_command is None):
        raise UsageError(
            "say either --from FILE or --key-command CMD", hint="the file holds lines of user,new_key[,label]"
        )
    states = select(list(site.states.values()), limit)
    if key_command is not None:
        return _commanded(site, key_command, [state.user for state in states])
    intake = read_keys(bytes_of(str(from_)), "standard input" if from_ == "-" else str(from_))
    refuse(intake.problems)
    for problem in intake.problems[:20]:
        if problem.severity is not Severity.ERROR:
            run.say(str(problem))
    if not limit:
        return intake.keys
    chosen = {state.user for state in states}
    return [new for new in intake.keys if new.user in chosen]


def _commanded(site: Site, command: str, users: Sequence[str]) -> Sequence[NewKey]:
    """The key that the command prints for each user, several at a time."""
    import shlex
    from concurrent.futures import ThreadPoolExecutor

    from provision.errors import Place
    from provision.keys.command import run_key_command
    from provision.keys.intake import NewKey

    words, timeout_s = shlex.split(command), site.workspace.settings.key_command_timeout_s

    def of(user: str) -> NewKey:
        return NewKey(user, run_key_command(words, user, timeout_s), "", Place("--key-command"))

    with ThreadPoolExecutor(site.reach.concurrency) as pool:
        return list(pool.map(of, users))


def _terms(
    site: Site,
    now: datetime,
    waves: str,
    max_failures: int,
    probes: tuple[str, ...],
    spans: tuple[str, str],
    *,
    deploy: bool,
) -> Terms:
    from provision.cli.status_fleet import parse_span
    from provision.deploy.waves import parse_waves
    from provision.rotate.people import Kind, Terms

    within, idle = (
        0 if text == "0" else int(parse_span(text, option).total_seconds())
        for text, option in zip(spans, ("--confirm-within", "--idle-for"), strict=True)
    )
    return Terms(
        id=site.store.new_name(now),
        kind=Kind.SCHEDULED,
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


def _probes(text: str) -> tuple[str, ...]:
    from provision.aisa.answers import Probe

    words = {word.strip() for word in text.split(",")}
    if words - {p.value for p in Probe} or not words:
        raise UsageError(f"--probe {text} is not understood", hint="key, models, chat, comma-separated")
    return tuple(p.value for p in Probe if p.value in words | {"key"})


def _plan(site: Site, keys: Sequence[NewKey], terms: Terms) -> Plan:
    from provision.cli.judgement import refuse_wrong_profiles
    from provision.rotate.planning import Known, plan
    from provision.rotate.store import busy_with

    known = Known(site.vault, site.states, busy_with(list(site.store.unfinished())))
    found = plan(keys, known, terms.waves, terms.at)
    refuse_wrong_profiles(site.workspace, [site.states[person.user] for person in found.people])
    return found


def _show_plan(run: Run, plan: Plan, format_: Format, output: Path | None) -> None:
    from provision.report.rotation import plan_json, plan_lines, plan_table

    for line in plan_lines(plan, ("100%",)):
        run.say(line)
    run.result(plan_json(plan) if format_ is Format.JSON else plan_table(plan), output)


def _agree(run: Run, plan: Plan, terms: Terms, *, yes: bool) -> None:
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


def _stamp(now: datetime) -> str:
    from provision.rotate.people import stamp

    return stamp(now)
