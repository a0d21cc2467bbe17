"""`provision validate`: every user's key, model, base URL and API mode against the gateway, as one batch."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output, format_option
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from provision.aisa.answers import Probe
    from provision.aisa.batch import BatchOutcome, BatchPlan
    from provision.aisa.catalogue import Catalogue
    from provision.aisa.journal import ValidationJournal
    from provision.aisa.results import Subject, ValidationResult
    from provision.aisa.verdicts import Verdict
    from provision.fleet.workspace import Workspace
    from provision.report.validation import ValidationReport


@app.command("validate")
def validate(
    ctx: typer.Context,
    limit: Limit = None,
    probe: Annotated[
        str | None,
        typer.Option("--probe", help="key, models, chat, comma-separated; chat is paid. Default: key,models."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before paid calls.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last run that broke off.")] = False,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", help="Verdicts that end with 10, or none. Default: all but ok and cannot-tell."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, max=1000, help="Requests at a time.")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, help="Requests a second, all together.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List every user, also the good ones.")] = False,
    format_: Annotated[Format, format_option(Format.TABLE, Format.JSON, Format.JUNIT, Format.HTML)] = Format.TABLE,
    output: Output = None,
) -> None:
    """Validate every user's key and model against the gateway.

    Is the key good, the model served, the base URL and API mode right?

    Ends with 0 when all is well, 10 when verdicts of --fail-on were given, 4 when some users could not be judged.
    """
    from datetime import UTC, datetime

    from provision.aisa.batch import BatchPlan
    from provision.cli.workspace.gateway import open_catalogue, open_keys, subjects
    from provision.files import locked
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet

    run: Run = ctx.obj
    wanted, failing = _probes(probe), _failing(fail_on)
    workspace = run.open_workspace()
    fleet = load_fleet(workspace)
    fleet.require_valid()
    states = select_users(fleet.states, limit)
    now = datetime.now(UTC)
    catalogue = open_catalogue(workspace)
    keys, salt = open_keys(workspace, now.date())
    users = subjects(states, keys, salt, workspace.settings.gateway_hosts)
    folder = _folder(workspace)
    started = now.isoformat(timespec="seconds")
    with locked(folder / "validate.lock", "validating"):
        if not resume:
            _confirm(users, wanted or (), yes=yes)
        journal = _journal(run, folder / "validate.jsonl", wanted, started, resume=resume)
        plan = BatchPlan(journal.probes, concurrency or workspace.settings.concurrency, rate or workspace.settings.rate)
        complete = False
        try:
            with _observed(run, len(users)) as observe:
                outcome = _ask(workspace, users, plan, journal, catalogue, observe)
            complete = not outcome.not_asked
            report = _report(journal, outcome, users, started, catalogue.as_of)
            _print(report, format_, output, everything=everything)
        finally:
            journal.close(complete=complete)
    if output:
        run.say(f"wrote {output}")
    raise typer.Exit(_exit(report, failing))


def _probes(text: str | None) -> tuple[Probe, ...] | None:
    """The probes that were asked for, in the order in which they are made."""
    from provision.aisa.answers import Probe

    if text is None:
        return None
    words = {word.strip() for word in text.split(",") if word.strip()}
    unknown = words - {p.value for p in Probe}
    if unknown or not words:
        raise UsageError(f"--probe {text} is not understood", hint="key, models, chat, comma-separated")
    return tuple(p for p in Probe if p.value in words)


def _failing(text: str | None) -> frozenset[Verdict]:
    """The verdicts that end with 10."""
    from provision.aisa.verdicts import INCONCLUSIVE, Verdict

    if text is None:
        return frozenset(Verdict) - INCONCLUSIVE - {Verdict.OK}
    words = {word.strip() for word in text.split(",") if word.strip()} - {"none"}
    unknown = sorted(words - {v.value for v in Verdict})
    if unknown:
        raise UsageError(f"--fail-on: {', '.join(unknown)} is no verdict", hint=f"none, or {', '.join(Verdict)}")
    return frozenset(Verdict(word) for word in words)


def _folder(workspace: Workspace) -> Path:
    """Where runs are remembered; git does not see it."""
    from provision.files import write_atomic

    folder = workspace.root / ".provision"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / ".gitignore").exists():
        write_atomic(folder / ".gitignore", b"*\n", mode=0o644, durable=False)
    return folder


def _journal(
    run: Run, path: Path, probes: tuple[Probe, ...] | None, started: str, *, resume: bool
) -> ValidationJournal:
    from provision.aisa.answers import Probe
    from provision.aisa.journal import ValidationJournal

    if not resume:
        return ValidationJournal.create(path, probes or (Probe.KEY, Probe.MODELS), started)
    journal = ValidationJournal.resume(path)
    if probes is not None and probes != journal.probes:
        journal.close()
        asked = ",".join(journal.probes)
        raise UsageError(
            f"the run that broke off was asking {asked}", hint="leave --probe out, or run without --resume"
        )
    if journal.complete:
        run.say("the last run was complete; only what has changed since is asked")
    return journal


def _confirm(users: Sequence[Subject], probes: tuple[Probe, ...], *, yes: bool) -> None:
    """Say how many paid calls will be made, and ask once; a resumed run was asked about when it began."""
    from provision.aisa.batch import paid_calls

    calls = paid_calls(users, probes)
    if not calls or yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"--probe chat would make {calls:,} paid calls", hint="add --yes to agree")
    typer.confirm(f"--probe chat makes {calls:,} paid calls of a few tokens each. Go on?", abort=True, err=True)


@contextlib.contextmanager
def _observed(run: Run, total: int) -> Iterator[Callable[[ValidationResult], None]]:
    """Progress on stderr; with --verbose also a line for everyone who is not ok."""
    from provision.aisa.verdicts import Verdict
    from provision.report.progress import Progress

    if run.quiet:
        yield lambda _: None
        return
    progress = Progress("validate", total, sys.stderr, time.monotonic)

    def observe(result: ValidationResult) -> None:
        if run.verbose and result.verdict is not Verdict.OK:
            progress.say(f"{result.user}: {result.verdict}: {result.advice}")
        progress.step(result.verdict.value)

    try:
        yield observe
    finally:
        progress.close()


def _ask(
    workspace: Workspace,
    users: Sequence[Subject],
    plan: BatchPlan,
    journal: ValidationJournal,
    catalogue: Catalogue,
    observe: Callable[[ValidationResult], None],
) -> BatchOutcome:
    import asyncio
    import random

    from provision.aisa.batch import Batch
    from provision.aisa.client import Client
    from provision.cli.workspace.gateway import network

    async def batch() -> BatchOutcome:
        hosts, net = workspace.settings.gateway_hosts, network(workspace)
        async with Client(hosts, concurrency=plan.concurrency, network=net) as client:
            run = Batch(client, plan, catalogue=catalogue, journal=journal, chance=random.random, observe=observe)
            return await run.run(users)

    return asyncio.run(batch())


def _report(
    journal: ValidationJournal, outcome: BatchOutcome, users: Sequence[Subject], started: str, as_of: str
) -> ValidationReport:
    from provision.report.validation import ValidationReport, count_verdicts

    def not_asked() -> Iterator[str]:
        return (users[index].user for index in journal.unasked())

    probes = tuple(p.value for p in journal.probes)
    return ValidationReport(
        outcome, journal.results, not_asked, started, probes, count_verdicts(journal.results()), as_of
    )


def _print(report: ValidationReport, format_: Format, output: Path | None, *, everything: bool) -> None:
    from provision.report import validation
    from provision.report.output import write_output

    match format_:
        case Format.JSON:
            write_output(validation.as_json(report), output)
        case Format.JUNIT:
            write_output(validation.as_junit(report), output)
        case Format.HTML:
            write_output(validation.as_html(report), output)
        case Format.TABLE:
            write_output(validation.as_table(report, everything=everything), output)


def _exit(report: ValidationReport, failing: frozenset[Verdict]) -> Exit:
    """4 for a run that did not get through, 10 for verdicts that count as failures, 4 for doubts, 0 otherwise."""
    from provision.aisa.verdicts import INCONCLUSIVE

    if report.outcome.not_asked or report.outcome.network_at_fault:
        return Exit.PARTIAL
    if any(report.counts[v] for v in failing):
        return Exit.FINDINGS
    return Exit.PARTIAL if any(report.counts[v] for v in INCONCLUSIVE) else Exit.OK
