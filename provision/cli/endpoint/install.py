"""`provision install`: set this machine's Hermes up from a bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import (
    own_identities,
    require_version,
    this_platform,
    trusted_signers,
)
from provision.cli.options import Output
from provision.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.endpoint.install import Report
    from provision.endpoint.processes import RunningHermes
    from provision.receipts.receipt import SignedReceipt


@app.command("install")
def install_command(
    ctx: typer.Context,
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE|URL", help="A folder, a .tar or .tar.gz, or an https:// address.")
    ],
    home: Home = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; write nothing.")] = False,
    allowed_signers: Signers = None,
    identity: IdentityFile = None,
    user: Annotated[str | None, typer.Option("--user", help="Accept only this user's bundle.")] = None,
    managed_dir: Annotated[
        Path | None, typer.Option("--managed-dir", help="Where Hermes' managed scope is; default: /etc/hermes.")
    ] = None,
    requires: Annotated[
        str | None, typer.Option("--requires", metavar="VERSION", help="Refuse when this provision is older.")
    ] = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """Set Hermes up from a bundle, keeping what is yours.

    Verifies the bundle, opens it, merges it into this machine's Hermes home, and checks where requests go now.
    """
    from datetime import UTC, datetime

    from provision.cli.endpoint.receipt import sign_install_receipt
    from provision.endpoint.apply import Disk, DryRun, Writer
    from provision.endpoint.fetch import fetch
    from provision.endpoint.install import Request, install

    run: Run = ctx.obj
    require_version(requires)
    request = Request(
        signers=trusted_signers(allowed_signers),
        identities=own_identities(identity),
        platform=this_platform(),
        home=home,
        user=user,
        managed_dir=managed_dir,
    )
    writer: Writer = (DryRun if dry_run else Disk)(Path.home())
    now = datetime.now(UTC)
    report = install(fetch(bundle), request, writer, environ=os.environ, now=now)
    signed = None if dry_run else sign_install_receipt(run, report, now)
    run.result(
        _json(report, signed) if format_ == "json" else install_text(report, verb="would be " if dry_run else ""),
        output,
    )
    if not report.ok:
        raise typer.Exit(Exit.FINDINGS)


def install_text(report: Report, *, verb: str = "") -> str:
    """What an install did, for people; `verb` makes it what it would do."""
    from provision.report.terminal import plural, printable

    plan, manifest = report.plan, report.manifest
    lines = [f"{manifest.user} ({manifest.profile}), generation {manifest.generation}, in {report.home}"]
    if report.recovered:
        lines.append("an install that was interrupted before has been finished first")
    lines += [f"  {verb}set      {item}" for item in plan.set_]
    lines += [f"  {verb}removed  {r.file}: {r.where} ({r.masked}): {r.why}" for r in plan.removed]
    lines += [f"  note     {note}" for note in plan.notes]
    lines.append(
        f"  kept     {plural(plan.kept_settings, 'setting')} and {plural(plan.kept_lines, '.env line')} of your own"
    )
    if plan.empty:
        lines.append("nothing to change: this bundle is installed already" if not verb else "nothing would be changed")
    lines += _route_lines(report)
    lines += _restart_lines(report)
    return "".join(printable(line) + "\n" for line in lines)


def _route_lines(report: Report) -> list[str]:
    route, check = report.check.route, report.check
    lines = [f"route: {route.url or 'none'}, model {route.model or 'none'}, key {route.key_fingerprint or 'none'}"]
    for name, item in check.checks.items():
        if not item.ok:
            lines.append(f"WRONG {name}: expected {item.expected}; is {item.actual}")
    lines += [f"{h.severity} [{h.id}] {h.where}: {h.why}; {h.cure}" for h in check.hazards]
    if not report.ok:
        lines.append("ATTENTION: Hermes would NOT use the route that this bundle sets up; see above")
    return lines


def _restart_lines(report: Report) -> list[str]:
    if report.running is None:
        if report.plan.empty:
            return []
        return ["cannot tell whether Hermes is running here: restart it if it is"]
    return restart_lines(report.running, report.key_since, everyone=not report.plan.empty)


def restart_lines(running: Sequence[RunningHermes], since: float | None, *, everyone: bool) -> list[str]:
    """Who must be restarted: `everyone` who may have read old settings, or only those who may hold an older key."""
    lines = []
    for process in running:
        old = process.holds_older_than(since) if since is not None else None
        if old:
            why = "it started before this key came and holds the one before"
        elif everyone or old is None:
            why = "it may still have the old settings" if everyone else "it may still hold the key before this one"
        else:
            continue
        lines.append(f"restart {process.what} (pid {process.pid}): {why}")
    return lines


def _json(report: Report, signed: SignedReceipt | None) -> str:
    from provision.endpoint.status import hazard_json
    from provision.report.document import document

    plan, route = report.plan, report.check.route
    running: list[dict[str, Any]] | None = None
    if report.running is not None:
        since = report.key_since
        running = [
            {"pid": p.pid, "what": p.what, "holds_old_key": None if since is None else p.holds_older_than(since)}
            for p in report.running
        ]
    return document(
        "install/v1",
        ok=report.ok,
        changed=not plan.empty,
        user=report.manifest.user,
        generation=report.manifest.generation,
        home=str(report.home),
        set=list(plan.set_),
        removed=[{"file": r.file, "where": r.where, "why": r.why, "was": r.masked} for r in plan.removed],
        kept={"settings": plan.kept_settings, "env_lines": plan.kept_lines},
        notes=list(plan.notes),
        route={
            "url": route.url,
            "model": route.model,
            "api_mode": route.api_mode,
            "key_fingerprint": route.key_fingerprint,
        },
        checks={n: {"ok": c.ok, "expected": c.expected, "actual": c.actual} for n, c in report.check.checks.items()},
        hazards=[hazard_json(h) for h in report.check.hazards],
        restart=running,
        receipt=signed.data.decode() if signed else None,
    )
