"""`provision enroll`: make this machine's identity and say whom it trusts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import endpoint_folder, this_platform
from provision.cli.options import Output
from provision.errors import Exit, UsageError


@app.command("enroll")
def enroll_command(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Option("--user", help="Your id in IT's inventory, for the snippet.")] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option("--signer", metavar="KEY|FILE", help="Trust bundles signed by this SSH public key; repeatable."),
    ] = None,
    batch: Annotated[
        list[str] | None,
        typer.Option(
            "--batch", metavar="FILE|DIR|URL", help="IT: take in users' keys; files, or https://HOST/USER.keys."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --batch: ask nobody; needs --fingerprints.")] = False,
    fingerprints: Annotated[
        Path | None,
        typer.Option("--fingerprints", metavar="FILE", help="With --batch: lines of USER SHA256:… to be trusted."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --batch: also put new keys in place of other ones.")
    ] = False,
    profile: Annotated[str | None, typer.Option("--profile", help="With --batch: the profile of new users.")] = None,
    snippet: Annotated[
        bool, typer.Option("--snippet", help="With --batch: print the lines instead of editing the inventory.")
    ] = False,
    format_: Annotated[Literal["yaml", "json"], typer.Option("--format", "-f")] = "yaml",
    output: Output = None,
) -> None:
    """Make this machine's keys, print what IT needs.

    The public halves are printed as an inventory snippet; the private ones never leave this machine.
    """
    if batch:
        _take_in(
            ctx.obj,
            batch,
            yes=yes,
            fingerprints=fingerprints,
            replace=replace,
            profile=profile,
            snippet=snippet,
            format_=format_,
            output=output,
        )
        return
    if yes or fingerprints or replace or profile or snippet:
        raise UsageError("--yes, --fingerprints, --replace, --profile and --snippet go with --batch")
    import getpass
    import platform
    from datetime import UTC, datetime

    from provision.endpoint.identity import enroll, inventory_snippet, signer_text
    from provision.enrolment.policy import key_fingerprint
    from provision.fleet.names import ID, RULES, id_refusal
    from provision.report.document import document

    run: Run = ctx.obj
    if user is not None and (why := id_refusal(user) if re.match(ID, user) else RULES["id"].hint):
        raise UsageError(f"--user {user!r} {RULES['id'].message}", hint=why)
    folder = endpoint_folder()
    host = platform.node() or "this-machine"
    texts = [signer_text(argument, Path(argument)) for argument in signer or ()]
    done = enroll(folder, texts, comment=f"{user or getpass.getuser()}-{host}", now=datetime.now(UTC))
    for name in done.made:
        run.say(f"made {folder.root / name}")
    run.say(f"to compare with IT: {key_fingerprint(done.recipient)} {key_fingerprint(done.endpoint_key)}")
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
            signers_added=list(done.signers_added),
            trusts=list(done.trusts),
        )
    else:
        text = inventory_snippet(user, this_platform(), host, done)
    run.result(text, output)


def _take_in(run: Run, sources: list[str], **how: Any) -> None:
    from provision.cli.users.enroll_batch import enroll_batch

    if not enroll_batch(run, sources, **how):
        raise typer.Exit(Exit.PARTIAL)
