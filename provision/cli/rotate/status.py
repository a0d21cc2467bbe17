"""`provision rotate status`: the state of rotations, offline."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.context import Run
from provision.cli.options import Output
from provision.cli.rotate.app import rotate_app
from provision.cli.rotate.options import RotationFormat, RotationName
from provision.cli.rotate.session import open_or_read_vault, print_rotations
from provision.errors import Exit
from provision.report.formats import Format


@rotate_app.command("status")
def status(
    ctx: typer.Context,
    name: RotationName = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Show every user, and rotations that have ended.")] = False,
    format_: RotationFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Show the state of every rotation (offline).

    Per wave and state: what each user waits for, what blocks it, which keys to revoke. Needs no identity; without one
    that opens the vault, keys to revoke are named by label and fingerprint. Exits with 10 when a user failed, a key leaked
    and is not proved dead, or a rotation is halted.
    """
    from datetime import UTC, datetime

    from provision.errors import NothingMatchedError
    from provision.report.attention import in_rotation
    from provision.report.rotation import RotationView
    from provision.rotate.revoke_list import to_revoke
    from provision.rotate.store import RotationStore

    run: Run = ctx.obj
    workspace = run.open_workspace()
    store = RotationStore(workspace.root)
    if name is not None:
        rotations = [store.select(name)]
    elif all_:
        read = (store.read(each) for each in store.names())
        rotations = [rotation for rotation in read if rotation is not None and rotation.begun]
    else:
        rotations = list(store.unfinished())
    if not rotations:
        raise NothingMatchedError("no rotation is in progress", hint="provision rotate start --from FILE")
    vault, now = open_or_read_vault(run, workspace), datetime.now(UTC)
    views = [RotationView(each, now, tuple(to_revoke(each, vault))) for each in rotations]
    print_rotations(views, format_, output, all_users=all_)
    needed = any(True for rotation in rotations for _ in in_rotation(rotation))
    raise typer.Exit(Exit.FINDINGS if needed else Exit.OK)
