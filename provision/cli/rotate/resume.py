"""`provision rotate resume`: continue rotations as far as they can go now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.context import Run
from provision.cli.options import Forks, Output
from provision.cli.rotate.app import rotate_app
from provision.cli.rotate.options import (
    DryRunOption,
    NewKeysFile,
    ReceiptsOption,
    RotationFormat,
    RotationName,
    TakeOverOption,
    parse_span_s,
    rotation_probes,
)
from provision.cli.rotate.read_keys import read_new_keys
from provision.cli.rotate.session import locked_rotations, print_and_exit
from provision.errors import UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from provision.rotate.model import Blocker
    from provision.rotate.rotation import Rotation


@rotate_app.command("resume")
def resume(
    ctx: typer.Context,
    name: RotationName = None,
    from_: NewKeysFile = None,
    receipts: ReceiptsOption = None,
    max_failures: Annotated[
        int | None, typer.Option("--max-failures", min=0, help="Halt when more users than this fail, from now on.")
    ] = None,
    confirm_within: Annotated[
        str | None, typer.Option("--confirm-within", metavar="7d", help="From now on, see `rotate start --help`.")
    ] = None,
    idle_for: Annotated[
        str | None, typer.Option("--idle-for", metavar="1h", help="From now on, see `rotate start --help`.")
    ] = None,
    probe: Annotated[
        str | None,
        typer.Option("--probe", help="From now on, the checks of each new key; chat can be dropped, not added."),
    ] = None,
    go_on: Annotated[bool, typer.Option("--go-on", help="Continue after a rollback of all users.")] = False,
    forks: Forks = 10,
    dry_run: DryRunOption = False,
    take_over: TakeOverOption = False,
    format_: RotationFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Continue every rotation as far as it can go now.

    Safe to run at any time, also from cron. Exits with 0 when no step failed, even if steps are still to come; with 4
    when a result is unknown; with 10 when a user failed.
    """
    from provision.rotate.delivery import import_receipts
    from provision.rotate.model import stamp
    from provision.rotate.runner import run_pass, seal_new_keys
    from provision.rotate.start import add_new_keys, open_rotation

    run: Run = ctx.obj
    terms = _changed_terms(confirm_within, idle_for, probe)
    with locked_rotations(run, "rotate resume", take_over=take_over, dry_run=dry_run, forks=forks) as context:
        single = name is not None or max_failures is not None or go_on or from_ is not None or bool(terms)
        rotations = ([] if single else list(context.store.unfinished())) or [context.store.select(name)]
        if "chat" in terms.get("probes", ()) and any("chat" not in each.terms.probes for each in rotations):
            raise UsageError(
                "paid calls cannot be added to a rotation: they are agreed when it starts",
                hint="drop chat from --probe, or check with: provision validate --probe chat",
            )
        refused = import_receipts(context, receipts or ())
        keys = read_new_keys(run, context, from_, None, None) if from_ else []
        done: list[tuple[Rotation, tuple[Blocker, ...]]] = []
        for rotation in rotations:
            with open_rotation(context, rotation) as recorder:
                if max_failures is not None or go_on:
                    budget = rotation.budget if max_failures is None else max_failures
                    recorder.write([{"at": stamp(recorder.now()), "budget": budget}])
                if terms:
                    recorder.write([{"at": stamp(recorder.now()), "terms": terms}])
                if keys:
                    add_new_keys(recorder, keys)
                seal_new_keys(recorder, {})
                run_pass(recorder)
                done.append((rotation, tuple(recorder.unsure)))
        print_and_exit(run, context, done, format_, output, refused=refused)


def _changed_terms(confirm_within: str | None, idle_for: str | None, probe: str | None) -> dict[str, Any]:
    """The terms that the options change, as the journal records them. Raises UsageError."""
    terms: dict[str, Any] = {}
    if confirm_within is not None:
        terms["confirm_within_s"] = parse_span_s(confirm_within, "--confirm-within")
    if idle_for is not None:
        terms["idle_for_s"] = parse_span_s(idle_for, "--idle-for")
    if probe is not None:
        terms["probes"] = list(rotation_probes(probe))
    return terms
