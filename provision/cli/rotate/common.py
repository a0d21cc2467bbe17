"""What the commands of `rotate` share: their options, the workspace under lock, the new keys, showing where everybody stands."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.options import format_option
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provision.cli.context import Run
    from provision.fleet.workspace import Workspace
    from provision.keys.import_file import NewKey
    from provision.keys.vault.text import SealedVault
    from provision.keys.vault.vault import Vault
    from provision.report.rotation import RotationView
    from provision.rotate.context import RotationContext
    from provision.rotate.model import Blocker
    from provision.rotate.rotation import Rotation

rotate_app = typer.Typer(help="Replace keys in bulk: no outage, every step proved.", no_args_is_help=True)
app.add_typer(rotate_app, name="rotate")


Formatted = Annotated[Format, format_option(Format.TABLE, Format.JSON, Format.HTML)]
Name = Annotated[str | None, typer.Argument(metavar="[ROTATION]", help="Its id; needed when several are under way.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="FILE|-", help="New keys: CSV or JSON, user,new_key[,label].")
]
Probes = Annotated[
    str, typer.Option("--probe", help="What must hold for a new key: key, models, chat (paid), comma-separated.")
]
Deploy = Annotated[bool, typer.Option("--deploy", help="Push bundles through Ansible; else they wait in dist/.")]
Receipts = Annotated[
    list[str] | None,
    typer.Option("--receipts", metavar="FILE|DIR", help="Take in receipts from here first, such as a drop folder."),
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Set aside the note of somebody who was at work on another machine.")
]


@contextlib.contextmanager
def at_work(run: Run, doing: str, *, take_over: bool = False, forks: int = 10) -> Iterator[RotationContext]:
    """The workspace, with the lock of those who rotate, and what a crash left mended."""
    site = open_site(run, forks)
    with site.store.locked(doing, site.clock(), take_over=take_over) as remark:
        if remark:
            run.say(remark)
        site.store.sweep()
        yield site


def open_site(run: Run, forks: int) -> RotationContext:
    """Everything a rotation works with. Raises InvalidFilesError when the fleet's files have errors."""
    import random
    from datetime import UTC, datetime
    from functools import partial

    from provision.cli.delivery.progress import push_progress
    from provision.cli.workspace.gateway import network, open_catalogue
    from provision.fleet.load import load_fleet
    from provision.keys.age import load_identities
    from provision.keys.events.log import operator
    from provision.rotate.context import RotationContext
    from provision.rotate.probes import GatewayAccess
    from provision.rotate.store import RotationStore

    workspace = run.open_workspace()
    fleet = load_fleet(workspace)
    fleet.require_valid()
    settings = workspace.settings
    return RotationContext(
        workspace=workspace,
        store=RotationStore(workspace.root),
        states={state.user: state for state in fleet.states},
        identities=load_identities(workspace.identity),
        reach=GatewayAccess(
            settings.gateway_hosts, network(workspace), open_catalogue(workspace), settings.concurrency, random.random
        ),
        clock=lambda: datetime.now(UTC),
        environ=os.environ,
        who=operator(),
        say=run.say,
        forks=forks,
        watching=partial(push_progress, run, "deploy"),
    )


def vault_as_seen_here(run: Run, workspace: Workspace) -> Vault | SealedVault:
    """The vault, opened if an identity of this machine opens it; else what it tells everybody, which is said."""
    from provision.keys.age import NoIdentityError, load_identities
    from provision.keys.identities import IdentityFileError
    from provision.keys.vault.file import open_vault, read

    try:
        return open_vault(workspace.vault, load_identities(workspace.identity))
    except (IdentityFileError, NoIdentityError) as e:
        run.say(f"the last four characters of keys are not told here: {e.message}")
        return read(workspace.vault)


def end(
    run: Run,
    site: RotationContext,
    done: Sequence[tuple[Rotation, tuple[Blocker, ...]]],
    format_: Format,
    output: Path | None,
    *,
    refused: int = 0,
) -> None:
    """Show how a pass ended, and leave with its code."""
    from provision.rotate.revoke_list import exit_of

    show([status_of(site, rotation, doubts) for rotation, doubts in done], format_, output)
    if output:
        run.say(f"wrote {output}")
    code = exit_of([rotation for rotation, _ in done], (doubt for _, doubts in done for doubt in doubts))
    raise typer.Exit(Exit.PARTIAL if refused and code is Exit.OK else code)


def status_of(site: RotationContext, rotation: Rotation, doubts: tuple[Blocker, ...]) -> RotationView:
    """A rotation now, with the keys to revoke."""
    from provision.report.rotation import RotationView
    from provision.rotate.revoke_list import to_revoke

    return RotationView(rotation, site.clock(), tuple(to_revoke(rotation, site.vault)), doubts)


def show(statuses: Sequence[RotationView], format_: Format, output: Path | None, *, everybody: bool = False) -> None:
    """Print where everybody stands."""
    from provision.report import rotation as report
    from provision.report.output import write_output

    match format_:
        case Format.JSON:
            write_output([report.status_json(statuses)], output)
        case Format.HTML:
            write_output(report.status_html(statuses), output)
        case Format.TABLE:
            write_output(("\n".join(report.status_text(each, everybody=everybody) for each in statuses),), output)


def new_keys(
    run: Run, site: RotationContext, from_: str | None, key_command: str | None, limit: list[str] | None
) -> Sequence[NewKey]:
    """The new keys that were brought. Raises RefusedKeysError for what is wrong with the file."""
    from provision.cli.keys.import_keys import bytes_of
    from provision.errors import Severity
    from provision.fleet.limit import select_users
    from provision.keys.import_file import read_keys
    from provision.rotate.planning import raise_if_errors

    if (from_ is None) == (key_command is None):
        raise UsageError(
            "say either --from FILE or --key-command CMD", hint="the file holds lines of user,new_key[,label]"
        )
    states = select_users(list(site.states.values()), limit)
    if key_command is not None:
        return _commanded(site, key_command, [state.user for state in states])
    intake = read_keys(bytes_of(str(from_)), "standard input" if from_ == "-" else str(from_))
    raise_if_errors(intake.problems)
    for problem in intake.problems[:20]:
        if problem.severity is not Severity.ERROR:
            run.say(str(problem))
    if not limit:
        return intake.keys
    chosen = {state.user for state in states}
    return [new for new in intake.keys if new.user in chosen]


def _commanded(site: RotationContext, command: str, users: Sequence[str]) -> Sequence[NewKey]:
    """The key that the command prints for each user, several at a time."""
    import shlex
    from concurrent.futures import ThreadPoolExecutor

    from provision.errors import Place
    from provision.keys.import_file import NewKey
    from provision.keys.key_command import run_key_command

    words, timeout_s = shlex.split(command), site.workspace.settings.key_command_timeout_s

    def of(user: str) -> NewKey:
        return NewKey(user, run_key_command(words, user, timeout_s), "", Place("--key-command"))

    with ThreadPoolExecutor(site.reach.concurrency) as pool:
        return list(pool.map(of, users))


def probes_of(text: str) -> tuple[str, ...]:
    """The probes that `--probe` names, `key` always among them. Raises UsageError."""
    from provision.aisa.answers import Probe

    words = {word.strip() for word in text.split(",")}
    if words - {p.value for p in Probe} or not words:
        raise UsageError(f"--probe {text} is not understood", hint="key, models, chat, comma-separated")
    return tuple(p.value for p in Probe if p.value in words | {"key"})
