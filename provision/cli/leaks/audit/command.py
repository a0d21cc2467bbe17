"""`provision audit`: find leaked keys and hijacked routes on this machine, in a folder, or across a fleet.

This module dispatches: `scan` audits this machine, `fix` fixes and undoes, `baseline` writes a baseline, `fleet` audits many
machines (--hosts), `merge` merges reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.leaks.audit import options as o
from provision.cli.leaks.detection import workspace_or_none
from provision.cli.options import Limit, Output
from provision.errors import UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from pathlib import Path


@app.command("audit")
def audit_command(
    ctx: typer.Context,
    paths: o.Paths = None,
    environ: o.Environ = False,
    verify: o.Verify = False,
    fix: o.Fix = False,
    undo: o.Undo = False,
    yes: o.Confirm = False,
    baseline: o.Baseline = None,
    update_baseline: o.UpdateBaseline = False,
    reason: o.Reason = None,
    until: o.Until = None,
    known: o.Known = None,
    write_known: o.WriteKnown = None,
    rules: o.Rules = None,
    entropy: o.Entropy = False,
    min_severity: o.MinSeverity = "low",
    min_confidence: o.MinConfidence = "low",
    hosts: o.Hosts = False,
    merge: o.Merge = False,
    limit: Limit = None,
    forks: o.HostForks = 10,
    login: o.RemoteUser = None,
    private_key: o.PrivateKey = None,
    known_hosts: o.KnownHosts = None,
    account: o.Account = None,
    become: o.Become = True,
    command: o.RemoteCommand = None,
    exit_zero: o.ExitZero = False,
    allow_unread: o.AllowUnread = False,
    everything: o.ListAll = False,
    full: o.Full = False,
    workers: o.Workers = None,
    format_: o.AuditFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Find leaked keys and hijacked routes.

    Without a PATH: audits this user's Hermes home, histories and crontabs. In a workspace, findings name the key's user.
    Offline unless --verify. Exits with 10 if there are new findings, 4 if something could not be read.
    """
    from provision.cli.leaks.audit.output import OutputOptions

    run: Run = ctx.obj
    modes = {"--fix": fix, "--undo": undo, "--hosts": hosts, "--merge": merge, "--write-known": write_known}
    _require_consistent([name for name, on in modes.items() if on], paths, limit, full=full)
    workspace = workspace_or_none(run)
    printing = OutputOptions(format_, output, everything=everything, exit_zero=exit_zero, allow_unread=allow_unread)
    if merge:
        from provision.cli.leaks.audit.merge import merge_reports

        raise typer.Exit(merge_reports(run, workspace, paths or [], printing))
    if hosts:
        from provision.cli.leaks.audit.fleet import HostOptions, audit_machines
        from provision.push.ansible import Ssh

        ssh = Ssh(login, private_key, known_hosts, account, become)
        machines = HostOptions(limit, forks, ssh, command, rules, entropy, full)
        raise typer.Exit(audit_machines(run, workspace or run.open_workspace(), machines, printing))
    if undo:
        from provision.cli.leaks.audit.fix import undo_last_fix

        raise typer.Exit(undo_last_fix(run, workspace, yes=yes))
    if write_known is not None:
        from provision.cli.leaks.detection import write_known_keys

        write_known_keys(run, workspace, write_known)
        return
    from provision.cli.leaks.audit.scan import ScanOptions, audit_this_machine

    scan = ScanOptions(
        tuple(paths or ()), environ, known, rules, entropy, baseline, workers, min_severity, min_confidence, full
    )
    if update_baseline:
        from provision.cli.leaks.audit.baseline import BaselineOptions, replace_baseline

        replace_baseline(run, workspace, scan, BaselineOptions(baseline, reason, until), verify=verify)
        return
    raise typer.Exit(audit_this_machine(run, workspace, scan, printing, verify=verify, fix=fix, yes=yes))


def _require_consistent(modes: list[str], paths: list[Path] | None, limit: list[str] | None, *, full: bool) -> None:
    """Raise UsageError for options that do not go together."""
    if len(modes) > 1:
        raise UsageError(f"{modes[0]} and {modes[1]} cannot be combined")
    if modes == ["--hosts"] and paths:
        raise UsageError("--hosts takes no PATH: it audits each user's Hermes home", hint="remove the paths")
    if limit and modes != ["--hosts"]:
        raise UsageError("--limit needs --hosts")
    if full and modes in (["--undo"], ["--merge"], ["--write-known"]):
        raise UsageError(f"{modes[0]} scans nothing: it takes no --full")
