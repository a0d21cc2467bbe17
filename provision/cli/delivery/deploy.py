"""`provision deploy`: install bundles on many machines through Ansible."""

from __future__ import annotations

import functools
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.delivery.progress import push_progress
from provision.cli.options import Forks, Limit, Output, TableOrJson
from provision.errors import Exit
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.push.engine import PushOptions, PushResult
    from provision.push.inventory import Reachability, Target
    from provision.push.journal import PushJournal
    from provision.push.outcomes import Deployed, Halted
    from provision.receipts.receipt import Receipt
    from provision.receipts.store import KnownEndpoints

_NAMED_AT_MOST = 5


@app.command("deploy")
def deploy_command(
    ctx: typer.Context,
    limit: Limit = None,
    forks: Forks = 10,
    waves: Annotated[
        str | None,
        typer.Option("--waves", metavar="SIZES", help="Deploy in waves, such as 1,10%,100%. Default: one wave."),
    ] = None,
    max_failures: Annotated[
        int | None, typer.Option("--max-failures", min=0, help="Stop after more failures than this. Default: no limit.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only report what would change.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Deploy only to users of earlier deployments who do not have it yet.")
    ] = False,
    login: Annotated[str | None, typer.Option("--remote-user", "-u", help="Log in to machines as this user.")] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", exists=True, dir_okay=False, help="SSH private key to log in with.")
    ] = None,
    known_hosts: Annotated[
        Path | None,
        typer.Option("--known-hosts", exists=True, dir_okay=False, help="File of host keys. Default: SSH's own."),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", help="Account that owns Hermes: ada, {user}@corp.example. Default: the id."),
    ] = None,
    become: Annotated[
        bool, typer.Option("--become/--no-become", help="Switch to the account with sudo, or log in as it directly.")
    ] = True,
    command: Annotated[str | None, typer.Option("--command", help="Path of provision on the machines.")] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Print the fleet as ansible-inventory does; contact no machine.")
    ] = False,
    collection: Annotated[bool, typer.Option("--collection", help="Print the path of the Ansible collection.")] = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Install bundles on many machines through Ansible.

    Machines are the `host` of each user in the inventory; bundles are those in dist/. Only sealed and signed bundles are
    sent. The receipts that machines send back are verified and stored in receipts/. Exits with 4 if some machines failed,
    3 if no machine can be pushed to.
    """
    from provision.push.ansible import Ssh
    from provision.push.engine import PushOptions
    from provision.push.waves import parse_waves

    run: Run = ctx.obj
    if collection:
        _print_collection(run, output)
        return
    workspace = run.open_workspace()
    states, reachable = _targets(workspace, limit)
    if list_:
        _print_inventory(run, reachable.targets, output)
        return
    for line in _unused_host_vars(workspace, states):
        run.say(line)
    require_accepted_bundles(workspace, reachable.targets, check=check)
    options = PushOptions(
        workspace=workspace.root,
        dist=workspace.dist,
        sizes=parse_waves(waves),
        forks=forks,
        max_failures=max_failures,
        check=check,
        ssh=Ssh(login, private_key, known_hosts, account, become),
        variables={"hermes_command": command} if command else {},
        without_bundle=_first_steps(workspace, states),
        unproved=receipt_check(workspace, states),
    )
    result = _deploy(run, workspace, options, states, reachable, resume=resume)
    _print_result(run, result, reachable, format_, output, check=check)
    if result is None and not resume:
        raise typer.Exit(Exit.NO_MATCH)
    if result is not None and (result.failures or result.not_asked):
        raise typer.Exit(Exit.PARTIAL)


def _print_collection(run: Run, output: Path | None) -> None:
    from provision.push.ansible import COLLECTION

    run.result(f"{COLLECTION}\n", output)


def _print_inventory(run: Run, targets: Sequence[Target], output: Path | None) -> None:
    import json

    from provision.push.inventory import inventory_listing

    run.data(json.dumps(inventory_listing(targets), indent=2) + "\n", output)


def _print_result(
    run: Run, result: PushResult | None, reachable: Reachability, format_: Format, output: Path | None, *, check: bool
) -> None:
    from provision.report import deployment

    if format_ is Format.JSON:
        text = deployment.as_json(result, reachable.others, check=check)
    else:
        text = deployment.as_table(result, check=check)
    run.result(text, output)


def require_accepted_bundles(workspace: Workspace, targets: Sequence[Target], *, check: bool) -> None:
    """Refuse bundles that machines would refuse, and put the trust lists beside the others."""
    from datetime import UTC, datetime

    from provision.bundle.prepare import place_chain, require_accepted
    from provision.keys.vault.file import read_workspace_id
    from provision.trust.workspace import workspace_trust

    if not workspace.vault.exists():
        return
    now = datetime.now(UTC)
    trusted = workspace_trust(workspace, read_workspace_id(workspace.vault), now)
    require_accepted(workspace.dist, dict.fromkeys(t.user for t in targets), trusted, now)
    if workspace.dist.is_dir() and not check:
        place_chain(workspace.dist, trusted)


def _unused_host_vars(workspace: Workspace, states: Sequence[DesiredState]) -> list[str]:
    from provision.push.inventory import unused_host_vars

    folder = workspace.root / "host_vars"
    return unused_host_vars([p.name for p in folder.iterdir()], states) if folder.is_dir() else []


def _first_steps(workspace: Workspace, states: Iterable[DesiredState]) -> dict[str, str]:
    """What users lack whom `render` would refuse, with what to do first."""
    from provision.keys.vault.file import read_vault

    found, ledger = {}, read_vault(workspace.vault) if workspace.vault.exists() else None
    for state in states:
        render = f"`provision render --limit {state.user}`"
        if not state.all_recipients:
            found[state.user] = f"run `provision enroll` on the user's machine, add its recipient, then {render}"
        elif ledger is not None and ledger.current(state.user) is None and not workspace.settings.key_command:
            found[state.user] = f"import a key (`provision keys import FILE`), then {render}"
    return found


def _targets(workspace: Workspace, limit: list[str] | None) -> tuple[Sequence[DesiredState], Reachability]:
    from provision.cli.delivery.receipts import fleet_states
    from provision.fleet.limit import select_users
    from provision.push.inventory import split_by_reachability

    states = fleet_states(workspace)
    return states, split_by_reachability(select_users(states, limit))


def _deploy(
    run: Run,
    workspace: Workspace,
    options: PushOptions,
    states: Sequence[DesiredState],
    reachable: Reachability,
    *,
    resume: bool,
) -> PushResult | None:
    """Deploy under the workspace's lock, with a line per machine; None without a machine to deploy to."""
    from provision.push.engine import deploy

    with ExitStack() as stack:
        journal, targets = _journal(run, stack, workspace, states, reachable, check=options.check, resume=resume)
        _report_not_pushed(run, reachable.others)
        if not targets:
            run.say("no user is left to deploy to" if resume else "no machine can be pushed to: see docs/deploy.md")
            return None
        observe = stack.enter_context(
            push_progress(run, "check" if options.check else "deploy", len(targets), check=options.check)
        )
        return deploy(options, targets, journal, os.environ, observe)


