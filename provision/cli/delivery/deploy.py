"""`provision deploy`: install bundles on many machines through Ansible."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.delivery.progress import push_progress
from provision.cli.options import Limit, Output
from provision.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.push.engine import PushResult
    from provision.push.inventory import Reachability, Target
    from provision.push.journal import PushJournal


@app.command("deploy")
def deploy_command(
    ctx: typer.Context,
    limit: Limit = None,
    forks: Annotated[int, typer.Option("--forks", min=1, max=500, help="How many machines at a time.")] = 10,
    waves: Annotated[
        str | None,
        typer.Option("--waves", metavar="SIZES", help="A few first, such as 1,10%,100%; default: all at once."),
    ] = None,
    max_failures: Annotated[
        int | None, typer.Option("--max-failures", min=0, help="Ask nobody else after more failures than this.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what would change.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Only those who have not got it yet.")] = False,
    login: Annotated[str | None, typer.Option("--remote-user", "-u", help="Enter machines as this user.")] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", exists=True, dir_okay=False, help="SSH key to enter with.")
    ] = None,
    known_hosts: Annotated[
        Path | None, typer.Option("--known-hosts", exists=True, dir_okay=False, help="Host keys; default: SSH's own.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", help="Whose Hermes it is, on every machine; default: the user's id.")
    ] = None,
    become: Annotated[
        bool, typer.Option("--become/--no-become", help="Become the account with sudo, or enter as it directly.")
    ] = True,
    command: Annotated[str | None, typer.Option("--command", help="Path of provision on the machines.")] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Print the fleet as ansible-inventory does; contact nobody.")
    ] = False,
    collection: Annotated[bool, typer.Option("--collection", help="Print where the Ansible collection is.")] = False,
    format_: Annotated[Literal["table", "json"], typer.Option("--format", "-f")] = "table",
    output: Output = None,
) -> None:
    """Install bundles on many machines through Ansible.

    Machines are the `host` of each user in the inventory; bundles are those in dist/. Only sealed and signed bundles travel.
    What every machine certifies comes back and is kept in receipts/. Exit 4 when some machines have not got it, 3 when
    none can be pushed to.
    """
    from provision.push.ansible import Ssh
    from provision.push.engine import PushOptions, deploy
    from provision.push.waves import parse_waves

    run: Run = ctx.obj
    if collection:
        from provision.push.ansible import COLLECTION

        run.result(f"{COLLECTION}\n", output)
        return
    workspace = run.open_workspace()
    states, found = _targets(workspace, limit)
    if list_:
        run.result(_listing(found.targets), output)
        return
    variables = {"hermes_command": command} if command else {}
    order = PushOptions(
        workspace=workspace.root,
        dist=workspace.dist,
        sizes=parse_waves(waves),
        forks=forks,
        max_failures=max_failures,
        check=check,
        ssh=Ssh(login, private_key, known_hosts, account, become),
        variables=variables,
    )
    with ExitStack() as stack:
        journal, targets = _journal(run, stack, workspace, found, check=check, resume=resume)
        _say_others(run, found.others)
        if not targets:
            run.say("nobody is left to deploy to" if resume else "no machine can be pushed to: see docs/deploy.md")
        result = None
        if targets:
            observe = stack.enter_context(push_progress(run, "check" if check else "deploy", len(targets)))
            result = deploy(order, targets, journal, os.environ, observe)
    if result is not None:
        _import_receipts(run, workspace, states, result)
    run.result(_json(result, found) if format_ == "json" else _table(result), output)
    if result is None and not resume:
        raise typer.Exit(Exit.NO_MATCH)
    if result is not None and (result.failures or result.not_asked):
        raise typer.Exit(Exit.PARTIAL)


def _targets(workspace: Workspace, limit: list[str] | None) -> tuple[Sequence[DesiredState], Reachability]:
    from provision.fleet.limit import select_users
    from provision.fleet.load import load_fleet
    from provision.push.inventory import split_by_reachability

    fleet = load_fleet(workspace)
    fleet.require_valid()
    return fleet.states, split_by_reachability(select_users(fleet.states, limit))


def _listing(targets: Sequence[Target]) -> str:
    import json

    from provision.push.inventory import inventory_listing

    return json.dumps(inventory_listing(targets), indent=2) + "\n"


def _say_others(run: Run, others: Sequence[tuple[str, str]]) -> None:
    """Those whom nobody can push to are not failures: they pull, or get a package."""
    for user, why in others[:5]:
        run.say(f"{user}: not pushed to: {why}")
    if len(others) > 5:
        run.say(f"and {len(others) - 5} more who are not pushed to: they pull, or get a package")


def _journal(
    run: Run, stack: ExitStack, workspace: Workspace, found: Reachability, *, check: bool, resume: bool
) -> tuple[PushJournal | None, Sequence[Target]]:
    """The journal, and whom to ask. One deployment at a time: the lock's holder is named to whoever comes second."""
    from datetime import UTC, datetime

    from provision.files import locked, write_atomic
    from provision.push.engine import digests_of
    from provision.push.journal import PushJournal

    folder = workspace.root / ".provision"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / ".gitignore").exists():
        write_atomic(folder / ".gitignore", b"*\n", mode=0o644, durable=False)
    stack.enter_context(locked(folder / "deploy.lock", "deploy", wait_s=0.2))
    path = folder / "deploy.jsonl"
    if not resume:
        if check:
            return None, found.targets
        users = [t.user for t in found.targets]
        return stack.enter_context(PushJournal.begin(path, users, datetime.now(UTC).isoformat())), found.targets
    journal = stack.enter_context(PushJournal.resume(path))
    left = set(journal.left(digests_of(workspace.dist, journal.wanted)))
    targets = [t for t in found.targets if t.user in left]
    run.say(f"{len(journal.wanted) - len(left)} have it already, {len(targets)} are asked")
    return (None if check else journal), targets


