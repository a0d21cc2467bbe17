"""Have the keys in homes on machines sealed to the operators there, through Ansible. No key crosses the connection in clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.push.one_step import run_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from provision.push.ansible import Ssh
    from provision.push.inventory import Target
    from provision.push.one_step import StepAnswer


def sealed_keys(
    workspace: Path,
    targets: Sequence[Target],
    ssh: Ssh,
    *,
    recipients: Sequence[str],
    gateway_hosts: Sequence[str],
    command: str | None,
    environ: Mapping[str, str],
    forks: int,
) -> dict[str, StepAnswer]:
    """The sealed key of each machine, by label, or why there is none. Raises NoAnsibleError."""
    return run_step(
        workspace,
        targets,
        "hermes.provision.adopt",
        "adopted",
        ssh=ssh,
        variables={
            "hermes_recipients": list(recipients),
            "hermes_gateway_hosts": list(gateway_hosts),
            "hermes_command": command,
        },
        environ=environ,
        forks=forks,
    )
