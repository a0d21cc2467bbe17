"""`audit --hosts`: audit the users' machines through Ansible."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provision.audit.document import read_document
from provision.audit.merge import merge_audits
from provision.audit.result import Audit, Unread
from provision.cli.leaks.audit.output import OutputOptions, write_fleet_audit
from provision.cli.leaks.detection import load_known_keys
from provision.errors import Exit, NothingMatchedError, ProvisionError
from provision.files import read_bounded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.audit.merge import FleetAudit
    from provision.cli.context import Run
    from provision.detect.known import KnownKeys
    from provision.fleet.workspace import Workspace
    from provision.push.ansible import Ssh
    from provision.push.auditing import AuditOutcome
    from provision.push.events import Started
    from provision.push.inventory import Reachability

_MAX_RULES_BYTES = 16 << 20
_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class HostOptions:
    """Which machines are audited, how to log in, and what to look for."""

    limit: list[str] | None
    forks: int
    ssh: Ssh
    command: str | None
    rules: Path | None
    entropy: bool
    full: bool = False


def audit_machines(run: Run, workspace: Workspace, options: HostOptions, output: OutputOptions) -> Exit:
    """Audit the machines of the inventory and print the merged result. Raises NothingMatchedError."""
    reachable = _targets(run, workspace, options.limit)
    known = load_known_keys(run, workspace, None, None)
    outcomes = _audit(run, workspace, options, reachable, known)
    audits = [audit_of(user, outcome) for user, outcome in outcomes.items()]
    merged = merge_audits(audits, known)
    code = write_fleet_audit(merged, output)
    _notify(run, workspace, merged, complete=not options.limit and not any(a.unread for a in audits))
    return code


def _notify(run: Run, workspace: Workspace, merged: FleetAudit, *, complete: bool) -> None:
    from provision.audit.machines import AuditedMachine
    from provision.cli.notifications import send_notifications
    from provision.fleet.notify_target import NotifyEvent
    from provision.report.attention import in_audits

    spots = (spot for key in merged.keys for spot in key.spots)
    leaks = in_audits(AuditedMachine(spot.machine, spot.machine, "", (spot.finding,)) for spot in spots)
    send_notifications(run, workspace, "audit", leaks, examined={NotifyEvent.LEAKED} if complete else set())


def audit_of(user: str, outcome: AuditOutcome) -> Audit:
    """The audit a machine reported; a machine that reported none is an audit with one unread item."""
    from provision.push.auditing import Reported

    if isinstance(outcome, Reported):
        try:
            return replace(read_document(outcome.report.encode()), user=user)
        except ProvisionError as e:
            why = e.message
    else:
        why = f"{outcome.message} [{outcome.cause}]"
    return Audit(outcome.host, "", (), (), unread=(Unread(outcome.host, why),), user=user)


def _targets(run: Run, workspace: Workspace, limit: list[str] | None) -> Reachability:
    from provision.cli.delivery.receipts import fleet_states
    from provision.fleet.limit import select_users
    from provision.push.inventory import split_by_reachability

    reachable = split_by_reachability(select_users(fleet_states(workspace), limit))
    for user, why in reachable.others[:_NAMED_AT_MOST]:
        run.say(f"{user}: not audited: {why}")
    if not reachable.targets:
        raise NothingMatchedError(
            "no machine can be audited", hint="users need a `host` in the inventory: docs/deploy.md"
        )
    return reachable


def _audit(
    run: Run, workspace: Workspace, options: HostOptions, reachable: Reachability, known: KnownKeys | None
) -> dict[str, AuditOutcome]:
    from provision.push.auditing import FleetAuditOptions, audit_hosts

    push = FleetAuditOptions(
        workspace.root,
        known.dump() if known else b"",
        read_bounded(options.rules, _MAX_RULES_BYTES) if options.rules else b"",
        options.entropy,
        options.forks,
        options.command,
        options.full,
    )
    with ExitStack() as stack:
        observe = _observer(run, stack, len(reachable.targets))
        return dict(audit_hosts(push, reachable.targets, options.ssh, os.environ, observe))


def _observer(run: Run, stack: ExitStack, total: int) -> Callable[[Started | AuditOutcome], None]:
    from provision.push.auditing import Reported
    from provision.push.events import Started
    from provision.report.progress import Progress

    if run.quiet:
        return lambda _: None
    progress = Progress("audit", total, sys.stderr, time.monotonic)
    stack.callback(progress.close)

    def observe(event: Started | AuditOutcome) -> None:
        if isinstance(event, Started):
            return
        if not isinstance(event, Reported):
            progress.say(f"{event.user} ({event.host}): {event.message} [{event.cause}]; {event.cure}")
        progress.step("answered" if isinstance(event, Reported) else "failed")

    return observe
