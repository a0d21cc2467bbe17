"""`provision adopt`: the keys that users pasted into their homes, into the vault under their names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provision.cli.app import app
from provision.cli.context import Run
from provision.cli.machines.app import AccountOption, CommandOption, KnownHostsOption, LoginOption, PrivateKeyOption
from provision.cli.options import DryRun, Forks, Limit, Output, TableOrJson
from provision.errors import Exit, NothingMatchedError, ProvisionError, UsageError
from provision.report.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.directory.adoption import Adoption, FoundKey
    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.push.ansible import Ssh

_MAX_SEALED_BYTES = 64 << 10


@app.command("adopt")
def adopt(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Homes, folders of accounts such as /home, or files of --seal-to."),
    ] = None,
    hosts: Annotated[
        bool, typer.Option("--hosts", help="Ask the machines of users through Ansible; keys are sealed there.")
    ] = False,
    limit: Limit = None,
    user: Annotated[str | None, typer.Option("--user", help="Whose home PATH is. Default: the account's.")] = None,
    hermes_profile: Annotated[
        str | None, typer.Option("--hermes-profile", help="Hermes profile inside the home. Default: the home itself.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also replace other keys in the vault.")] = False,
    allow_shared: Annotated[bool, typer.Option("--allow-shared", help="Allow the same key for several users.")] = False,
    seal_to: Annotated[
        list[str] | None,
        typer.Option(
            "--seal-to", metavar="RECIPIENT", help="On a user's machine: print the key, sealed to an operator."
        ),
    ] = None,
    gateway_host: Annotated[
        list[str] | None, typer.Option("--gateway-host", help="With --seal-to: host of the gateway; repeatable.")
    ] = None,
    forks: Forks = 10,
    login: LoginOption = None,
    private_key: PrivateKeyOption = None,
    known_hosts: KnownHostsOption = None,
    account: AccountOption = None,
    command: CommandOption = None,
    dry_run: DryRun = False,
    format_: TableOrJson = Format.TABLE,
    output: Output = None,
) -> None:
    """Take keys that users pasted into their Hermes homes into the vault.

    Only the key that Hermes sends to the team's gateway is taken; the homes stay as they are. From other machines keys come
    sealed to the operators. Exits with 4 if a key was refused or a machine did not answer.
    """
    run: Run = ctx.obj
    if seal_to:
        _seal(run, paths or [], hermes_profile, user, seal_to, gateway_host or [], output)
        return
    if hosts == bool(paths):
        raise UsageError(
            "name homes, or use --hosts", hint="provision adopt /home, or provision adopt --hosts -l USERS"
        )
    if user is not None and (hosts or len(paths or ()) != 1):
        raise UsageError("--user needs exactly one PATH")
    from provision.cli.delivery.receipts import valid_fleet
    from provision.push.ansible import Ssh

    workspace = run.open_workspace()
    states = valid_fleet(workspace).states
    if hosts:
        ssh = Ssh(login, private_key, known_hosts, account)
        found, failed = _from_machines(run, workspace, states, limit, ssh, command, forks, dry_run=dry_run)
    else:
        found, failed = _from_paths(workspace, states, paths or [], hermes_profile, user)
    found, busy = _without_rotations(workspace, found)
    failed += busy
    done = [*_adopt(workspace, found, dry_run=dry_run, replace=replace, allow_shared=allow_shared), *failed]
    for each in found:
        for note in each.pasted.notes:
            run.say(f"{each.where}: {note}")
    run.result(_json(done, dry_run=dry_run) if format_ is Format.JSON else _table(done), output)
    if dry_run:
        run.say("dry run: nothing was written")
    elif any(each.fingerprint for each in done):
        run.say("next: provision validate, then provision render; an install takes over the keys where they are")
    if any(each.fingerprint is None for each in done):
        raise typer.Exit(Exit.PARTIAL)


def _seal(
    run: Run,
    paths: list[Path],
    hermes_profile: str | None,
    user: str | None,
    recipients: list[str],
    hosts: list[str],
    output: Path | None,
) -> None:
    """On the user's machine: the key of a home as a document for the operators."""
    from datetime import UTC, datetime

    from provision.aisa.base_url import DEFAULT_HOSTS
    from provision.cli.endpoint.machine import this_platform
    from provision.directory.pasted_key import pasted_key, sealed_key
    from provision.endpoint.route_check import managed_dir_in_force
    from provision.hermes.home import default_home
    from provision.report.document import document

    if len(paths) > 1:
        raise UsageError("--seal-to takes one home")
    home = paths[0] if paths else Path(default_home(this_platform(), os.environ))
    found = pasted_key(
        home.absolute(),
        hermes_profile,
        hosts=hosts or DEFAULT_HOSTS,
        environ=os.environ,
        managed_dir=managed_dir_in_force(os.environ),
        now=datetime.now(UTC),
    )
    run.data(document("adopted-key/v1", **sealed_key(found, user, recipients)), output)


