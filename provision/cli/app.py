"""The command tree. A new command is one module with a function, and one line here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import provision

# no rich here: importing it for --help would triple the start-up time
app = typer.Typer(
    name="provision",
    help="Roll the Hermes agent out to many machines on the AIsa gateway.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"provision {provision.__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-w", help="Folder with provision.toml; default: this folder or one above."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no remarks, only results and errors.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Roll the Hermes agent out to many machines on the AIsa gateway."""
    from provision.cli.context import Run

    ctx.obj = Run(workspace=workspace, quiet=quiet, verbose=verbose)
