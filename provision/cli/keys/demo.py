"""`provision keys demo`: keys with a last day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app
from provision.cli.options import Output, TableOrJson, parse_last_day
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from datetime import date

    from provision.keys.vault.ledger import KeyVersion


@keys_app.command("demo")
def demo(
    ctx: typer.Context,
    users: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="USER", help="Users whose current keys are demo keys. Without users: list all demo keys."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Last day of the keys, such as 2026-03-31.")
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove the last day: the keys are no longer demo keys.")
    ] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Set the last day of users' current keys (demo keys).

    After that day no bundle is rendered with them. Without users, the demo keys are listed. An expired demo key is an
    error in `check` until it is retired.
    """
    from datetime import UTC, datetime

    from provision.errors import NothingMatchedError
    from provision.keys.age import load_identities
    from provision.keys.vault.file import editing

    run: Run = ctx.obj
    today = datetime.now(UTC).date()
    workspace = run.open_workspace()
    if not users:
        if clear or until:
            raise UsageError("no user given", hint="provision keys demo USER… --until DATE")
        _list_demo(run, workspace.vault, today, format_, output)
        return
    if clear == (until is not None):
        raise UsageError("give either --until DATE or --clear")
    day = parse_last_day(until, "--until", today) if until else None
    with editing(workspace.vault, load_identities(workspace.identity), "keys demo") as vault:
        missing = [user for user in users if vault.current(user) is None]
        if missing:
            raise NothingMatchedError(f"no current key: {', '.join(missing)}", hint="provision keys list")
        done = [vault.set_demo(user, known.version, day) for user in users if (known := vault.current(user))]
    for known in done:
        run.say(f"{known.user} version {known.version}: {f'a demo key until {day}' if day else 'no longer a demo key'}")


def _list_demo(run: Run, vault: Path, today: date, format_: Format, output: Path | None) -> None:
    from provision.keys.vault.file import read_vault
    from provision.keys.vault.ledger import Stage
    from provision.report.document import document
    from provision.report.terminal import plural, table

    demo_keys = [known for known in read_vault(vault) if known.demo_until]
    active = [known for known in demo_keys if known.stage is not Stage.RETIRED]
    expired = [known for known in active if known.expired(today)]
    if format_ is Format.JSON:
        rows = [
            {
                "user": known.user,
                "version": known.version,
                "stage": known.stage.value,
                "fingerprint": known.fingerprint,
                "until": str(known.demo_until),
                "state": _demo_state(known, today),
            }
            for known in demo_keys
        ]
        run.result(document("keys-demo/v1", keys=rows), output)
    else:
        cells = (
            (
                known.user,
                known.version,
                known.stage.value,
                known.fingerprint,
                known.demo_until,
                _demo_state(known, today),
            )
            for known in demo_keys
        )
        run.result(table(("USER", "VERSION", "STAGE", "FINGERPRINT", "LAST DAY", "STATE"), cells), output)
        run.say(f"{plural(len(active), 'demo key')} in use, {len(expired)} expired")
    if expired:
        raise typer.Exit(Exit.FINDINGS)


def _demo_state(known: KeyVersion, today: date) -> str:
    if known.stage.value == "retired":
        return "retired"
    return "expired" if known.expired(today) else "valid"
