"""`provision install`: set up this machine's Hermes from a bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import (
    HomeOption,
    IdentityOption,
    ManagedDirOption,
    SignersOption,
    UserOption,
    endpoint_folder,
    own_identities,
    require_version,
    this_platform,
    trust_beside,
)
from provision.cli.options import Output, TableOrJson
from provision.errors import Exit
from provision.report.formats import Format


@app.command("install")
def install_command(
    ctx: typer.Context,
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE|URL", help="A folder, a .tar or .tar.gz, or an https:// address.")
    ],
    home: HomeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    allowed_signers: SignersOption = None,
    identity: IdentityOption = None,
    user: UserOption = None,
    managed_dir: ManagedDirOption = None,
    requires: Annotated[
        str | None, typer.Option("--requires", metavar="VERSION", help="Refuse if this provision is older.")
    ] = None,
    order: Annotated[
        Path | None,
        typer.Option("--order", help="First obey this order of IT, which `provision halt` or `resume` signed."),
    ] = None,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Install a bundle and keep the user's own settings.

    Reads newer trust lists from `.trust.tar` beside the bundle, verifies the bundle, decrypts it, merges it into this
    machine's Hermes home, and checks where requests go now.
    Exits with 10 if Hermes would not use the route that the bundle sets up.
    """
    from datetime import UTC, datetime

    from provision.cli.endpoint.obey import obey_pushed
    from provision.cli.endpoint.receipt import sign_install_receipt
    from provision.cli.endpoint.status import sign_status_receipt
    from provision.endpoint.apply import DiskWriter, DryRunWriter, HomeWriter
    from provision.endpoint.fetch import fetch_bundle
    from provision.endpoint.halt import end_halt, refuse_while_halted
    from provision.endpoint.install import InstallRequest, install_bundle
    from provision.report import install as report

    run: Run = ctx.obj
    require_version(requires)
    now = datetime.now(UTC)
    force = trust_beside(bundle, allowed_signers, now, keep=not dry_run)
    request = InstallRequest(
        signers=force.signers,
        force=force,
        identities=own_identities(identity),
        platform=this_platform(),
        home=home,
        user=user,
        managed_dir=managed_dir,
    )
    writer: HomeWriter = (DryRunWriter if dry_run else DiskWriter)(Path.home())
    files = fetch_bundle(bundle)
    if order is not None:
        at, followed = obey_pushed(order, files, request, now, dry_run=dry_run)
        if followed.keeps_bundles_away(now):
            signed = None if dry_run else sign_status_receipt(run, at, (allowed_signers, identity), now)
            as_text = report.order_as_json if format_ is Format.JSON else report.order_as_table
            run.result(as_text(followed, now, signed), output)
            return
        for line in filter(None, (followed.done, followed.note)):
            run.say(line)
    if order is None or not dry_run:
        refuse_while_halted(endpoint_folder().root, force.trust, now)
    result = install_bundle(files, request, writer, environ=os.environ, now=now)
    if not dry_run and end_halt(result.home):
        run.say("the halt has ended: Hermes may run again")
    signed = None if dry_run else sign_install_receipt(run, result, now)
    if format_ is Format.JSON:
        text = report.as_json(result, signed)
    else:
        text = report.as_table(result, dry_run=dry_run, verbose=run.verbose)
    run.result(text, output)
    if not result.ok:
        raise typer.Exit(Exit.FINDINGS)
