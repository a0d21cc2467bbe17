"""Run `provision uninstall` on machines of users who left, through Ansible.

The answer comes over the authenticated channel of SSH; it is the machine's word, not a signed receipt: its keys are gone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from provision.push.ansible import Ssh, find_playbook_command, playbook_command, prepared_folder, running_playbook
from provision.push.events import MAX_LINE_BYTES, read_event
from provision.push.outcomes import Failed, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from provision.push.inventory import Target

PLAYBOOK = "hermes.provision.uninstall"


def uninstall_hosts(
    workspace: Path, targets: Sequence[Target], ssh: Ssh, command: str | None, environ: Mapping[str, str]
) -> dict[str, tuple[bool, str]]:
    """Uninstall on the targets; for each machine whether it is done, and what it said. Raises NoAnsibleError."""
    program = find_playbook_command(environ)
    by_host = {target.host_name: target for target in targets}
    found: dict[str, tuple[bool, str]] = {}
    with prepared_folder(workspace, ssh, len(targets)) as folder:
        more: dict[str, object] = {"hermes_command": command} if command else {}
        if ssh.account:
            more["hermes_account"] = ssh.account
        if not ssh.become:
            more["hermes_become"] = False
        line = playbook_command(program, folder, targets, ssh, more, defaults={}, check=False, playbook=PLAYBOOK)
        with running_playbook(line, folder, environ) as process:
            assert process.stdout is not None  # noqa: S101  asked for as a pipe
            while text := process.stdout.readline(MAX_LINE_BYTES):
                event = read_event(text, by_host)
                if isinstance(event, Failed | Unreachable):
                    found[event.user] = (False, f"{event.message} [{event.cause}]")
                elif (label := _done(text, by_host)) is not None:
                    found[label] = (True, "uninstalled")
    return {t.label: found.get(t.label, (False, "ansible-playbook ended before it answered")) for t in targets}


def _done(line: bytes, targets: Mapping[str, Target]) -> str | None:
    """The machine that a line says is done; None for other lines."""
    try:
        result = json.loads(line)
        target = targets[str(result["host"])]
    except (ValueError, KeyError, TypeError):
        return None
    done = result.get("outcome") == "ok" and result.get("ours") and isinstance(result.get("uninstalled"), dict)
    return target.label if done else None