def _from_paths(
    workspace: Workspace,
    states: Sequence[DesiredState],
    paths: list[Path],
    hermes_profile: str | None,
    user: str | None,
) -> tuple[list[FoundKey], list[Adoption]]:
    from datetime import UTC, datetime

    from provision.directory.adoption import Adoption, FoundKey, homes_below, user_of
    from provision.directory.pasted_key import pasted_key

    found: list[FoundKey] = []
    failed: list[Adoption] = []
    for path in paths:
        if path.is_file():
            _from_document(workspace, states, path, user, found, failed)
            continue
        homes = homes_below(path.resolve())
        if not homes:
            raise NothingMatchedError(f"no Hermes home at {path}", hint="name a home, an account's folder, or /home")
        if user is not None and len(homes) != 1:
            raise UsageError(f"--user needs one home, and {path} has {len(homes)}")
        for each in homes:
            owner = _known(states, user) if user is not None else user_of(each.account, states)
            try:
                if owner is None:
                    raise NothingMatchedError(
                        f"{each.account!r} is not a user of the inventory: name the user with --user"
                    )
                key = pasted_key(
                    each.home,
                    hermes_profile,
                    hosts=workspace.settings.gateway_hosts,
                    environ={},
                    managed_dir=None,
                    now=datetime.now(UTC),
                )
            except (ProvisionError, OSError) as e:
                failed.append(Adoption(owner or each.account, str(each.home), "refused", None, str(e)))
            else:
                found.append(FoundKey(owner, str(each.home), key))
    return found, failed


def _from_document(
    workspace: Workspace,
    states: Sequence[DesiredState],
    path: Path,
    user: str | None,
    found: list[FoundKey],
    failed: list[Adoption],
) -> None:
    """A file that `adopt --seal-to` wrote on a user's machine."""
    import json

    from provision.directory.adoption import Adoption, FoundKey
    from provision.directory.pasted_key import NoPastedKeyError, open_sealed_key
    from provision.files import read_bounded
    from provision.formats.shell_output import shell_bytes
    from provision.keys.age import load_identities

    try:
        document = json.loads(shell_bytes(read_bounded(path, _MAX_SEALED_BYTES)))
    except (ValueError, RecursionError):
        document = None
    try:
        if not isinstance(document, dict):
            raise NoPastedKeyError("this is not a sealed key", hint="provision adopt --seal-to RECIPIENT makes one")
        named, key = open_sealed_key(document, load_identities(workspace.identity))
        owner = _known(states, user or named or "")
    except ProvisionError as e:
        failed.append(Adoption(user or "-", str(path), "refused", None, str(e)))
    else:
        found.append(FoundKey(owner, str(path), key))


def _known(states: Sequence[DesiredState], user: str) -> str:
    from provision.fleet.limit import no_match_error

    known = [state.user for state in states]
    if user not in known:
        raise no_match_error(f"no user {user!r} in the inventory", user, known)
    return user


