"""`audit --update-baseline`: write all current findings to the baseline."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from provision.audit.baseline import update_baseline, write_baseline
from provision.cli.leaks.audit.scan import scan_machine, verify_found_keys
from provision.cli.options import without_keys
from provision.errors import UsageError
from provision.report.terminal import plural

if TYPE_CHECKING:
    from pathlib import Path

    from provision.cli.context import Run
    from provision.cli.leaks.audit.scan import ScanOptions
    from provision.fleet.workspace import Workspace


@dataclass(frozen=True, slots=True)
class BaselineOptions:
    """The file to write, and the reason and last day (`until`, YYYY-MM-DD) of new entries."""

    file: Path | None
    reason: str | None
    until: str | None


def replace_baseline(
    run: Run, workspace: Workspace | None, scan_options: ScanOptions, options: BaselineOptions, *, verify: bool
) -> None:
    """Scan, and write a baseline that ignores exactly what is found now. Raises UsageError."""
    if options.file is None:
        raise UsageError("--update-baseline needs --baseline FILE", hint="such as --baseline audit-baseline.json")
    scan = scan_machine(run, workspace, scan_options, baseline_must_exist=False)
    last_day = _parse_last_day(options.until)
    audit = scan.audit(verify_found_keys(run, workspace, scan.raw) if verify else {})
    reason = options.reason
    if reason is None and audit.findings:
        reason = _ask_reason(len(audit.findings))
    found = [*audit.findings, *(item.finding for item in audit.ignored)]
    done = update_baseline(scan.entries, found, scan.started.date(), without_keys(reason or ""), last_day)
    write_baseline(options.file, done.entries)
    run.say(
        f"{options.file}: ignores {plural(len(done.entries), 'finding')}; {done.added} added, {done.dropped} removed"
    )


def _parse_last_day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as e:
        raise UsageError(f"invalid date {text!r} for --until", hint="use year-month-day, such as 2027-03-31") from e


def _ask_reason(count: int) -> str:
    import typer

    if not sys.stdin.isatty():
        raise UsageError(
            f"{plural(count, 'new finding')} would enter the baseline without a reason",
            hint='say why they are ignored: --reason "…"',
        )
    return str(typer.prompt(f"Why is it safe to ignore {plural(count, 'new finding')}?", err=True))
