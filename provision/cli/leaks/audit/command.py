"""`provision audit`: every leaked key and every hijacked route, on this machine, in a folder, or across a fleet."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output
from provision.errors import Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.audit.result import Audit
    from provision.cli.leaks.audit.scan import Scan
    from provision.fleet.workspace import Workspace


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    HTML = "html"


Level = Literal["critical", "high", "medium", "low"]
Sureness = Literal["high", "medium", "low"]


@app.command("audit")
def audit_command(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH|-]...", readable=False, help="Files, folders, Hermes homes, or - for standard input."
        ),
    ] = None,
    environ: Annotated[bool, typer.Option("--environ", help="Also the environment of your own processes.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Ask the gateway whether found AIsa keys still work (free).")
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Show what can be mended, ask once, and mend it.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last --fix back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --fix or --undo.")] = False,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", "-b", metavar="FILE", help="Findings in this file are let be.")
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write all that is found into --baseline, and stop there.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for new entries of the baseline.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="The last day of new entries.")
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option("--known", metavar="FILE", help="Fingerprints of the fleet's keys; default: the vault."),
    ] = None,
    write_known: Annotated[
        Path | None,
        typer.Option("--write-known", metavar="FILE", help="Write that file from the vault, and stop there."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", help="Further rules, in gitleaks' TOML form.")
    ] = None,
    entropy: Annotated[bool, typer.Option("--entropy", help="Also report text that only looks random.")] = False,
    min_severity: Annotated[Level, typer.Option("--min-severity", help="Leave out what is less bad.")] = "low",
    min_confidence: Annotated[Sureness, typer.Option("--min-confidence", help="Leave out what is less sure.")] = "low",
    hosts: Annotated[
        bool, typer.Option("--hosts", help="IT, in a workspace: run it on the users' machines, through Ansible.")
    ] = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="The PATHs are JSON reports of this command: which key leaks where?")
    ] = False,
    limit: Limit = None,
    forks: Annotated[int, typer.Option("--forks", min=1, max=500, help="With --hosts: machines at a time.")] = 10,
    login: Annotated[str | None, typer.Option("--remote-user", "-u", help="With --hosts: enter as this user.")] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", exists=True, dir_okay=False, help="With --hosts: SSH key.")
    ] = None,
    known_hosts: Annotated[
        Path | None, typer.Option("--known-hosts", exists=True, dir_okay=False, help="With --hosts: host keys.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", help="With --hosts: whose Hermes it is; default: the user's id.")
    ] = None,
    become: Annotated[
        bool, typer.Option("--become/--no-become", help="With --hosts: become the account, or enter as it.")
    ] = True,
    command: Annotated[
        str | None, typer.Option("--command", help="With --hosts: path of provision on the machines.")
    ] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="End with 0 even when something is found.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every place, not only the first twenty.")] = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=64, hidden=True)] = None,
    format_: Annotated[Format, typer.Option("--format", "-f", help="How to print the result.")] = Format.TABLE,
    output: Output = None,
) -> None:
    """Find leaked keys and hijacked routes.

    Without a PATH: this user's Hermes home, histories and crontabs. In a workspace, keys are told apart by the vault.
    Offline unless --verify. Ends with 10 when something new is found, 4 when something could not be read.
    """
    run: Run = ctx.obj
    modes = {"--fix": fix, "--undo": undo, "--hosts": hosts, "--merge": merge, "--write-known": write_known}
    _contradictions([name for name, on in modes.items() if on], paths, limit)
    workspace = here_or_none(run)
    if merge or hosts:
        from provision.cli.leaks.audit import fleet
        from provision.push.ansible import Ssh

        if merge:
            joined = fleet.merge_reports(run, workspace, paths or [])
        else:
            ssh = Ssh(login, private_key, known_hosts, account, become)
            push = fleet.HostOptions(limit, forks, ssh, command, rules, entropy)
            joined = fleet.audit_machines(run, workspace or run.open_workspace(), push)
        code = fleet.write_fleet_audit(joined, format_.value, output, everything=everything)
        raise typer.Exit(Exit.OK if exit_zero and code == Exit.FINDINGS else code)
    if undo:
        from provision.cli.leaks.audit.fix import undo_last

        raise typer.Exit(undo_last(run, workspace, yes=yes))
    from provision.cli.leaks.audit.scan import (
        ScanOptions,
        scan_machine,
        update_baseline,
        verify_found_keys,
        write_known_keys,
    )

    if write_known is not None:
        write_known_keys(run, workspace, write_known)
        return
    wanted = ScanOptions(
        tuple(paths or ()), environ, known, rules, entropy, baseline, workers, min_severity, min_confidence
    )
    looked = scan_machine(run, workspace, wanted, may_make_baseline=update_baseline)
    verdicts = verify_found_keys(run, workspace, looked.seen) if verify else {}
    if update_baseline:
        update_baseline(run, looked, wanted, verdicts, reason, until)
        return
    if fix and _fixed(run, workspace, looked, yes=yes):
        looked = scan_machine(run, workspace, wanted, may_make_baseline=False)
    result = looked.finished(verdicts)
    _show(looked, result, format_, output, everything=everything)
    if output:
        run.say(f"wrote {output}")
    raise typer.Exit(exit_of(result, exit_zero=exit_zero))


def _contradictions(modes: list[str], paths: list[Path] | None, limit: list[str] | None) -> None:
    """Raise UsageError for options that do not go together."""
    if len(modes) > 1:
        raise UsageError(f"{modes[0]} and {modes[1]} do not go together")
    if modes == ["--hosts"] and paths:
        raise UsageError("--hosts looks where each user's Hermes is", hint="leave the paths out")
    if limit and modes != ["--hosts"]:
        raise UsageError("--limit goes with --hosts")


def _fixed(run: Run, workspace: Workspace | None, looked: Scan, *, yes: bool) -> bool:
    """Mend what can be mended; whether anything was."""
    from provision.cli.leaks.audit.fix import fix_all

    return fix_all(run, workspace, looked.not_excused(), looked.environ_of, yes=yes)


def _show(looked: Scan, result: Audit, format_: Format, output: Path | None, *, everything: bool) -> None:
    from provision.report.output import write_output

    if format_ is Format.SARIF:
        from provision.report.sarif import as_sarif

        write_output([as_sarif(result, looked.seen.judging.describe)], output)
    else:
        write_output(printed(result, format_.value, everything=everything), output)


def here_or_none(run: Run) -> Workspace | None:
    """The workspace, if this is one; one that was named must be there."""
    from provision.fleet.workspace import NoWorkspaceError

    try:
        return run.open_workspace()
    except NoWorkspaceError:
        if run.workspace is not None:
            raise
        return None


def printed(result: Audit, format_: str, *, everything: bool) -> Iterator[str]:
    """The audit in a format, piece by piece."""
    from provision.report import audit as report

    match format_:
        case "json":
            yield report.as_json(result)
        case "junit":
            yield from report.as_junit(result)
        case "html":
            yield from report.as_html(result)
        case _:
            from provision.cli.leaks.audit.setup import user_home

            yield from report.as_table(result, everything=everything, home=str(user_home() or ""))


def exit_of(result: Audit, *, exit_zero: bool) -> Exit:
    """10 for new findings, else 4 for what could not be read."""
    if result.findings and not exit_zero:
        return Exit.FINDINGS
    return Exit.PARTIAL if result.unread else Exit.OK
