"""The command tree. A new command is one module with a function, a line in `main`, and its name in a section here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import provision

SECTIONS = {
    "Try it": ("demo",),
    "IT, in a workspace": (
        "init", "check", "show", "schema", "models", "keys", "render", "diff", "validate",
        "deploy", "build-zipapp", "publish", "package", "receipts",
    ),
    "On a user's machine": ("enroll", "install", "pull", "status", "run"),
}  # fmt: skip
"""Commands by who types them, in the order of a roll-out; what is not listed comes last."""


class Sections(TyperGroup):
    """The list of commands, by section."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # click's types, or those of typer's own copy of it
        """Write a list per section, as `--help` shows it."""
        listed = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in listed)
        width = max(len(name) for name in self.commands) + 6
        for title, names in (*SECTIONS.items(), ("Other", others)):
            found = [(name, self.commands[name]) for name in names if name in self.commands]
            if found:
                with formatter.section(title):
                    rows = [(name, command.get_short_help_str(formatter.width - width)) for name, command in found]
                    formatter.write_dl(rows)


# no rich here: importing it for --help would triple the start-up time
app = typer.Typer(
    name="provision",
    cls=Sections,
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
