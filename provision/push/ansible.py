"""Run `ansible-playbook` with our collection and settings in a private folder; its output are lines of JSON.

The operator's own ansible.cfg and ANSIBLE_* variables are not used, so that no log, callback or cache of other projects sees
this run. `group_vars` and `host_vars` of the workspace and ~/.ssh/config are used. The folder holds no secret: only addresses,
user ids and paths.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError, UsageError
from provision.fleet.names import ACCOUNT
from provision.programs import find_program
from provision.push.inventory import as_inventory_file
from provision.scratch import Scratch, scratch_folder
from provision.shell import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.push.inventory import Target

COLLECTION = Path(__file__).with_name("collection")
PLAYBOOK = "hermes.provision.install"
CONNECT_S = 10
SILENCE_S = 15


class NoAnsibleError(ProvisionError):
    """ansible-playbook is not installed."""


class AnsibleError(ProvisionError):
    """ansible-playbook failed as a whole."""


@dataclass(frozen=True, slots=True)
class Ssh:
    """How to log in to machines. None leaves a setting to SSH; host keys are always checked strictly."""

    login: str | None = None
    key: Path | None = None
    known_hosts: Path | None = None
    account: str | None = None
    become: bool = True

    def __post_init__(self) -> None:
        if self.account is not None and not re.fullmatch(ACCOUNT, self.account.replace("{user}", "user")):
            raise UsageError(
                f"invalid --account {self.account!r}",
                hint="use a name such as ada, {user}@corp.example or CORP\\{user}",
            )

    @property
    def account_variable(self) -> str | None:
        """The account for Ansible, in which `{user}` is each machine's user."""
        return self.account.replace("{user}", "{{ hermes_user }}") if self.account else None


def find_playbook_command(environ: Mapping[str, str]) -> Path:
    """Return `ansible-playbook` beside the running Python, else from the PATH. Raises NoAnsibleError."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    if os.access(beside, os.X_OK):
        return beside
    found = find_program("ansible-playbook", environ)
    if found is None:
        raise NoAnsibleError(
            "ansible-playbook is not installed",
            hint=f"run `{install_command('ansible')}`, or install your system's package of ansible-core",
        )
    return Path(found)


@contextmanager
def prepared_folder(workspace: Path, ssh: Ssh, forks: int) -> Iterator[Path]:
    """Yield a private folder with the settings and the collection, and delete it afterwards."""
    with scratch_folder(Scratch.DEPLOY) as folder:
        (folder / "ansible_collections" / "hermes").mkdir(parents=True)
        (folder / "ansible_collections" / "hermes" / "provision").symlink_to(COLLECTION)
        for variables in ("group_vars", "host_vars"):
            if (workspace / variables).is_dir():
                (folder / variables).symlink_to((workspace / variables).absolute())
        (folder / "ansible.cfg").write_text(_settings(folder, ssh, forks))
        yield folder


def _settings(folder: Path, ssh: Ssh, forks: int) -> str:
    options = [
        *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"),
        *("-o", f"ServerAliveInterval={SILENCE_S // 3}", "-o", "ServerAliveCountMax=3"),
    ]
    if ssh.known_hosts is not None:
        options += ["-o", f"UserKnownHostsFile={ssh.known_hosts.absolute()}", "-o", "GlobalKnownHostsFile=/dev/null"]
    lines = {
        "defaults": {
            "collections_path": folder,
            "stdout_callback": "hermes.provision.jsonl",
            "forks": forks,
            "gathering": "explicit",
            "timeout": CONNECT_S,
            "host_key_checking": True,
            "retry_files_enabled": False,
            "local_tmp": folder / "tmp",
            "home": folder,
            "interpreter_python": "/usr/bin/python3",
            "display_args_to_stdout": False,
            "no_target_syslog": True,
            "deprecation_warnings": False,
            "nocows": True,
        },
        "ssh_connection": {"pipelining": True, "retries": 0, "ssh_args": shlex.join(options)},
    }
    escaped = {section: {k: str(v).replace("%", "%%") for k, v in values.items()} for section, values in lines.items()}
    return "".join(f"[{s}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items()) for s, values in escaped.items())


def playbook_command(
    program: Path,
    folder: Path,
    targets: Sequence[Target],
    ssh: Ssh,
    more: Mapping[str, object],
    *,
    defaults: Mapping[str, object],
    check: bool,
    playbook: str = PLAYBOOK,
) -> list[str]:
    """Write the inventory and the variables into the folder and return the command line for these targets.

    `more` are variables that nothing overrides, `defaults` those that group_vars and host_vars override.
    """
    inventory, variables = folder / "hosts.json", folder / "variables.json"
    inventory.write_text(json.dumps(as_inventory_file(targets, defaults)))
    variables.write_text(json.dumps(dict(more)))
    line = [str(program), playbook, "--inventory", str(inventory), "--extra-vars", f"@{variables}"]
    if ssh.login:
        line += ["--user", ssh.login]
    if ssh.key:
        line += ["--private-key", str(ssh.key.absolute())]
    return [*line, *(["--check"] if check else [])]


def playbook_environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the operator's environment without Ansible's and provision's variables."""
    kept = {k: v for k, v in environ.items() if not k.startswith(("ANSIBLE_", "PROVISION_", "PYTHON"))}
    return kept | {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


@contextmanager
def running_playbook(
    line: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ansible-playbook in its own process group and end the whole group on exit."""
    with (
        (folder / "errors").open("wb") as errors,
        subprocess.Popen(  # noqa: S603  a program found on the PATH, arguments without a shell
            line,
            cwd=folder,
            env=playbook_environment(folder, environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    import signal  # noqa: PLC0415  beside its only use

    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
            process.wait(5)
        except (ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
            continue
