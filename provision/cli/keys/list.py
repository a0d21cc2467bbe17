"""`provision keys list`: what the vault holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app
from provision.cli.options import Limit, Output, TableOrJson
from provision.errors import UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from datetime import datetime

    from provision.keys.vault.ledger import KeyVersion


@keys_app.command("list")
def list_(
    ctx: typer.Context,
    limit: Limit = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="90d", help="List only keys in use that are at least this old (days or weeks)."
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="List retired keys, too.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Open the vault and verify its integrity first.")] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """List the keys in the vault, with user and age. Needs no identity, and shows no key."""
    from datetime import UTC, datetime

    from provision.keys.events.log import log_mismatches, log_path
    from provision.keys.vault.file import open_vault, read_vault
    from provision.keys.vault.ledger import Stage
    from provision.report.document import document
    from provision.report.terminal import plural

    run: Run = ctx.obj
    workspace = run.open_workspace()
    days = parse_age_days(older_than)
    sealed = read_vault(workspace.vault)
    if verify:
        from provision.keys.age import load_identities

        open_vault(workspace.vault, load_identities(workspace.identity))
        run.say("the vault is intact: only provision has changed it")
    for found in log_mismatches(log_path(workspace.vault), sealed.generation, sealed.header.log_head):
        run.say(f"warning: {found.message}; check with `provision keys log --verify`")
    users = _users(run, limit)
    now = datetime.now(UTC)
    shown = [
        known
        for known in sealed
        if (all_ or known.stage is not Stage.RETIRED)
        and (days is None or (known.stage is not Stage.RETIRED and known.age_days(now) >= days))
        and (users is None or known.user in users)
    ]
    if format_ is Format.JSON:
        rows = [_row(known, now) for known in shown]
        text = document("keys/v1", generation=sealed.generation, operators=len(sealed.operators), keys=rows)
    else:
        text = _table(shown, now)
        run.say(f"{len(shown):,} of {plural(len(sealed), 'key version')}; generation {sealed.generation}")
    run.result(text, output)


def parse_age_days(text: str | None) -> int | None:
    """Parse `90`, `90d` or `12w` into days. Raises UsageError."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:].lower()
    if text.isdecimal():
        number, unit = text, "d"
    if not (number.isdecimal() and len(number) <= 5 and unit in ("d", "w")):
        raise UsageError(f"invalid age {text!r} for --older-than", hint="use days or weeks, such as 90d or 12w")
    return int(number) * (7 if unit == "w" else 1)


def _users(run: Run, limit: list[str] | None) -> set[str] | None:
    if not limit:
        return None
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet

    return {state.user for state in select_users(load_fleet(run.open_workspace()).states, limit)}


def _row(known: KeyVersion, now: datetime) -> dict[str, object]:
    return {
        "user": known.user,
        "version": known.version,
        "stage": known.stage.value,
        "fingerprint": known.fingerprint,
        "created": known.created.isoformat(),
        "age_days": known.age_days(now),
        "label": known.label,
        "demo_until": known.demo_until.isoformat() if known.demo_until else None,
        "expired": known.expired(now.date()),
    }


def _table(shown: list[KeyVersion], now: datetime) -> str:
    from provision.report.terminal import table

    def note(known: KeyVersion) -> str:
        if known.demo_until is None:
            return ""
        return f"demo, {'ended' if known.expired(now.date()) else 'until'} {known.demo_until}"

    return table(
        ("USER", "VERSION", "STAGE", "FINGERPRINT", "AGE", "LABEL", "NOTE"),
        ((k.user, k.version, k.stage.value, k.fingerprint, f"{k.age_days(now)}d", k.label, note(k)) for k in shown),
    )
