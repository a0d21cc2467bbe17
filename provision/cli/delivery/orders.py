"""`provision halt` and `provision resume`: signed orders to machines, carried by the feed and by Ansible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import DryRun, Output, TableOrJson, parse_duration, without_keys
from provision.errors import UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from provision.fleet.desired import DesiredState
    from provision.trust.orders import OrderKind

Users = Annotated[list[str] | None, typer.Argument(metavar="USER...", help="Ids or patterns, as for --limit.")]
Everyone = Annotated[bool, typer.Option("--all", help="All users of the inventory.")]
Reason = Annotated[
    str, typer.Option("--reason", callback=without_keys, help="What the user reads; signed and recorded.")
]
_SHOWN = 50


@app.command("halt")
def halt(
    ctx: typer.Context,
    reason: Reason,
    life: Annotated[str, typer.Option("--for", metavar="4h", help="Time after which the halt ends by itself.")],
    users: Users = None,
    everyone: Everyone = False,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Order machines to stop Hermes until a time.

    Signs an order for each user; `provision publish`, `deploy` and `reconcile` carry it. The machine takes the
    route and the key out of Hermes, and puts them back when the halt ends. Only revoking a key in AIsa's console stops a machine
    that does not listen: the keys are listed, with the command that proves them dead.
    """
    _give(ctx.obj, "halt", users, reason, parse_duration(life, "--for"), (everyone, dry_run), (format_, output))


@app.command("resume")
def resume(
    ctx: typer.Context,
    reason: Reason,
    users: Users = None,
    everyone: Everyone = False,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """End a halt before its time.

    Signs an order for each user, which takes the place of the halt; the next pull or deployment installs the bundle again.
    """
    from datetime import timedelta

    _give(ctx.obj, "resume", users, reason, timedelta(days=30), (everyone, dry_run), (format_, output))


def _give(
    run: Run,
    kind: OrderKind,
    users: Sequence[str] | None,
    reason: str,
    life: timedelta,
    how: tuple[bool, bool],
    where: tuple[Format, Path | None],
) -> None:
    from datetime import UTC, datetime

    from provision.cli.delivery.receipts import fleet_states
    from provision.feed.give_orders import give_orders
    from provision.fleet.limit import select_users
    from provision.keys.vault.file import read_vault
    from provision.report.document import document
    from provision.report.terminal import plural, table
    from provision.shell import shell_word

    (everyone, dry_run), (format_, output) = how, where
    if everyone == bool(users):
        raise UsageError("name users, or use --all", hint=f"provision {shell_word(kind)} USER… --reason TEXT")
    if not reason.strip():
        raise UsageError("--reason is empty", hint="say why: the user reads it")
    workspace, now = run.open_workspace(), datetime.now(UTC)
    states: Sequence[DesiredState] = fleet_states(workspace)
    if not everyone:
        states = select_users(states, list(users or ()))
    orders = give_orders(workspace, kind, [s.user for s in states], reason=reason, life=life, now=now, dry_run=dry_run)
    ledger = read_vault(workspace.vault)
    keys = {s.user: key.fingerprint for s in states if (key := ledger.current(s.user))}
    expires = orders[0].expires if orders else ""
    if format_ is Format.JSON:
        given = [{"user": s.user, "key_fingerprint": keys.get(s.user)} for s in states]
        run.result(
            document("orders/v1", kind=kind, reason=reason, expires=expires, dry_run=dry_run, users=given), output
        )
        return
    proof = "provision validate --probe key --fail-on ok"
    if not everyone:
        proof += f" -l {shell_word(','.join(users or ()))}"
    lines = [
        f"{'would give' if dry_run else 'gave'} the order to {kind} to {plural(len(states), 'user')}, valid until {expires}"
    ]
    if kind == "halt":
        rows = [(s.user, keys.get(s.user, "no key")) for s in states[:_SHOWN]]
        lines += [
            "a machine obeys at its next pull, or when it is deployed to; what runs there already goes on until it is restarted",
            "only revoking these keys in AIsa's console stops a machine that does not listen:",
            table(("USER", "KEY"), rows).rstrip("\n"),
            *([f"… and {len(states) - _SHOWN:,} more: --format json lists them"] if len(states) > _SHOWN else []),
            f"then prove them dead (exit 10 while one works): {proof}",
        ]
    if not dry_run:
        lines.append("next: provision publish DIR, or provision deploy")
    run.result("\n".join(lines) + "\n", output)
