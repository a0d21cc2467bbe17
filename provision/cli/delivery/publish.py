"""`provision publish`: write dist/ as a feed that endpoints pull from."""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.options import DryRun, Limit, Output, TableOrJson, parse_duration
from provision.errors import Exit, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provision.feed.publish import PublishedBundle, PublishOptions, PublishSummary
    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace


@app.command("publish")
def publish(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the feed, as a web server serves it.")],
    url: Annotated[
        str | None, typer.Option("--url", help="Address of DIR, https://…; used in the addresses that are printed.")
    ] = None,
    addresses: Annotated[
        bool, typer.Option("--addresses", help="Only print each user's feed address. Give it to that user alone.")
    ] = False,
    upload_command: Annotated[
        str | None,
        typer.Option(
            "--upload-command", metavar='"… {path} … {name}"', help="Command to run per changed file, index last."
        ),
    ] = None,
    expires: Annotated[
        str,
        typer.Option("--expires", metavar="7d", help="Time until the index expires; publish again before that."),
    ] = "7d",
    keep: Annotated[
        int,
        typer.Option(
            "--keep", metavar="N", min=1, help="Number of bundles to keep for each user, the current one included."
        ),
    ] = 3,
    limit: Limit = None,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Publish dist/ as a signed feed of static files.

    A dry run publishes into a temporary copy of DIR, and uploads nothing.
    """
    from datetime import UTC, datetime

    from provision.feed.publish import FeedTree, lock_path
    from provision.feed.upload import parse_command
    from provision.files import locked
    from provision.report import publish as report
    from provision.signing.sshsig import load_signing_key

    run: Run = ctx.obj
    command = parse_command(upload_command) if upload_command else None
    base = parse_base_url(url) if url else None
    life = parse_duration(expires, "--expires")
    workspace = run.open_workspace()
    if addresses:
        _print_addresses(run, _addresses(workspace, limit, base, directory, create=not dry_run), format_, output)
        return
    if limit:
        raise UsageError("--limit needs --addresses: a feed always holds all of dist/")
    key = load_signing_key(workspace.signing_key)
    options = feed_options(workspace, key, datetime.now(UTC), life, keep, create=True, dry_run=dry_run)
    counts: Counter[str] = Counter()
    users: list[PublishedBundle] = []
    with _feed_folder(directory.absolute(), dry_run=dry_run) as root, locked(lock_path(root), "publish"):
        tree = FeedTree(root, options, key)
        for done in tree.users():
            counts[done.status] += 1
            if done.status != "unchanged" or format_ is Format.JSON:
                users.append(done)
        summary = tree.finish()
        uploaded, problems = upload_changes(root, summary, None if dry_run else command)
    problems += [f"{p.user}: {p.message}" + (f" ({p.hint})" if p.hint else "") for p in users if p.status == "failed"]
    problems += summary.problems
    for problem in problems:
        run.say(problem)
    if dry_run:
        run.say("dry run: nothing was written")
    write = report.as_json if format_ is Format.JSON else report.as_table
    run.result(write(users, counts, summary, uploaded), output)
    if problems:
        raise typer.Exit(Exit.PARTIAL)


@contextlib.contextmanager
def _feed_folder(root: Path, *, dry_run: bool) -> Iterator[Path]:
    """The folder to publish into; for a dry run a copy that is removed."""
    if not dry_run:
        root.mkdir(parents=True, exist_ok=True)
        yield root
        return
    import shutil

    from provision.scratch import Scratch, scratch_folder

    with scratch_folder(Scratch.DRY_RUN) as folder:
        copy = folder / "feed"
        if root.is_dir():
            shutil.copytree(root, copy)
        copy.mkdir(exist_ok=True)
        yield copy


def _print_addresses(run: Run, addresses: list[tuple[str, str]], format_: Format, output: Path | None) -> None:
    from provision.report import publish as report

    write = report.addresses_as_json if format_ is Format.JSON else report.addresses_as_table
    run.result(write(addresses), output)


def upload_changes(root: Path, summary: PublishSummary, command: Sequence[str] | None) -> tuple[int, list[str]]:
    """Upload changed files; returns how many were uploaded, and a line for each failure."""
    from provision.feed.publish import lock_path
    from provision.feed.upload import upload_tree

    done = list(upload_tree(root, summary, command, lock_path(root).parent)) if command else []
    failures = [f"{item.name}: not uploaded: {item.message}" for item in done if not item.ok]
    return len(done) - len(failures), failures


def parse_base_url(url: str) -> str:
    """Check the base address of a feed and strip trailing slashes. Raises UsageError."""
    from provision.errors import ProvisionError
    from provision.feed.index import parse_subscription

    base = url.rstrip("/")
    try:
        parse_subscription(f"{base}/e/{'a' * 32}")
    except ProvisionError as e:
        raise UsageError(
            f"invalid feed address {url!r}", hint="use an address such as https://feed.example.com/hermes"
        ) from e
    return base


def open_secret(workspace: Workspace, *, create: bool, dry_run: bool = False) -> bytes:
    """Decrypt the secret that addresses are derived from, with the operator's identity.

    A dry run writes no secret: before the first publish it uses one that is drawn at random and not kept.
    """
    from provision.keys.age import load_identities
    from provision.keys.feed_secret import FILE, SECRET_BYTES, feed_secret
    from provision.keys.vault.file import read_vault
    from provision.keys.vault.text import sealed_to

    if dry_run and not (workspace.root / FILE).exists():
        return secrets.token_bytes(SECRET_BYTES)
    operators = sealed_to(read_vault(workspace.vault))
    return feed_secret(
        workspace.root / FILE, operators, load_identities(workspace.identity), create=create and not dry_run
    )


def feed_options(
    workspace: Workspace,
    key: Ed25519PrivateKey,
    now: datetime,
    life: timedelta,
    keep: int,
    *,
    create: bool,
    dry_run: bool = False,
    states: Sequence[DesiredState] | None = None,
) -> PublishOptions:
    """What to publish; `states` are those of the inventory, if it is loaded.

    Raises MayNotSignError before anything is written if no machine would accept this operator's feed.
    """
    from provision.bundle.prepare import log_head
    from provision.cli.delivery.receipts import fleet_states
    from provision.feed.give_orders import given_orders
    from provision.feed.publish import PublishOptions
    from provision.keys.vault.file import read_workspace_id
    from provision.trust.trust_list import Role
    from provision.trust.workspace import workspace_trust

    workspace_id = read_workspace_id(workspace.vault)
    trusted = workspace_trust(workspace, workspace_id, now)
    trusted.require_may_sign(key, Role.FEED, now, workspace.signing_key)
    return PublishOptions(
        workspace_id=workspace_id,
        users=tuple(state.user for state in (fleet_states(workspace) if states is None else states)),
        dist=workspace.dist,
        secret=open_secret(workspace, create=create, dry_run=dry_run),
        signers=trusted.signers,
        trust=trusted.trust,
        chain=trusted.chain,
        now=now,
        life=life,
        log_head=log_head(workspace.vault),
        orders=given_orders(workspace.root),
        keep=keep,
    )


def _addresses(
    workspace: Workspace, limit: list[str] | None, base: str | None, directory: Path, *, create: bool
) -> list[tuple[str, str]]:
    from provision.cli.delivery.receipts import fleet_states
    from provision.feed.index import address_of
    from provision.fleet.limit import select_users

    if base is None:
        raise UsageError("--addresses needs --url", hint=f"--url https://…: the address at which {directory} is served")
    secret = open_secret(workspace, create=create)
    return [(s.user, f"{base}/e/{address_of(secret, s.user)}") for s in select_users(fleet_states(workspace), limit)]
