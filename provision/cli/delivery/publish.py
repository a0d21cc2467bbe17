"""`provision publish`: lay dist/ out as a feed that endpoints pull from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import Limit, Output
from provision.errors import Exit

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from provision.feed.publish import Order, Published, Summary
    from provision.fleet.workspace import Workspace


@app.command("publish")
def publish(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The feed's folder, as a web server serves it.")],
    url: Annotated[
        str | None, typer.Option("--url", help="Where DIR is reached, https://…; for the addresses that are printed.")
    ] = None,
    addresses: Annotated[
        bool, typer.Option("--addresses", help="Only print each user's address, to give to that user alone.")
    ] = False,
    upload_command: Annotated[
        str | None,
        typer.Option("--upload-command", metavar='"… {path} … {name}"', help="Run this per changed file, index last."),
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", metavar="7d", help="How long endpoints believe this index; publish more often.")
    ] = "7d",
    limit: Limit = None,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """Lay dist/ out as a signed feed of static files."""
    from datetime import UTC, datetime

    from provision.cli.options import parse_duration
    from provision.errors import UsageError
    from provision.feed.publish import Tree, lock_path
    from provision.feed.upload import parse_command, upload
    from provision.files import locked

    run: Run = ctx.obj
    command = parse_command(upload_command) if upload_command else None
    base = base_url(url) if url else None
    now, life = datetime.now(UTC), parse_duration(expires, "--expires")
    workspace = run.open_workspace()
    if addresses:
        run.result(_addresses(workspace, limit, base, directory, format_), output)
        return
    if limit:
        raise UsageError("--limit goes with --addresses: a feed always holds what dist/ holds")
    order = _order(workspace, now, life)
    root = directory.absolute()
    root.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    shown: list[Published] = []
    problems: list[str] = []
    with locked(lock_path(root), "publish"):
        tree = Tree(root, order, _signing_key(workspace))
        for done in tree.users():
            counts[done.status] += 1
            if done.status != "unchanged" or format_ == "json":
                shown.append(done)
        summary = tree.finish()
        uploaded = 0
        for item in upload(root, summary, command, lock_path(root).parent) if command else ():
            uploaded += item.ok
            if not item.ok:
                problems.append(f"{item.name}: not uploaded: {item.message}")
    problems += [f"{p.user}: {p.message}" + (f" ({p.hint})" if p.hint else "") for p in shown if p.status == "failed"]
    for problem in problems:
        run.say(problem)
    text = _json(shown, counts, summary, uploaded) if format_ == "json" else _table(shown, counts, summary, uploaded)
    run.result(text, output)
    if problems:
        raise typer.Exit(Exit.PARTIAL)


def base_url(url: str) -> str:
    """Where a feed is reached, checked. Raises UsageError."""
    from provision.errors import ProvisionError, UsageError
    from provision.feed.index import parse_subscription

    base = url.rstrip("/")
    try:
        parse_subscription(f"{base}/e/{'a' * 32}")
    except ProvisionError as e:
        raise UsageError(f"{url} is no address of a feed", hint="such as https://feed.example.com/hermes") from e
    return base


def _signing_key(workspace: Workspace) -> Any:
    from provision.signing.sshsig import load_signing_key

    return load_signing_key(workspace.signing_key)


def open_secret(workspace: Workspace, *, create: bool) -> bytes:
    """The secret that addresses are derived from, opened with the operator's identity."""
    from provision.feed.secret import FILE, feed_secret
    from provision.keys.age import load_identities
    from provision.keys.vault.file import read

    operators = workspace.settings.operators or read(workspace.vault).operators
    return feed_secret(workspace.root / FILE, operators, load_identities(workspace.identity), create=create)


def _order(workspace: Workspace, now: datetime, life: timedelta) -> Order:
    from provision.cli.delivery.receipts import fleet_states
    from provision.endpoint.identity import load_signers
    from provision.feed.publish import Order

    return Order(
        users=tuple(state.user for state in fleet_states(workspace)),
        dist=workspace.dist,
        secret=open_secret(workspace, create=True),
        signers=load_signers(workspace.allowed_signers),
        now=now,
        life=life,
    )


def _addresses(workspace: Workspace, limit: list[str] | None, base: str | None, directory: Path, format_: str) -> str:
    from provision.cli.delivery.receipts import fleet_states
    from provision.errors import UsageError
    from provision.feed.index import address_of
    from provision.fleet.limit import select_users
    from provision.report.document import document
    from provision.report.terminal import table

    if base is None:
        raise UsageError(
            "--addresses needs --url: where endpoints reach this feed", hint=f"--url https://… as {directory} is served"
        )
    secret = open_secret(workspace, create=True)
    found = [(s.user, f"{base}/e/{address_of(secret, s.user)}") for s in select_users(fleet_states(workspace), limit)]
    if format_ == "json":
        return document("feed-addresses/v1", users=[{"user": user, "address": address} for user, address in found])
    return table(("USER", "ADDRESS"), found)


def _table(shown: list[Published], counts: Counter[str], summary: Summary, uploaded: int) -> str:
    from provision.report.terminal import table

    rows = [(p.user, p.status.value, p.generation or "", p.message) for p in shown]
    text = table(("USER", "STATUS", "GENERATION", "REMARK"), rows) if rows else ""
    users = ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "no users"
    text += f"{users}; index: {summary.parts_written} parts signed, {summary.parts_kept} kept"
    return text + (f"; {uploaded} files uploaded\n" if uploaded else "\n")


def _json(shown: list[Published], counts: Counter[str], summary: Summary, uploaded: int) -> str:
    from provision.report.document import document

    def user(p: Published) -> dict[str, Any]:
        more = {"message": p.message, "hint": p.hint} if p.message else {}
        return {"user": p.user, "status": p.status.value, "generation": p.generation or None, **more}

    return document(
        "publish/v1",
        summary=dict(sorted(counts.items())),
        index={"signed": summary.parts_written, "kept": summary.parts_kept},
        removed=summary.removed,
        uploaded=uploaded,
        users=[user(p) for p in shown],
    )
