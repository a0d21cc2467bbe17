"""The group of commands `provision users`, and the question that they share."""

from __future__ import annotations

import sys

import typer

from provision.cli.app import app
from provision.errors import UsageError

users_app = typer.Typer(help="Users who join, move and leave.", no_args_is_help=True)
app.add_typer(users_app, name="users")


def require_confirmation(question: str, *, yes: bool) -> None:
    """Ask on the terminal unless `yes`. Raises UsageError without a terminal, and typer.Abort for any other answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("not confirmed: this is not a terminal", hint="pass --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
        raise typer.Abort
