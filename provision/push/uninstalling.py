"""Run `provision uninstall` on machines of users who left, through Ansible.

The answer is the machine's word, not a signed receipt: its keys are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.push.one_step import run_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from provision.push.ansible import Ssh
    from provision.push.inventory import Target


def uninstall_hosts(
    workspace: Path, targets: Sequence[Target], ssh: Ssh, command: str | None, environ: Mapping[str, str]
) -> dict[str, tuple[bool, str]]:
    """Uninstall on the targets; for each machine whether it is done, and what it said. Raises NoAnsibleError."""
    answers = run_step(
        workspace,
        targets,
        "hermes.provision.uninstall",
        "uninstalled",
        ssh=ssh,
        variables={"hermes_command": command},
        environ=environ,
    )
    return {label: (answer.found is not None, answer.message or "uninstalled") for label, answer in answers.items()}
