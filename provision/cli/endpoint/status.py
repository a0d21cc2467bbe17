"""`provision status`: show what is installed here, and where Hermes sends its requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import (
    HermesProfileOption,
    HomeOption,
    IdentityOption,
    SignersOption,
    chosen_home,
    endpoint_folder,
    machine_trust,
    own_identities,
    trusted_signers,
)
from provision.cli.options import Limit, Output, TableOrJson
from provision.errors import Exit, ProvisionError, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from provision.receipts.receipt import SignedReceipt
    from provision.report.home_status import ItsWord


class NoReceiptError(ProvisionError):
    """No receipt can be signed: nothing is installed, or this machine is not enrolled."""


@app.command("status")
def status_command(
    ctx: typer.Context,
    home: HomeOption = None,
    hermes_profile: HermesProfileOption = None,
    hermes: Annotated[bool, typer.Option("--hermes", help="Also send one question through the real Hermes.")] = False,
    allowed_signers: SignersOption = None,
    identity: IdentityOption = None,
    receipt: Annotated[
        bool, typer.Option("--receipt", help="Print the signed receipt instead, to send to IT.")
    ] = False,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="IT, in a workspace: show which machines are current, by their receipts.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 10 also if this version of Hermes is not verified.")
    ] = False,
    silent_after: Annotated[
        str, typer.Option("--silent-after", metavar="7d", help="With --fleet: age at which a machine counts as silent.")
    ] = "7d",
    every: Annotated[bool, typer.Option("--all", help="List every destination of this home.")] = False,
    limit: Limit = None,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Show where Hermes sends its requests.

    The questions to the model, and everything else that leaves this home. Also shows what is installed and what has
    drifted. Exits with 10 if there is a problem.
    """
    run: Run = ctx.obj
    if fleet:
        _fleet(
            run, limit, silent_after, format_, output, strict=strict, one_machine=home is not None or hermes or receipt
        )
        return
    if limit:
        raise UsageError("--limit needs --fleet")
    from datetime import UTC, datetime

    from provision.cli.endpoint.contact import it_contact
    from provision.cli.endpoint.receipt import sign_receipt
    from provision.endpoint.machine_hermes import hermes_on_machine
    from provision.endpoint.overall import OverallState
    from provision.endpoint.processes import holding_old_key
    from provision.endpoint.status import home_status
    from provision.report import home_status as report

    root, profile = chosen_home(home, hermes_profile)
    now = datetime.now(UTC)
    environ = hermes_environment(run, root, profile, allowed_signers, identity, now)
    found = home_status(
        root,
        signers=trusted_signers(allowed_signers),
        environ=environ,
        now=now,
        hermes_profile=profile,
        hermes=hermes_on_machine(root, environ),
    )
    signed = sign_receipt(run, found.home, found.installed, found.check, found.drift, now)
    if receipt:
        _print_receipt(run, found.home, signed, output)
        return
    answer = None
    if hermes:
        from provision.endpoint.probe_hermes import ask_hermes

        answer = ask_hermes(root, profile, environ)
    stale = holding_old_key(found.home)
    if format_ is Format.JSON:
        run.result(report.as_json(found, answer, stale, its_word(allowed_signers, now)), output)
    else:
        run.result(report.as_table(found, answer, stale, its_word(allowed_signers, now), every=every), output)
    unverified = strict and found.state is OverallState.OK_UNVERIFIED
    if not found.ok and (contact := it_contact()):
        run.say(f"IT: {contact}")
    if not found.ok or unverified or (answer is not None and not answer.ok):
        raise typer.Exit(Exit.FINDINGS)


def sign_status_receipt(
    run: Run, home: Path, given: tuple[Path | None, Path | None], now: datetime
) -> SignedReceipt | None:
    """Sign the receipt for a home as it is now; None when it cannot be. `given`: allowed signers and identity, as options."""
    from provision.cli.endpoint.receipt import sign_receipt
    from provision.endpoint.machine_hermes import hermes_on_machine
    from provision.endpoint.status import home_status

    inside = home.parent.name == "profiles"
    root, profile = (home.parent.parent, home.name) if inside else (home, None)
    try:
        environ = hermes_environment(Run(quiet=True), root, profile, *given, now)
        found = home_status(
            root,
            signers=trusted_signers(given[0]),
            environ=environ,
            now=now,
            hermes_profile=profile,
            hermes=hermes_on_machine(root, environ),
        )
    except ProvisionError as e:
        run.say(f"no receipt was written: {e}")
        return None
    return sign_receipt(run, found.home, found.installed, found.check, found.drift, now)


def its_word(signers: Path | None, now: datetime) -> ItsWord:
    """What this machine follows: its trust list, and the last order that still counts by it."""
    from provision.endpoint.obeyed_order import read_obeyed
    from provision.report.home_status import ItsWord

    trust = machine_trust(signers).trust
    order = read_obeyed(endpoint_folder().root)
    return ItsWord(trust, order.under(trust) if order else None, now)


def _print_receipt(run: Run, home: Path, signed: SignedReceipt | None, output: Path | None) -> None:
    if signed is None:
        raise NoReceiptError(
            f"no receipt can be signed for {home}", hint="`provision enroll`, then `provision install BUNDLE`"
        )
    run.data(signed.data.decode(), output)


def _fleet(
    run: Run,
    limit: list[str] | None,
    silent_after: str,
    format_: Format,
    output: Path | None,
    *,
    strict: bool,
    one_machine: bool,
) -> None:
    from provision.cli.delivery.status_fleet import fleet_status

    if one_machine:
        raise UsageError("--fleet does not go with --home, --hermes or --receipt: those are about one machine")
    if not fleet_status(run, limit, silent_after, format_, output, strict=strict):
        raise typer.Exit(Exit.FINDINGS)


def hermes_environment(
    run: Run, root: Path, profile: str | None, signers: Path | None, identity: Path | None, now: datetime
) -> Mapping[str, str]:
    """The environment Hermes runs in; it includes the key when that is only delivered through `provision run`."""
    from provision.endpoint.run import NotForRunError, prepare_run

    try:
        prepared = prepare_run(
            root,
            hermes_profile=profile,
            signers=trusted_signers(signers),
            identities=lambda: own_identities(identity),
            environ=os.environ,
            now=now,
        )
    except NotForRunError:
        return os.environ
    except ProvisionError as e:
        run.detail(f"without the environment of `provision run`: {e}")
        return os.environ
    run.say("the key is delivered through `provision run`: this is the route of `provision run -- hermes`")
    return prepared.environ
