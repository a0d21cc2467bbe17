"""`provision run -- CMD…`: run a command with the API key in its environment only."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import (
    HermesProfileOption,
    HomeOption,
    IdentityOption,
    SignersOption,
    chosen_home,
    own_identities,
    trusted_signers,
)


@app.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run_command(
    ctx: typer.Context,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD...", help="The command and its arguments.")],
    home: HomeOption = None,
    hermes_profile: HermesProfileOption = None,
    allowed_signers: SignersOption = None,
    identity: IdentityOption = None,
) -> None:
    """Run a command with the API key in memory only.

    The sealed .env is decrypted into the command's environment. Exits with the command's exit code.
    """
    from datetime import UTC, datetime

    from provision.endpoint.run import execute_command, prepare_run

    run: Run = ctx.obj
    root, profile = chosen_home(home, hermes_profile)
    prepared = prepare_run(
        root,
        hermes_profile=profile,
        signers=trusted_signers(allowed_signers),
        identities=lambda: own_identities(identity),
        environ=os.environ,
        now=datetime.now(UTC),
        pin_home=home is not None,
    )
    for name in prepared.stripped:
        run.say(f"warning: removed {name} from the environment: it would change where Hermes sends requests")
    execute_command(command, prepared.environ)
