"""The groups `provision operators` and `provision recovery`."""

from __future__ import annotations

import typer

from provision.cli.app import app

operators_app = typer.Typer(help="Manage operators and the trust list.", no_args_is_help=True)
app.add_typer(operators_app, name="operators")
recovery_app = typer.Typer(help="Test or use the recovery key.", no_args_is_help=True)
app.add_typer(recovery_app, name="recovery")