def _import_receipts(run: Run, workspace: Workspace, states: Iterable[DesiredState], result: PushResult) -> None:
    """Keep what the machines certified, as `receipts import` does."""
    from datetime import UTC, datetime

    from provision.cli.delivery.receipts import endpoints_of, store_of
    from provision.push.engine import receipts_of
    from provision.receipts.store import PushResult as Imported
    from provision.receipts.store import import_receipt

    texts = list(receipts_of(result))
    if not texts:
        return
    endpoints, store, now = endpoints_of(list(states)), store_of(workspace), datetime.now(UTC)
    for user, text in texts:
        done = import_receipt(f"{user}'s machine", text.encode(), store, endpoints, now)
        if done.result is Imported.REFUSED:
            run.say(f"{done.source}: receipt refused: {done.message}" + (f" ({done.hint})" if done.hint else ""))


def _table(result: PushResult | None) -> str:
    from collections import Counter

    from provision.push.outcomes import Failed, Unreachable, outcome_name
    from provision.report.terminal import table

    outcomes = sorted(result.outcomes.values(), key=lambda o: o.user) if result else []
    rows = []
    for o in outcomes:
        if isinstance(o, Failed | Unreachable):
            rows.append((o.user, o.host, outcome_name(o), o.cause, f"{o.message}; {o.cure}"))
        else:
            rows.append(
                (o.user, o.host, outcome_name(o), o.key_fingerprint, f"restart {', '.join(o.restart)}" if o.restart else "")
            )
    counts = Counter(outcome_name(o) for o in outcomes)
    parts = [f"{counts[name]} {name}" for name in sorted(counts)]
    if result and result.not_asked:
        parts.append(f"{len(result.not_asked)} not asked after too many failures")
    head = ("USER", "HOST", "OUTCOME", "KEY OR CAUSE", "REMARK")
    return (table(head, rows) if rows else "") + (", ".join(parts) or "nothing to do") + "\n"


def _json(result: PushResult | None, found: Reachability) -> str:
    from collections import Counter

    from provision.push.outcomes import as_json, outcome_name
    from provision.report.document import document

    outcomes = sorted(result.outcomes.values(), key=lambda o: o.user) if result else []
    return document(
        "deploy/v1",
        summary=dict(sorted(Counter(outcome_name(o) for o in outcomes).items())),
        waves=result.waves if result else 0,
        users=[as_json(o) for o in outcomes],
        not_asked=list(result.not_asked) if result else [],
        not_pushed=[{"user": user, "why": why} for user, why in found.others],
    )
