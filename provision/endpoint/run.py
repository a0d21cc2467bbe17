"""`provision run`: start a command with the decrypted `.env` only in its environment.

For homes with `secret_delivery: run`: the key is decrypted in memory, passed in the environment of the command, and never
written. On POSIX systems the command replaces this process, so signals, terminal and exit code are the command's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from provision.bundle.manifest import SEALED_ENV
from provision.endpoint.halt import refuse_halted
from provision.endpoint.route_check import run_environment
from provision.endpoint.state import require_installed
from provision.endpoint.verify import AcceptanceRules, env_values, open_bundle, verify_bundle
from provision.errors import ProvisionError
from provision.files import read_optional
from provision.fleet.desired import SecretDelivery
from provision.hermes.env.parsers import read_env_raw
from provision.hermes.facts import names as facts
from provision.hermes.home import MAX_FILE_BYTES, HomePaths, effective_home
from provision.keys.age import unseal
from provision.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.bundle.manifest import Manifest
    from provision.keys.age import Identity
    from provision.signing.allowed_signers import AllowedSigner


class NotForRunError(ProvisionError):
    """The key of this home is in its `.env`, so `run` has nothing to decrypt."""


class PreferredLineError(ProvisionError):
    """The home's `.env` has a line that Hermes would prefer to the environment of `run`."""


class CommandNotFoundError(ProvisionError):
    """The command does not exist, or is not executable."""


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """The environment for a command; `stripped` names the variables that were removed from it."""

    environ: Mapping[str, str] = field(repr=False)
    stripped: tuple[str, ...]
    manifest: Manifest


def prepare_run(
    root: Path,
    *,
    hermes_profile: str | None,
    signers: Sequence[AllowedSigner],
    identities: Callable[[], Sequence[Identity]],
    environ: Mapping[str, str],
    now: datetime,
    pin_home: bool = False,
) -> PreparedRun:
    """Verify the installed bundle, open the sealed `.env`, and make the command's environment.

    `identities` is called only after everything is verified. `pin_home` also sets HERMES_HOME, for a home that is not the
    default one. Raises NotInstalledError, NotForRunError, PreferredLineError and the errors of `verify`.
    """
    home = effective_home(root, hermes_profile)
    installed = require_installed(home)
    refuse_halted(home)
    manifest = installed.manifest
    if manifest.secret_delivery is not SecretDelivery.RUN:
        raise NotForRunError(
            f"the key of {home} is in its .env, so there is nothing to decrypt",
            hint="start the command itself: it finds the key there",
        )
    verified = verify_bundle(installed.bundle_files(), AcceptanceRules(signers, now), content=(SEALED_ENV,))
    values = env_values(open_bundle(verified, lambda sealed: unseal(sealed, identities())).env)
    lines = read_env_raw(read_optional(HomePaths(home).env, MAX_FILE_BYTES) or b"")
    if manifest.key_env in lines:
        raise PreferredLineError(
            f"{HomePaths(home).env} has a line {manifest.key_env}=, which overrides `provision run`",
            hint="remove that line, or install the bundle again",
        )
    made, stripped = run_environment(environ, values)
    if pin_home or hermes_profile is not None:
        made[facts.HOME_ENV] = str(home)
    return PreparedRun(made, stripped, manifest)


def execute_command(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by the command (POSIX), or run it and exit with its code (Windows). Raises CommandNotFoundError."""
    program = find_program(command[0], environ)
    if program is None:
        hint = "put the command after `--`: provision run -- hermes"
        raise CommandNotFoundError(f"command not found: {command[0]!r}", hint=hint)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":
        raise SystemExit(run_and_wait([program, *command[1:]], environ))
    try:
        os.execve(program, list(command), dict(environ))  # noqa: S606  the user's own command
    except OSError as e:
        raise CommandNotFoundError(
            f"cannot run {program}: {e.strerror}", hint="check that it is an executable program"
        ) from e


def run_and_wait(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command and return its exit code. Ctrl-C is for the command: this process goes on waiting for it."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)  # SIG_IGN would be inherited
    try:
        return subprocess.run(command, env=dict(environ), check=False).returncode  # noqa: S603  the user's own command
    finally:
        signal.signal(signal.SIGINT, before)