def _report_not_pushed(run: Run, others: Sequence[tuple[str, str]]) -> None:
    """Users without a reachable machine are not failures: they pull, or get a package."""
    for user, why in others[:_NAMED_AT_MOST]:
        run.say(f"{user}: not pushed to: {why}")
    if len(others) > _NAMED_AT_MOST:
        run.say(f"{len(others) - _NAMED_AT_MOST} more users are not pushed to: they pull, or get a package")


def _journal(
    run: Run,
    stack: ExitStack,
    workspace: Workspace,
    states: Sequence[DesiredState],
    reachable: Reachability,
    *,
    check: bool,
    resume: bool,
) -> tuple[PushJournal | None, Sequence[Target]]:
    """Lock the workspace for one deployment, and open its journal; returns the journal and the machines to contact."""
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
            return None, reachable.targets
        users = [t.label for t in reachable.targets]
        return stack.enter_context(PushJournal.begin(path, users, datetime.now(UTC).isoformat())), reachable.targets
    journal = stack.enter_context(PushJournal.resume(path))
    digests = digests_of(workspace.dist, journal.started)
    left = set(journal.remaining(digests, received_bundles(workspace, states)))
    targets = [t for t in reachable.targets if t.label in left]
    named = [t for t in reachable.targets if t.label in journal.started]
    run.say(f"{len(named) - len(targets)} already have it, contacting {len(targets)}")
    if other := len(reachable.targets) - len(named):
        run.say(f"{other} more were in no deployment so far: run without --resume to include them")
    return (None if check else journal), targets


