"""The group of commands `provision keys`."""

from __future__ import annotations

import typer

from provision.cli.app import app

keys_app = typer.Typer(help="Manage the vault of API keys.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
