"""`provision enroll`: create this machine's keys and record which signers it trusts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.endpoint.machine import endpoint_folder, this_platform
from provision.cli.options import Output, format_option
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from provision.endpoint.identity import Enrolled


@app.command("enroll")
def enroll_command(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Option("--user", help="Your id in IT's inventory.")] = None,
    machine: Annotated[
        str | None,
        typer.Option("--machine", metavar="NAME", help="Name of this machine, for users with several, such as laptop."),
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option("--signer", metavar="KEY|FILE", help="Trust bundles signed by this SSH public key; repeatable."),
    ] = None,
    batch: Annotated[
        list[str] | None,
        typer.Option(
            "--batch", metavar="FILE|DIR|URL", help="IT: add users' keys from files or https://HOST/USER.keys."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --batch: do not ask for confirmation; needs --fingerprints.")
    ] = False,
    fingerprints: Annotated[
        Path | None,
        typer.Option(
            "--fingerprints", metavar="FILE", help="With --batch: trusted fingerprints, USER SHA256:… a line."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --batch: also replace keys that differ from new ones.")
    ] = False,
    profile: Annotated[str | None, typer.Option("--profile", help="With --batch: profile of new users.")] = None,
    snippet: Annotated[
        bool, typer.Option("--snippet", help="With --batch: print the lines, do not edit the inventory.")
    ] = False,
    format_: Annotated[Format, format_option(Format.YAML, Format.JSON)] = Format.YAML,
    output: Output = None,
) -> None:
    """Create this machine's keys and print what IT needs.

    The public halves are printed as an inventory snippet; the private halves never leave this machine.
    """
    run: Run = ctx.obj
    if batch:
        _enroll_batch(
            run,
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
        raise UsageError("--yes, --fingerprints, --replace, --profile and --snippet need --batch")
    _require_valid_id("--user", "user id", user)
    _require_valid_id("--machine", "machine name", machine)
    run.result(_enroll(run, user, machine, signer or [], format_), output)
    from provision.cli.endpoint.contact import it_contact
    from provision.shell import shell_path

    what = f"the file {shell_path(output)}" if output else "the lines above"
    contact = it_contact()
    run.say(
        f"next: send {what} to {contact or 'IT'}; no secret is in them. Compare the words by telephone or in person"
    )


def _enroll(run: Run, user: str | None, machine: str | None, signers: list[str], format_: Format) -> str:
    import getpass
    import platform
    from datetime import UTC, datetime

    from provision.endpoint.identity import enroll, inventory_snippet, signer_text
    from provision.endpoint.machine_name import machine_name, store_machine_name

    host = platform.node() or "this-machine"
    texts = [signer_text(argument, Path(argument)) for argument in signers]
    comment = f"{user or getpass.getuser()}-{machine or host}"
    done = enroll(endpoint_folder(), texts, comment=comment, now=datetime.now(UTC))
    if machine is not None:
        store_machine_name(endpoint_folder(), machine)
    _report(run, done)
    machine = machine_name(endpoint_folder())
    if format_ is Format.JSON:
        return _json(user, machine, done)
    return inventory_snippet(user, this_platform(), host, done, machine)


def _require_valid_id(option: str, noun: str, user: str | None) -> None:
    from provision.fleet.names import ID, RULES, id_refusal

    if user is not None and (why := id_refusal(user) if re.match(ID, user) else RULES["id"].hint):
        raise UsageError(f"{option}: invalid {noun} {user!r}", hint=why)


def _report(run: Run, done: Enrolled) -> None:
    from provision.enrolment.policy import key_fingerprint, key_words

    for name in done.made:
        run.say(f"created {endpoint_folder().root / name}")
    run.say(f"to compare with IT: {key_fingerprint(done.recipient)} {key_fingerprint(done.endpoint_key)}")
    run.say(f"or in words: {key_words((done.recipient, done.endpoint_key))}")
    for name in done.signers_added:
        run.say(f"now trusts {name}")
    if not done.trusts:
        run.say("no signer is trusted yet: run `provision enroll --signer KEY` with IT's public key to install bundles")


def _json(user: str | None, machine: str | None, done: Enrolled) -> str:
    from provision.report.document import document

    return document(
        "enroll/v1",
        id=user,
        **({"machine": machine} if machine else {}),
        platform=this_platform().value,
        recipients=[done.recipient],
        endpoint_key=done.endpoint_key,
        made=list(done.made),
        signers_added=list(done.signers_added),
        trusts=list(done.trusts),
    )


def _enroll_batch(run: Run, sources: list[str], **options: Any) -> None:
    from provision.cli.users.enroll_batch import enroll_batch

    if not enroll_batch(run, sources, **options):
        raise typer.Exit(Exit.PARTIAL)
