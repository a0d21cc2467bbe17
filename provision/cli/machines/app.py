"""The group of commands `provision machines`, and the options of SSH that they share with `users leave`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.app import app

machines_app = typer.Typer(help="Machines of users.", no_args_is_help=True)
app.add_typer(machines_app, name="machines")

LoginOption = Annotated[str | None, typer.Option("--remote-user", "-u", help="Log in to machines as this user.")]
PrivateKeyOption = Annotated[
    Path | None, typer.Option("--private-key", exists=True, dir_okay=False, help="SSH private key to log in with.")
]
KnownHostsOption = Annotated[
    Path | None,
    typer.Option("--known-hosts", exists=True, dir_okay=False, help="File of host keys. Default: SSH's own."),
]
AccountOption = Annotated[
    str | None, typer.Option("--account", help="Account that owns Hermes: ada, {user}@corp.example. Default: the id.")
]
CommandOption = Annotated[str | None, typer.Option("--command", help="Path of provision on the machines.")]
