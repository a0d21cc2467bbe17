"""`audit --hosts`: audit many machines through Ansible, as each machine's own user.

Fingerprints of keys and rules are sent, no key; findings without secrets come back. Reports are untrusted input and parsed
strictly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.push.ansible import find_playbook_command, playbook_command, prepared_folder, running_playbook
from provision.push.events import MAX_LINE_BYTES, Started, read_event
from provision.push.outcomes import Failed, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from provision.push.ansible import Ssh
    from provision.push.inventory import Target

PLAYBOOK = "hermes.provision.leaks"


@dataclass(frozen=True, slots=True)
class Reported:
    """A machine's report, as text that is not validated yet."""

    user: str
    host: str
    report: str


AuditOutcome = Reported | Failed | Unreachable


@dataclass(frozen=True, slots=True)
class FleetAuditOptions:
    """Options of a fleet audit: `known` are the fingerprints, `rules` further rules in gitleaks' format."""

    workspace: Path
    known: bytes
    rules: bytes = b""
    entropy: bool = False
    forks: int = 10
    command: str | None = None
    full: bool = False


def audit_hosts(
    options: FleetAuditOptions,
    targets: Sequence[Target],
    ssh: Ssh,
    environ: Mapping[str, str],
    observe: Callable[[Started | AuditOutcome], None],
) -> dict[str, AuditOutcome]:
    """Audit the targets and return an outcome for each. Raises NoAnsibleError."""
    program = find_playbook_command(environ)
    by_host = {t.host_name: t for t in targets}
    outcomes: dict[str, AuditOutcome] = {}
    with prepared_folder(options.workspace, ssh, options.forks) as folder:
        (folder / "known.json").write_bytes(options.known)
        (folder / "rules.toml").write_bytes(options.rules)
        more: dict[str, object] = {
            "hermes_audit_known": str(folder / "known.json"),
            "hermes_audit_rules": str(folder / "rules.toml"),
            "hermes_audit_entropy": options.entropy,
            "hermes_audit_full": options.full,
        }
        if options.command:
            more["hermes_command"] = options.command
        if ssh.account:
            more["hermes_account"] = ssh.account_variable
        if not ssh.become:
            more["hermes_become"] = False
        line = playbook_command(program, folder, targets, ssh, more, defaults={}, check=False, playbook=PLAYBOOK)
        with running_playbook(line, folder, environ) as process:
            assert process.stdout is not None  # noqa: S101  asked for as a pipe
            while text := process.stdout.readline(MAX_LINE_BYTES):
                event = _read(text, by_host)
                if event is None:
                    continue
                if not isinstance(event, Started):
                    outcomes[event.user] = event
                observe(event)
        errors = (folder / "errors").read_text("utf-8", "replace").strip().splitlines()
    for target in targets:
        if target.label not in outcomes:
            why = errors[-1][:300] if errors and not outcomes else "ansible-playbook ended before this machine answered"
            outcomes[target.label] = Unreachable(
                target.label, target.address, "no-answer", why, "run the same command again"
            )
    return outcomes


def _read(line: bytes, targets: Mapping[str, Target]) -> Started | AuditOutcome | None:
    event = read_event(line, targets)
    if isinstance(event, Started | Failed | Unreachable):
        return event
    try:
        result = json.loads(line)
        target, report = targets[str(result["host"])], result["audit"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if result.get("outcome") != "ok" or not result.get("ours") or not isinstance(report, str):
        return None
    return Reported(target.label, target.address, report)
