"""`provision validate`: check every user's key, model, base URL and API mode against the gateway, as one batch."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output, format_option, parse_probes
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
        typer.Option("--probe", help="Checks to make: key, models, chat (paid), comma-separated. Default: key,models."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Make paid calls without asking for confirmation.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the last run that was interrupted.")] = False,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on", help="Verdicts that make the exit code 10, or none. Default: all but ok and inconclusive ones."
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, max=1000, help="Number of parallel requests.")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, help="Requests per second, in total.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List every user, also those that are ok.")] = False,
    format_: Annotated[Format, format_option(Format.TABLE, Format.JSON, Format.JUNIT, Format.HTML)] = Format.TABLE,
    output: Output = None,
) -> None:
    """Validate every user's key and model against the gateway.

    Checks for every user: the key is valid, the model is served, base URL and API mode are right.

    Exits with 0 when all users are ok, with 10 when a user has a verdict of --fail-on, with 4 when a result is unknown.
    """
    from datetime import UTC, datetime

    from provision.aisa.batch import BatchPlan
    from provision.cli.workspace.gateway import build_subjects, open_catalogue, open_keys
    from provision.files import locked
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet

    run: Run = ctx.obj
    probes, failing = parse_probes(probe) if probe is not None else None, failing_verdicts(fail_on)
    workspace = run.open_workspace()
    fleet = load_fleet(workspace)
    fleet.require_valid()
    states = select_users(fleet.states, limit)
    now = datetime.now(UTC)
    catalogue = open_catalogue(workspace)
    keys, salt = open_keys(workspace, now.date())
    users = build_subjects(states, keys, salt, workspace.settings.gateway_hosts)
    folder = journal_folder(workspace)
    started = now.isoformat(timespec="seconds")
    with locked(folder / "validate.lock", "validating"):
        if not resume:
            _confirm(users, probes or (), yes=yes)
        journal = _journal(run, folder / "validate.jsonl", probes, started, resume=resume)
        plan = BatchPlan(journal.probes, concurrency or workspace.settings.concurrency, rate or workspace.settings.rate)
        complete = False
        try:
            with batch_progress(run, "validate", len(users)) as observe:
                outcome = run_batch(workspace, users, plan, journal, catalogue, observe)
            complete = not outcome.not_asked
            report = _report(journal, outcome, users, started, catalogue.as_of)
            _print(report, format_, output, everything=everything)
        finally:
            journal.close(complete=complete)
    if output:
        run.say(f"wrote {output}")
    raise typer.Exit(validation_exit_code(report, failing))


def failing_verdicts(text: str | None) -> frozenset[Verdict]:
    """The verdicts that make the exit code 10."""
    from provision.aisa.verdicts import INCONCLUSIVE, Verdict

    if text is None:
        return frozenset(Verdict) - INCONCLUSIVE - {Verdict.OK}
    words = {word.strip() for word in text.split(",") if word.strip()} - {"none"}
    unknown = sorted(words - {v.value for v in Verdict})
    if unknown:
        raise UsageError(
            f"invalid verdict {', '.join(unknown)} for --fail-on", hint=f"use none, or: {', '.join(Verdict)}"
        )
    return frozenset(Verdict(word) for word in words)


def journal_folder(workspace: Workspace) -> Path:
    """The folder for journals of runs; git ignores it."""
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
        raise UsageError(f"the interrupted run used --probe {asked}", hint="omit --probe, or run without --resume")
    if journal.complete:
        run.say("the last run was complete; validating only what has changed since")
    return journal


def _confirm(users: Sequence[Subject], probes: tuple[Probe, ...], *, yes: bool) -> None:
    """Ask once before paid calls. A resumed run was confirmed when it started."""
    from provision.aisa.batch import paid_calls

    calls = paid_calls(users, probes)
    if not calls or yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"not confirmed: --probe chat would make {calls:,} paid calls", hint="add --yes to confirm")
    typer.confirm(f"--probe chat makes {calls:,} paid calls of a few tokens each. Continue?", abort=True, err=True)


@contextlib.contextmanager
def batch_progress(run: Run, name: str, total: int) -> Iterator[Callable[[ValidationResult], None]]:
    """Progress on stderr; with --verbose also a line per user that is not ok."""
    from provision.aisa.verdicts import Verdict
    from provision.report.progress import Progress

    if run.quiet:
        yield lambda _: None
        return
    progress = Progress(name, total, sys.stderr, time.monotonic)

    def observe(result: ValidationResult) -> None:
        if run.verbose and result.verdict is not Verdict.OK:
            progress.say(f"{result.user}: {result.verdict}: {result.advice}")
        progress.step(result.verdict.value)

    try:
        yield observe
    finally:
        progress.close()


def run_batch(
    workspace: Workspace,
    users: Sequence[Subject],
    plan: BatchPlan,
    journal: ValidationJournal,
    catalogue: Catalogue,
    observe: Callable[[ValidationResult], None],
) -> BatchOutcome:
    """Run the batch of this command or of `usage`."""
    import asyncio
    import random

    from provision.aisa.batch import Batch
    from provision.aisa.client import Client
    from provision.cli.workspace.gateway import network_settings

    async def batch() -> BatchOutcome:
        hosts, net = workspace.settings.gateway_hosts, network_settings(workspace)
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

    writers: dict[Format, Callable[[], Iterable[str]]] = {
        Format.TABLE: lambda: validation.as_table(report, everything=everything),
        Format.JSON: lambda: validation.as_json(report),
        Format.JUNIT: lambda: validation.as_junit(report),
        Format.HTML: lambda: validation.as_html(report),
    }
    write_output(writers[format_](), output)


def validation_exit_code(report: ValidationReport, failing: frozenset[Verdict]) -> Exit:
    """4 for an incomplete run, 10 for verdicts that count as failures, 4 for inconclusive ones, else 0."""
    from provision.aisa.verdicts import INCONCLUSIVE

    if report.outcome.not_asked or report.outcome.network_at_fault:
        return Exit.PARTIAL
    if any(report.counts[v] for v in failing):
        return Exit.FINDINGS
    return Exit.PARTIAL if any(report.counts[v] for v in INCONCLUSIVE) else Exit.OK
