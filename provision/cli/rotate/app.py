"""The group of commands `provision rotate`."""

from __future__ import annotations

import typer

from provision.cli.app import app

rotate_app = typer.Typer(help="Replace API keys in bulk, without an outage.", no_args_is_help=True)
app.add_typer(rotate_app, name="rotate")
