"""`provision keys operators`: the operators who can open the vault."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.context import Run
from provision.cli.keys.app import keys_app
from provision.cli.options import Output, TableOrJson
from provision.errors import UsageError
from provision.report.formats import Format
from provision.report.terminal import plural

operators_app = typer.Typer(help="Manage the operators who can open the vault.", no_args_is_help=True)
keys_app.add_typer(operators_app, name="operators")

_Recipient = Annotated[str, typer.Argument(help="Recipient: age1…, an SSH public key (quoted), or a .pub file.")]


@operators_app.command("list")
def list_(ctx: typer.Context, format_: TableOrJson = Format.TABLE, output: Output = None) -> None:
    """List the operators who can open the vault. Needs no identity."""
    from provision.keys.age import parse_recipient
    from provision.keys.vault.file import read_vault
    from provision.report.document import document
    from provision.report.terminal import table

    run: Run = ctx.obj
    sealed = read_vault(run.open_workspace().vault)
    operators = [parse_recipient(text) for text in sealed.operators]
    if format_ is Format.JSON:
        rows = [{"kind": each.kind, "recipient": each.text, "comment": each.comment} for each in operators]
        run.result(document("keys-operators/v1", generation=sealed.generation, operators=rows), output)
        return
    run.result(table(("KIND", "COMMENT", "RECIPIENT"), ((o.kind, o.comment, o.text) for o in operators)), output)


@operators_app.command("add")
def add(ctx: typer.Context, recipient: _Recipient) -> None:
    """Add an operator who can open the vault."""
    from provision.keys.age import load_identities
    from provision.keys.vault.file import editing

    run: Run = ctx.obj
    workspace = run.open_workspace()
    text = _text(recipient)
    with editing(workspace.vault, load_identities(workspace.identity), "keys operators add") as vault:
        vault.add_operator(text)
        count = len(vault.operators)
    run.say(f"{plural(count, 'operator')} can open the vault; next: commit {workspace.name_of(workspace.vault)}")


@operators_app.command("remove")
def remove(ctx: typer.Context, recipient: _Recipient) -> None:
    """Remove an operator. All keys are encrypted again with a new data key."""
    from provision.keys.age import load_identities
    from provision.keys.vault.file import editing

    run: Run = ctx.obj
    workspace = run.open_workspace()
    text = _text(recipient)
    with editing(workspace.vault, load_identities(workspace.identity), "keys operators remove") as vault:
        vault.remove_operator(text)
        count, keys = len(vault.operators), len(vault)
    run.say(f"{plural(keys, 'key')} encrypted again; {plural(count, 'operator')} can open the vault")
    run.say("the removed operator could read every key until now, also in the history of git: replace these keys")
    run.say(f"next: commit {workspace.name_of(workspace.vault)}, then provision rotate start")


def _text(recipient: str) -> str:
    path = Path(recipient)
    if recipient.startswith(("age1", "ssh-")) or not recipient.endswith(".pub"):
        return recipient
    from provision.files import read_optional

    data = read_optional(path, 1 << 16)
    if data is None:
        raise UsageError(f"no such file: {recipient}", hint="give the recipient itself, or its .pub file")
    return data.decode("utf-8", "replace").strip()