def _from_machines(
    run: Run,
    workspace: Workspace,
    states: Sequence[DesiredState],
    limit: list[str] | None,
    ssh: Ssh,
    command: str | None,
    forks: int,
    *,
    dry_run: bool,
) -> tuple[list[FoundKey], list[Adoption]]:
    """Ask machines; each seals its key to the operators. Whose key it is, the inventory says, not the machine."""
    from provision.directory.adoption import Adoption, FoundKey
    from provision.directory.pasted_key import open_sealed_key
    from provision.fleet.limit import select_users
    from provision.keys.age import load_identities
    from provision.keys.vault.file import read_vault
    from provision.keys.vault.text import sealed_to
    from provision.push.adopting import sealed_keys
    from provision.push.inventory import split_by_reachability

    targets = split_by_reachability(select_users(states, limit)).targets
    if not targets:
        raise NothingMatchedError("no machine can be reached: users have no `host`", hint="docs/deploy.md")
    if dry_run:
        run.say(f"machines that are asked: {', '.join(target.label for target in targets)}")
    answers = sealed_keys(
        workspace.root,
        targets,
        ssh,
        recipients=sealed_to(read_vault(workspace.vault)),
        gateway_hosts=workspace.settings.gateway_hosts,
        command=command,
        environ=os.environ,
        forks=forks,
    )
    identities = load_identities(workspace.identity)
    found: list[FoundKey] = []
    failed: list[Adoption] = []
    for target in targets:
        answer = answers[target.label]
        try:
            if answer.found is None:
                raise ProvisionError(answer.message)
            _, key = open_sealed_key(answer.found, identities)
        except ProvisionError as e:
            failed.append(Adoption(target.user, target.label, "refused", None, str(e)))
        else:
            found.append(FoundKey(target.user, target.label, key))
    return found, failed


def _without_rotations(workspace: Workspace, found: list[FoundKey]) -> tuple[list[FoundKey], list[Adoption]]:
    """The keys of users who are in no rotation: an import would interfere with it."""
    from provision.directory.adoption import Adoption
    from provision.rotate.store import RotationStore, busy_with

    busy = busy_with(list(RotationStore(workspace.root).unfinished()))
    why = {user: f"{user} is in rotation {name}: finish it first" for user, name in busy.items()}
    refused = [Adoption(e.user, e.where, "refused", None, why[e.user]) for e in found if e.user in busy]
    return [each for each in found if each.user not in busy], refused


def _adopt(
    workspace: Workspace, found: list[FoundKey], *, dry_run: bool, replace: bool, allow_shared: bool
) -> list[Adoption]:
    from datetime import UTC, datetime

    from provision.directory.adoption import adopt_keys
    from provision.keys.age import load_identities
    from provision.keys.vault.file import editing, open_vault

    if not found:
        return []
    identities, now = load_identities(workspace.identity), datetime.now(UTC)
    if dry_run:
        vault = open_vault(workspace.vault, identities)
        return adopt_keys(vault, found, now=now, allow_shared=allow_shared, replace=replace)
    with editing(workspace.vault, identities, "adopt") as vault:
        return adopt_keys(vault, found, now=now, allow_shared=allow_shared, replace=replace)


def _json(done: Sequence[Adoption], *, dry_run: bool) -> str:
    from provision.report.document import document

    rows: list[dict[str, Any]] = [
        {"user": e.user, "where": e.where, "result": e.result, "fingerprint": e.fingerprint, "why": e.why or None}
        for e in done
    ]
    return document("adopt/v1", dry_run=dry_run, keys=rows)


def _table(done: Sequence[Adoption]) -> str:
    from provision.report.terminal import plural, printable, table

    rows = [(e.user, e.where, e.result, e.fingerprint or "-") for e in done]
    text = table(("USER", "WHERE", "RESULT", "KEY"), rows)
    text += "".join(f"{printable(f'{e.user}: {e.why}')}\n" for e in done if e.why)
    taken = sum(each.fingerprint is not None for each in done)
    return f"{text}in the vault: the keys of {taken} of {plural(len(done), 'home')}\n"