def newest_receipts(workspace: Workspace, states: Iterable[DesiredState]) -> Callable[[str], Receipt | None]:
    """Look up a machine's newest receipt that verifies, however it got there."""
    from provision.cli.delivery.receipts import receipt_store
    from provision.keys.vault.file import read_workspace_id
    from provision.receipts.fleet import UnverifiedReceipt, verified_receipts
    from provision.receipts.store import fleet_endpoints

    endpoints = fleet_endpoints(states, read_workspace_id(workspace.vault))
    receipt_of = verified_receipts(receipt_store(workspace), endpoints)

    def newest(label: str) -> Receipt | None:
        receipt = receipt_of(label)
        return None if isinstance(receipt, UnverifiedReceipt) else receipt

    return newest


def received_bundles(workspace: Workspace, states: Iterable[DesiredState]) -> Callable[[str, str], str | None]:
    """Look up which bundle a user's machine certified since a time."""
    from datetime import datetime

    newest = newest_receipts(workspace, states)

    def received(user: str, since: str) -> str | None:
        receipt = newest(user)
        since_at = datetime.fromisoformat(since).replace(microsecond=0)
        return receipt.bundle if receipt is not None and receipt.made_at >= since_at else None

    return received


def says_halted(receipt: Receipt) -> bool:
    """Whether the machine says in its receipt that Hermes is halted there."""
    from provision.endpoint.halt import NOTE

    return any(drift.file == NOTE for drift in receipt.drift)


def receipt_check(workspace: Workspace, states: Iterable[DesiredState]) -> Callable[[Deployed | Halted, str], str]:
    """Verify and store the receipt that a machine sent back, as `receipts import` does; why it proves nothing, if so."""
    from datetime import UTC, datetime

    from provision.cli.delivery.receipts import receipt_store
    from provision.keys.vault.file import read_workspace_id
    from provision.push.outcomes import Halted
    from provision.receipts.store import ImportResult, fleet_endpoints, import_receipt

    store = receipt_store(workspace)

    @functools.cache
    def endpoints() -> KnownEndpoints:
        return fleet_endpoints(states, read_workspace_id(workspace.vault))

    def unproved(outcome: Deployed | Halted, digest: str) -> str:
        if outcome.receipt is None:
            return "it sent no signed receipt"
        done = import_receipt(
            f"{outcome.user}'s machine", outcome.receipt.encode(), store, endpoints(), datetime.now(UTC)
        )
        if done.result is ImportResult.REFUSED or done.receipt is None:
            return f"its receipt was refused: {done.message}"
        if done.endpoint != outcome.user:
            return f"its receipt is one of {done.endpoint}"
        if isinstance(outcome, Halted):
            return "" if says_halted(done.receipt) else "its receipt does not say so"
        if done.receipt.bundle != digest:
            return f"its receipt is for generation {done.receipt.generation} of another bundle than the one in dist/"
        return ""

    return unproved
