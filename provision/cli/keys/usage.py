"""`provision usage`: what each user and team spends, against budgets and caps, as one batch of free reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output, format_option
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date, datetime

    from provision.aisa.batch import BatchOutcome
    from provision.aisa.journal import ValidationJournal
    from provision.aisa.results import Subject
    from provision.fleet.desired import DesiredState
    from provision.report.usage import UsageReport
    from provision.usage.standing import UsageStanding, UserUsage


@app.command("usage")
def usage(
    ctx: typer.Context,
    limit: Limit = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="DATE", help="Count requests and models since this day. Default: the 1st of the month."
        ),
    ] = None,
    fail_on: Annotated[
        str,
        typer.Option("--fail-on", help="States that make the exit code 10: over, near, unused, unknown, or none."),
    ] = "over",
    resume: Annotated[bool, typer.Option("--resume", help="Resume the last run that was interrupted.")] = False,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, max=1000, help="Number of parallel requests.")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, help="Requests per second, in total.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="List every user, also those within their budget.")] = False,
    format_: Annotated[
        Format, format_option(Format.TABLE, Format.CSV, Format.JSON, Format.HTML, Format.PROMETHEUS)
    ] = Format.TABLE,
    output: Output = None,
) -> None:
    """Show who spends what, against budgets and caps.

    Reads each key's balance and usage (free, no model is called) and compares the spend of this month with `budget_usd_month` of
    the profile and with the key's own cap. What the gateway does not say is unknown, never 0.

    Exits with 10 for a state of --fail-on, with 4 when users were not asked or a budget cannot be checked.
    """
    from datetime import UTC, datetime

    from provision.aisa.batch import BatchPlan
    from provision.cli.workspace.gateway import build_subjects, open_catalogue, open_keys
    from provision.cli.workspace.validate import batch_progress, journal_folder, run_batch
    from provision.files import locked
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet

    run: Run = ctx.obj
    failing = failing_standings(fail_on)
    now = datetime.now(UTC)
    first = first_day(since, now.date())
    workspace = run.open_workspace()
    fleet = load_fleet(workspace)
    fleet.require_valid()
    states = select_users(fleet.states, limit)
    keys, salt = open_keys(workspace, now.date())
    subjects = build_subjects(states, keys, salt, workspace.settings.gateway_hosts)
    days = (min(first, now.date().replace(day=1)), now.date())
    folder = journal_folder(workspace)
    with locked(folder / "usage.lock", "reading usage"):
        journal = _journal(folder / "usage.jsonl", now, str(days[0]), resume=resume)
        settings = workspace.settings
        plan = BatchPlan(journal.probes, concurrency or settings.concurrency, rate or settings.rate, days)
        complete = False
        try:
            with batch_progress(run, "usage", len(subjects)) as observe:
                outcome = run_batch(workspace, subjects, plan, journal, open_catalogue(workspace), observe)
            complete = not outcome.not_asked
            report = _report(folder, journal, outcome, subjects, states, first, now)
            _print(report, format_, output, everything=everything)
        finally:
            journal.close(complete=complete)
    if output:
        run.say(f"wrote {output}")
    raise typer.Exit(usage_exit_code(report, failing, network_at_fault=outcome.network_at_fault))


def failing_standings(text: str) -> frozenset[UsageStanding]:
    """The states that make the exit code 10."""
    from provision.usage.standing import UsageStanding

    words = {word.strip() for word in text.split(",") if word.strip()} - {"none"}
    allowed = [s.value for s in UsageStanding if s not in {UsageStanding.OK, UsageStanding.NO_BUDGET}]
    if unknown := sorted(words - set(allowed)):
        raise UsageError(
            f"invalid state {', '.join(unknown)} for --fail-on", hint=f"use none, or: {', '.join(allowed)}"
        )
    return frozenset(UsageStanding(word) for word in words)


def first_day(text: str | None, today: date) -> date:
    """The day of `--since`; without it the first of the month. Raises UsageError."""
    from datetime import date as date_type

    if text is None:
        return today.replace(day=1)
    try:
        day = date_type.fromisoformat(text)
    except ValueError:
        raise UsageError(f"invalid date {text!r} for --since", hint="use year-month-day, such as 2026-03-31") from None
    if day > today or (today - day).days > 366:
        raise UsageError(f"invalid date '{day}' for --since", hint="use a day of the last 366")
    return day


def usage_exit_code(report: UsageReport, failing: frozenset[UsageStanding], *, network_at_fault: bool) -> Exit:
    """4 for an incomplete run, 10 for states that count as failures, 4 for budgets that cannot be checked, else 0."""
    from provision.usage.standing import UsageStanding

    if report.not_asked or network_at_fault:
        return Exit.PARTIAL
    if any(report.counts[standing] for standing in failing):
        return Exit.FINDINGS
    return Exit.PARTIAL if report.counts[UsageStanding.UNKNOWN] else Exit.OK


def _journal(path: Path, now: datetime, first: str, *, resume: bool) -> ValidationJournal:
    from provision.aisa.answers import Probe
    from provision.aisa.journal import ValidationJournal

    if not resume:
        return ValidationJournal.create(path, (Probe.KEY,), now.isoformat(timespec="seconds"), first)
    journal = ValidationJournal.resume(path)
    if journal.scope != first:
        journal.close()
        raise UsageError(f"the interrupted run read the usage since {journal.scope}", hint="run without --resume")
    return journal


def _report(
    folder: Path,
    journal: ValidationJournal,
    outcome: BatchOutcome,
    subjects: Sequence[Subject],
    states: Sequence[DesiredState],
    first: date,
    now: datetime,
) -> UsageReport:
    from provision.report.usage import UsageReport
    from provision.usage.readings import read_readings, with_amounts, write_readings
    from provision.usage.standing import micros_of, user_usage

    month = now.strftime("%Y-%m")
    budgets = {state.user: micros_of(state.profile.budget_usd_month) for state in states}
    owners = Counter(subject.fingerprint for subject in subjects if subject.fingerprint)
    path = folder / "usage-readings.json"
    readings = read_readings(path)
    amounts: dict[str, int] = {}
    users: list[UserUsage] = []
    for result in journal.results():
        earlier = readings.get(result.key_fingerprint, {})
        shared = max(0, owners[result.key_fingerprint] - 1)
        users.append(user_usage(result, budgets.get(result.user), first, month, earlier, shared_with=shared))
        if result.spend is not None and result.spend.used_micros is not None:
            amounts[result.key_fingerprint] = result.spend.used_micros
    if amounts:
        write_readings(path, with_amounts(readings, amounts, month))
    left = [subjects[index].user for index in journal.unasked()]
    started = now.isoformat(timespec="seconds")
    return UsageReport(users, left, month, first.isoformat(), started, outcome.requests)


def _print(report: UsageReport, format_: Format, output: Path | None, *, everything: bool) -> None:
    from provision.report import usage as written
    from provision.report.output import write_output

    writers: dict[Format, Callable[[], Iterable[str]]] = {
        Format.TABLE: lambda: written.usage_table(report, everything=everything),
        Format.CSV: lambda: written.usage_csv(report),
        Format.JSON: lambda: written.usage_json(report),
        Format.HTML: lambda: written.usage_html(report),
        Format.PROMETHEUS: lambda: written.usage_metrics(report),
    }
    write_output(writers[format_](), output)
