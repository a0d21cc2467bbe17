"""`provision enroll`: make this machine's identity and say whom it trusts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Output, Run
from provision.cli.here import endpoint_folder, this_platform


@app.command("enroll")
def enroll_command(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Option("--user", help="Your id in IT's inventory, for the snippet.")] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option("--signer", metavar="KEY|FILE", help="Trust bundles signed by this SSH public key; repeatable."),
    ] = None,
    format_: Annotated[Literal["yaml", "json"], typer.Option("--format", "-f")] = "yaml",
    output: Output = None,
) -> None:
    """Make this machine's keys, print what IT needs.

    The public halves are printed as an inventory snippet; the private ones never leave this machine.
    """
    import getpass
    import platform
    from datetime import UTC, datetime

    from provision.bundle.endpoint import enroll, inventory_snippet, signer_text
    from provision.report.document import document

    run: Run = ctx.obj
    folder = endpoint_folder()
    host = platform.node() or "this-machine"
    texts = [signer_text(argument, Path(argument)) for argument in signer or ()]
    done = enroll(folder, texts, comment=f"{user or getpass.getuser()}-{host}", now=datetime.now(UTC))
    for name in done.made:
        run.say(f"made {folder.root / name}")
    for name in done.signers_added:
        run.say(f"trusts {name} from now on")
    if not done.trusts:
        run.say("nobody is trusted yet: no bundle installs before `provision enroll --signer KEY` with IT's public key")
    if format_ == "json":
        text = document(
            "enroll/v1",
            id=user,
            platform=this_platform().value,
            recipients=[done.recipient],
            endpoint_key=done.endpoint_key,
            made=list(done.made),
            trusts=list(done.trusts),
        )
    else:
        text = inventory_snippet(user, this_platform(), host, done)
    run.result(text, output)
