"""`audit --hosts`: the same audit on many machines through Ansible, as each machine's own user.

What travels there are fingerprints of keys and rules, no key; what comes back are findings without secrets. A report is read
as strictly as any file from a stranger.
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
    """A machine's own report, as text that is still to be judged."""

    user: str
    host: str
    report: str


AuditOutcome = Reported | Failed | Unreachable


@dataclass(frozen=True, slots=True)
class FleetAuditOptions:
    """What machines are asked: `known` are the fingerprints, `rules` further rules as gitleaks writes them."""

    workspace: Path
    known: bytes
    rules: bytes = b""
    entropy: bool = False
    forks: int = 10
    command: str | None = None


def audit_hosts(
    order: FleetAuditOptions,
    targets: Sequence[Target],
    ssh: Ssh,
    environ: Mapping[str, str],
    observe: Callable[[Started | AuditOutcome], None],
) -> dict[str, AuditOutcome]:
    """Ask the targets; an outcome for each. Raises NoAnsibleError."""
    program = find_playbook_command(environ)
    by_user = {t.user: t for t in targets}
    outcomes: dict[str, AuditOutcome] = {}
    with prepared_folder(order.workspace, ssh, order.forks) as folder:
        (folder / "known.json").write_bytes(order.known)
        (folder / "rules.toml").write_bytes(order.rules)
        more: dict[str, object] = {
            "hermes_audit_known": str(folder / "known.json"),
            "hermes_audit_rules": str(folder / "rules.toml"),
            "hermes_audit_entropy": order.entropy,
        }
        if order.command:
            more["hermes_command"] = order.command
        if ssh.account:
            more["hermes_account"] = ssh.account
        if not ssh.become:
            more["hermes_become"] = False
        line = playbook_command(program, folder, targets, ssh, more, defaults={}, check=False, playbook=PLAYBOOK)
        with running_playbook(line, folder, environ) as process:
            assert process.stdout is not None  # noqa: S101  asked for as a pipe
            while text := process.stdout.readline(MAX_LINE_BYTES):
                event = _read(text, by_user)
                if event is None:
                    continue
                if not isinstance(event, Started):
                    outcomes[event.user] = event
                observe(event)
        said = (folder / "errors").read_text("utf-8", "replace").strip().splitlines()
    for target in targets:
        if target.user not in outcomes:
            why = said[-1][:300] if said and not outcomes else "ansible-playbook ended before this machine answered"
            outcomes[target.user] = Unreachable(target.user, target.address, "no-answer", why, "run it again")
    return outcomes


def _read(line: bytes, targets: Mapping[str, Target]) -> Started | AuditOutcome | None:
    event = read_event(line, targets)
    if isinstance(event, Started | Failed | Unreachable):
        return event
    try:
        said = json.loads(line)
        target, report = targets[str(said["host"])], said["audit"]
    except (ValueError, KeyError, TypeError):
        return None
    if said.get("outcome") != "ok" or not said.get("ours") or not isinstance(report, str):
        return None
    return Reported(target.user, target.address, report)
