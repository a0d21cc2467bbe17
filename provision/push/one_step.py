"""Run one step of the module `hermes_bundle` on machines through Ansible, and collect one field of its results.

The answers come over SSH with strictly checked host keys: they are the machines' own words, and no others can answer for them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.push.ansible import Ssh, find_playbook_command, playbook_command, prepared_folder, running_playbook
from provision.push.events import MAX_LINE_BYTES, read_event
from provision.push.outcomes import Failed, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from provision.push.inventory import Target


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What one machine answered: the field of the result, or why there is none."""

    found: dict[str, Any] | None
    message: str = ""


def run_step(
    workspace: Path,
    targets: Sequence[Target],
    playbook: str,
    field: str,
    *,
    ssh: Ssh,
    variables: Mapping[str, object],
    environ: Mapping[str, str],
    forks: int = 10,
) -> dict[str, StepAnswer]:
    """Run a playbook of the collection on the targets; an answer for each, by label. Raises NoAnsibleError."""
    program = find_playbook_command(environ)
    by_host = {target.host_name: target for target in targets}
    answers: dict[str, StepAnswer] = {}
    with prepared_folder(workspace, ssh, forks) as folder:
        more = {name: value for name, value in variables.items() if value is not None}
        if ssh.account:
            more["hermes_account"] = ssh.account_variable
        if not ssh.become:
            more["hermes_become"] = False
        line = playbook_command(program, folder, targets, ssh, more, defaults={}, check=False, playbook=playbook)
        with running_playbook(line, folder, environ) as process:
            assert process.stdout is not None  # noqa: S101  asked for as a pipe
            while text := process.stdout.readline(MAX_LINE_BYTES):
                event = read_event(text, by_host)
                if isinstance(event, Failed | Unreachable):
                    answers[event.user] = StepAnswer(None, f"{event.message} [{event.cause}]")
                elif (done := _answer(text, by_host, field)) is not None:
                    answers[done[0]] = StepAnswer(done[1])
    silent = StepAnswer(None, "ansible-playbook ended before it answered")
    return {target.label: answers.get(target.label, silent) for target in targets}


def _answer(line: bytes, targets: Mapping[str, Target], field: str) -> tuple[str, dict[str, Any]] | None:
    """The machine that a line is of and the field of its result; None for other lines."""
    try:
        result = json.loads(line)
        target, found = targets[str(result["host"])], result[field]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    done = result.get("outcome") == "ok" and result.get("ours") and isinstance(found, dict)
    return (target.label, found) if done else None
