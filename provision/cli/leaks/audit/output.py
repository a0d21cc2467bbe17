"""How `audit` prints results, and the exit code it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import Exit
from provision.report.formats import Format
from provision.report.output import write_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from provision.audit.merge import FleetAudit
    from provision.audit.result import Audit


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """The options that say where and how results are printed; `path` None means stdout."""

    format_: Format
    path: Path | None
    everything: bool
    exit_zero: bool
    allow_unread: bool = False


def write_audit(audit: Audit, descriptions: Mapping[str, str], options: OutputOptions) -> Exit:
    """Print an audit; returns the exit code. `descriptions` says what each rule finds."""
    write_output(audit_text(audit, descriptions, options.format_, everything=options.everything), options.path)
    return _exit_code(findings=bool(audit.findings) and not options.exit_zero, unread=_counts_unread(audit, options))


def write_fleet_audit(fleet: FleetAudit, options: OutputOptions) -> Exit:
    """Print the merged audits of many machines; returns the exit code."""
    write_output(_fleet_text(fleet, options.format_, everything=options.everything), options.path)
    findings = bool(fleet.keys or fleet.others) and not options.exit_zero
    return _exit_code(findings=findings, unread=any(_counts_unread(a, options) for a in fleet.audits))


def audit_text(audit: Audit, descriptions: Mapping[str, str], format_: Format, *, everything: bool) -> Iterator[str]:
    """The audit in a format, in pieces."""
    from provision.report import audit as report

    match format_:
        case Format.JSON:
            yield report.as_json(audit)
        case Format.SARIF:
            from provision.report.sarif import as_sarif

            yield as_sarif(audit, descriptions)
        case Format.JUNIT:
            yield from report.as_junit(audit)
        case Format.HTML:
            yield from report.as_html(audit)
        case Format.ECS:
            from provision.report.siem.ecs import findings_as_ecs

            yield from findings_as_ecs([audit])
        case _:
            from provision.cli.leaks.audit.setup import user_home

            yield from report.as_table(audit, everything=everything, home=str(user_home() or ""))


def _fleet_text(fleet: FleetAudit, format_: Format, *, everything: bool) -> Iterator[str]:
    from provision.audit.merge import as_single_audit
    from provision.report import audit_fleet as report
    from provision.report.audit import as_junit
    from provision.report.sarif import as_sarif

    match format_:
        case Format.JSON:
            yield report.as_json(fleet)
        case Format.SARIF:
            yield as_sarif(as_single_audit(fleet), {})
        case Format.JUNIT:
            yield from as_junit(as_single_audit(fleet))
        case Format.HTML:
            yield from report.as_html(fleet)
        case Format.ECS:
            from provision.report.siem.ecs import findings_as_ecs

            yield from findings_as_ecs(fleet.audits)
        case _:
            yield from report.as_table(fleet, everything=everything)


def _counts_unread(audit: Audit, options: OutputOptions) -> bool:
    """Whether what could not be read changes the exit code; it is listed in any case."""
    return bool(audit.unread) and not options.allow_unread


def _exit_code(*, findings: bool, unread: bool) -> Exit:
    """10 for findings, else 4 if something could not be read."""
    if findings:
        return Exit.FINDINGS
    return Exit.PARTIAL if unread else Exit.OK
