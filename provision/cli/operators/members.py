"""`provision operators join|list|check`: make this operator's keys, and show who may do what."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from provision.cli.context import Run
from provision.cli.operators.app import operators_app
from provision.cli.options import DryRun, Output, TableOrJson
from provision.errors import Exit, Severity
from provision.report.formats import Format


@operators_app.command("join")
def join(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Your name here. Default: your account's.")] = None,
    output: Output = None,
) -> None:
    """Make your keys, and print the command that another operator runs.

    For a new operator in a clone of the workspace. Send the printed line over a channel where it cannot be exchanged.
    """
    from provision.cli.operators.session import own_keys, own_name, valid_name
    from provision.shell import shell_word

    run: Run = ctx.obj
    called = valid_name(name or own_name(run.open_workspace()))
    recipient, key = own_keys(run)
    run.say("send this command to an operator of the workspace:")
    run.data(f"provision operators add {shell_word(called)} {shell_word(recipient)} {shell_word(key)}\n", output)
    run.say("then get the workspace with the change (git pull), and look: provision operators check")


@operators_app.command("list")
def list_(ctx: typer.Context, format_: TableOrJson = Format.TABLE, output: Output = None) -> None:
    """List the operators: who opens the vault, who may sign what. Needs no identity."""
    from provision.keys.age import parse_recipient
    from provision.keys.vault.file import read_vault
    from provision.report.document import document
    from provision.report.terminal import plural, table
    from provision.signing.sshsig import blob_fingerprint
    from provision.trust.workspace import workspace_trust

    run: Run = ctx.obj
    workspace = run.open_workspace()
    vault, now = read_vault(workspace.vault), datetime.now(UTC)
    trusted = workspace_trust(workspace, vault.workspace_id, now)
    trust = trusted.trust
    rows: dict[str, dict[str, Any]] = {}
    for text in vault.operators:
        parsed = parse_recipient(text)
        rows[parsed.comment or parsed.text] = {
            "name": parsed.comment,
            "recipient": parsed.text,
            "key": None,
            "roles": [],
        }
    for each in trust.signers if trust else ():
        row = rows.setdefault(each.name, {"name": each.name, "recipient": None})
        row.update(
            key=each.key, fingerprint=blob_fingerprint(base64.b64decode(each.key.split()[1])), roles=list(each.roles)
        )
    if format_ is Format.JSON:
        run.result(
            document(
                "operators/v1",
                trust=trusted.number,
                expires=trust.expires if trust else None,
                threshold=trust.threshold.trust if trust else None,
                pending=trusted.pending.number if trusted.pending else None,
                operators=list(rows.values()),
                recovery=[each.model_dump() for each in trust.recovery] if trust else [],
                revoked=[each.model_dump() for each in trust.revoked] if trust else [],
            ),
            output,
        )
        return
    shown = [
        (
            r["name"] or "-",
            "yes" if r["recipient"] else "no",
            ", ".join(r["roles"]) or "nothing",
            r.get("fingerprint", "-"),
        )
        for r in rows.values()
    ]
    lines = table(("NAME", "OPENS THE VAULT", "SIGNS", "KEY"), shown)
    run.result(lines, output)
    if trust is None:
        run.say("the workspace has no trust list: machines use allowed_signers; make one: provision operators upgrade")
        return
    needed = f"needs {plural(trust.threshold.trust, 'signature')}"
    run.say(f"trust list {trust.number}, valid until {trust.expires[:10]}, {needed}")
    for gone in trust.revoked:
        run.say(f"revoked: {blob_fingerprint(base64.b64decode(gone.key.split()[1]))} ({gone.reason})")
    if trusted.pending is not None:
        run.say(f"trust list {trusted.pending.number} waits for signatures: provision operators sign")


@operators_app.command("check")
def check(
    ctx: typer.Context,
    renew: Annotated[bool, typer.Option("--renew", help="Sign the same list again, with a later expiry.")] = False,
    dry_run: DryRun = False,
    output: Output = None,
) -> None:
    """Check your keys and the trust list. Exits with 10 if something keeps you from working."""
    from provision.cli.operators.session import act_of_operator
    from provision.doctor.operator_keys import identity_problems, operator_problems
    from provision.operators.acts import renew as renew_list

    run: Run = ctx.obj
    if renew:
        with act_of_operator(run, "operators check --renew", dry_run=dry_run) as act:
            renew_list(act)
        return
    workspace = run.open_workspace()
    found = [*operator_problems(workspace, datetime.now(UTC)), *identity_problems(workspace)]
    lines = [f"{p.severity}: {p.message} [{p.rule}]\n" + (f"    hint: {p.hint}\n" if p.hint else "") for p in found]
    run.result("".join(lines) or "your keys open the vault and may sign\n", output)
    if any(p.severity is Severity.ERROR for p in found):
        raise typer.Exit(Exit.FINDINGS)
