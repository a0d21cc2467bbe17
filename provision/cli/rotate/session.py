"""What the commands of `rotate` share: the lock, the context of a rotation, and printing."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import typer

from provision.errors import Exit
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from provision.cli.context import Run
    from provision.fleet.workspace import Workspace
    from provision.keys.vault.text import SealedVault
    from provision.keys.vault.vault import Vault
    from provision.report.rotation import RotationView
    from provision.rotate.context import RotationContext
    from provision.rotate.model import Blocker
    from provision.rotate.rotation import Rotation


@contextlib.contextmanager
def locked_rotations(
    run: Run, doing: str, *, take_over: bool = False, forks: int = 10, dry_run: bool = False
) -> Iterator[RotationContext]:
    """Hold the workspace's rotation lock; what a crash left behind is cleaned up or completed first.

    A dry run gets a copy, without a lock.
    """
    from provision.cli.approvals import review_recipients
    from provision.fleet.approvals import read_recipients_approval
    from provision.rotate.take_over import complete_take_overs

    context = open_context(run, forks)
    if dry_run:
        from provision.rotate.rehearsal import rehearsed

        with rehearsed(context) as copy:
            run.say("dry run: nothing is changed; machines are not reached and paid calls are not made")
            complete_take_overs(copy)
            yield copy
        return
    known = read_recipients_approval(context.workspace)
    review_recipients(run.say, context.workspace, tuple(context.states.values()), known)
    with context.store.locked(doing, context.clock(), take_over=take_over) as remark:
        if remark:
            run.say(remark)
        context.store.clean_up()
        complete_take_overs(context)
        yield context


def open_context(run: Run, forks: int) -> RotationContext:
    """Collect everything a rotation works with. Raises InvalidFilesError when the fleet's files have errors."""
    import random
    from datetime import UTC, datetime
    from functools import partial

    from provision.cli.delivery.progress import push_progress
    from provision.cli.workspace.gateway import network_settings, open_catalogue
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
        gateway=GatewayAccess(
            settings.gateway_hosts,
            network_settings(workspace),
            open_catalogue(workspace),
            settings.concurrency,
            random.random,
        ),
        clock=lambda: datetime.now(UTC),
        environ=os.environ,
        who=operator(),
        say=run.say,
        forks=forks,
        watching=partial(push_progress, run, "deploy"),
    )


def open_or_read_vault(run: Run, workspace: Workspace) -> Vault | SealedVault:
    """The vault, opened if an identity of this machine opens it; else its public part, with a remark."""
    from provision.keys.age import NoIdentityError, load_identities
    from provision.keys.identities import IdentityFileError
    from provision.keys.vault.file import open_vault, read_vault

    try:
        return open_vault(workspace.vault, load_identities(workspace.identity))
    except (IdentityFileError, NoIdentityError) as e:
        run.say(f"the last four characters of keys are not shown: {e.message}")
        return read_vault(workspace.vault)


def print_and_exit(
    run: Run,
    context: RotationContext,
    done: Sequence[tuple[Rotation, tuple[Blocker, ...]]],
    format_: Format,
    output: Path | None,
    *,
    refused: int = 0,
) -> None:
    """Print the rotations after a pass, and exit with the code of the worst."""
    from provision.rotate.revoke_list import exit_of

    print_rotations([view_of(context, rotation, doubts) for rotation, doubts in done], format_, output)
    if output:
        run.say(f"wrote {output}")
    notify_of(run, context, [rotation for rotation, _ in done])
    code = exit_of([rotation for rotation, _ in done], (doubt for _, doubts in done for doubt in doubts))
    raise typer.Exit(Exit.PARTIAL if refused and code is Exit.OK else code)


def notify_of(run: Run, context: RotationContext, rotations: Iterable[Rotation]) -> None:
    """Tell the targets of `notify` about halts and leaks. Not in a dry run, whose workspace has none."""
    from provision.cli.notifications import send_notifications
    from provision.fleet.notify_target import NotifyEvent
    from provision.report.attention import in_rotation

    attention = [each for rotation in rotations for each in in_rotation(rotation)]
    send_notifications(run, context.workspace, "rotate", attention, examined={NotifyEvent.HALTED})


def view_of(context: RotationContext, rotation: Rotation, doubts: tuple[Blocker, ...]) -> RotationView:
    """A rotation now, with the keys to revoke."""
    from provision.report.rotation import RotationView
    from provision.rotate.revoke_list import to_revoke

    return RotationView(rotation, context.clock(), tuple(to_revoke(rotation, context.vault)), doubts)


def print_rotations(
    views: Sequence[RotationView], format_: Format, output: Path | None, *, all_users: bool = False
) -> None:
    """Print the state of rotations in one of their formats."""
    from provision.report import rotation as report
    from provision.report.output import write_output

    writers: dict[Format, Callable[[], Iterable[str]]] = {
        Format.TABLE: lambda: ["\n".join(report.status_text(each, all_users=all_users) for each in views)],
        Format.JSON: lambda: [report.status_json(views)],
        Format.HTML: lambda: report.status_html(views),
    }
    write_output(writers[format_](), output)
