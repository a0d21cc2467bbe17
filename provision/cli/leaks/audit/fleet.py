"""`audit --hosts` and `audit --merge`: the audits of many machines as one. Not a command of its own."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.audit.document import LIMIT_BYTES, read_document
from provision.audit.merge import as_one, merge
from provision.audit.result import Audit, Unread
from provision.errors import Exit, NothingMatchedError, ProvisionError, UsageError
from provision.files import read_bounded
from provision.report import audit_fleet as report
from provision.report.output import write_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from provision.audit.merge import FleetAudit
    from provision.cli.context import Run
    from provision.detect.known import KnownKeys
    from provision.fleet.workspace import Workspace
    from provision.push.ansible import Ssh
    from provision.push.auditing import AuditOutcome
    from provision.push.events import Started


@dataclass(frozen=True, slots=True)
class HostOptions:
    """Which machines are asked, and how they are entered."""

    limit: list[str] | None
    forks: int
    ssh: Ssh
    command: str | None
    rules: Path | None
    entropy: bool


def merge_reports(run: Run, workspace: Workspace | None, files: Sequence[Path]) -> FleetAudit:
    """The reports in these files. Raises UsageError, and ReportError with the file's name."""
    if not files:
        raise UsageError("--merge wants reports", hint="`provision audit --merge *.json`")
    audits = []
    for path in files:
        try:
            audits.append(read_document(read_bounded(path, LIMIT_BYTES)))
        except FileNotFoundError:
            raise UsageError(f"there is no file {path}") from None
        except ProvisionError as e:
            raise type(e)(f"{path}: {e.message}", hint=e.hint) from e
    return merge(audits, _known(run, workspace))


def _known(run: Run, workspace: Workspace | None) -> KnownKeys | None:
    from provision.cli.leaks.audit.setup import load_known_keys

    return load_known_keys(run, workspace, None, None)


def audit_machines(run: Run, workspace: Workspace, push: HostOptions) -> FleetAudit:
    """Ask the machines of the inventory, and join what they say."""
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet
    from provision.push.auditing import FleetAuditOptions, Reported, audit_hosts
    from provision.push.inventory import split_by_reachability

    fleet = load_fleet(workspace)
    fleet.require_valid()
    found = split_by_reachability(select_users(fleet.states, push.limit))
    for user, why in found.others[:5]:
        run.say(f"{user}: not asked: {why}")
    if not found.targets:
        raise NothingMatchedError(
            "no machine can be asked", hint="users need a `host` in the inventory: docs/deploy.md"
        )
    known = _known(run, workspace)
    rules = read_bounded(push.rules, 16 << 20) if push.rules else b""
    order = FleetAuditOptions(
        workspace.root, known.dump() if known else b"", rules, push.entropy, push.forks, push.command
    )
    with ExitStack() as stack:
        observe = _observer(run, stack, len(found.targets))
        outcomes = audit_hosts(order, found.targets, push.ssh, os.environ, observe)
    audits = []
    for user, outcome in outcomes.items():
        if isinstance(outcome, Reported):
            try:
                audits.append(replace(read_document(outcome.report.encode()), user=user))
                continue
            except ProvisionError as e:
                why = e.message
        else:
            why = f"{outcome.message} [{outcome.cause}]"
        audits.append(Audit(outcome.host, "", (), (), unread=(Unread(outcome.host, why),), user=user))
    return merge(audits, known)


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


def write_fleet_audit(fleet: FleetAudit, format_: str, output: Path | None, *, everything: bool) -> Exit:
    """Print the joined audits; 10 for findings, else 4 for machines or files that could not be read."""
    write_output(_printed(fleet, format_, everything=everything), output)
    if fleet.keys or fleet.others:
        return Exit.FINDINGS
    return Exit.PARTIAL if any(a.unread for a in fleet.audits) else Exit.OK


def _printed(fleet: FleetAudit, format_: str, *, everything: bool) -> Iterator[str]:
    from provision.report.audit import as_junit
    from provision.report.sarif import as_sarif

    match format_:
        case "json":
            yield report.as_json(fleet)
        case "html":
            yield from report.as_html(fleet)
        case "junit":
            yield from as_junit(as_one(fleet))
        case "sarif":
            yield as_sarif(as_one(fleet), {})
        case _:
            yield from report.as_table(fleet, everything=everything)
