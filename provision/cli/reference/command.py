"""`provision help` and `provision completion`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.app import app
from provision.errors import NothingMatchedError, UsageError


@app.command("completion")
def completion(
    shell: Annotated[str, typer.Argument(metavar="[bash|zsh|fish|powershell]", help="The shell.")],
) -> None:
    """Print the completion script of a shell.

    It completes commands, options, files, and the users, profiles, tags and rotations of the workspace. bash: save it in
    ~/.local/share/bash-completion/completions/provision; zsh: as _provision in a folder of $fpath; fish: in
    ~/.config/fish/completions/provision.fish; PowerShell: add it to $PROFILE.
    """
    from provision.cli.reference.scripts import SCRIPTS

    if shell not in SCRIPTS:
        raise UsageError(f"unknown shell {shell!r}: expected one of {', '.join(SCRIPTS)}")
    typer.echo(SCRIPTS[shell], nl=False)


@app.command("help")
def help_(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND|TOPIC]...", help="A command, or a topic.")
    ] = None,
    man: Annotated[
        Path | None, typer.Option("--man", metavar="DIR", help="Write a man page for each command into this folder.")
    ] = None,
) -> None:
    """Explain a command or a topic.

    Topics: limits, exit-codes, environment, secrets. Without a name, lists commands and topics.
    """
    from provision.cli.reference.topics import TOPICS

    if man is not None:
        _write_man_pages(man)
    elif not words:
        _show()
        typer.echo("\nTopics:")
        for name, (summary, _) in TOPICS.items():
            typer.echo(f"  {name:<12} {summary}")
    elif words[0] in TOPICS:
        typer.echo(TOPICS[words[0]][1], nl=False)
    else:
        _show(*words)


def _show(*words: str) -> None:
    """Print the help of a command."""
    from provision.cli.main import run
    from provision.cli.reference.tree import all_commands
    from provision.fleet.nearest import nearest_words

    names = {command.words for command in all_commands()}
    if words not in names:
        near = nearest_words(" ".join(words), [" ".join(each) for each in names if each])
        raise NothingMatchedError(f"no command or topic {' '.join(words)!r}", hint=" ".join(["provision help", *near]))
    run([*words, "--help"])


def _write_man_pages(folder: Path) -> None:
    import provision
    from provision.cli.reference.text import man_page
    from provision.cli.reference.tree import all_commands
    from provision.files import write_atomic

    folder.mkdir(parents=True, exist_ok=True)
    commands = all_commands()
    for command in commands:
        below = [each for each in commands if each.words[:-1] == command.words and each.words]
        text = man_page(command, below, provision.__version__)
        write_atomic(folder / f"{'-'.join(('provision', *command.words))}.1", text.encode(), mode=0o644)
    typer.echo(f"wrote {len(commands)} man pages to {folder}")
