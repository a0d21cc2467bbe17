"""`provision machines enroll`: public keys of machines over SSH, into the inventory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from provision.cli.context import Run
from provision.cli.machines.app import (
    AccountOption,
    CommandOption,
    KnownHostsOption,
    LoginOption,
    PrivateKeyOption,
    machines_app,
)
from provision.cli.options import DryRun, Forks, Limit
from provision.cli.users.app import require_confirmation
from provision.errors import Exit, NothingMatchedError, ProvisionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.enrolment.policy import EnrolmentReview, InventoryKeys
    from provision.fleet.workspace import Workspace
    from provision.push.inventory import Target
    from provision.push.one_step import StepAnswer


@machines_app.command("enroll")
def machines_enroll(
    ctx: typer.Context,
    limit: Limit = None,
    forks: Forks = 10,
    replace: Annotated[bool, typer.Option("--replace", help="Also replace keys that differ from new ones.")] = False,
    login: LoginOption = None,
    private_key: PrivateKeyOption = None,
    known_hosts: KnownHostsOption = None,
    account: AccountOption = None,
    command: CommandOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before writing.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Create keys on machines through Ansible, and write the public halves into the inventory.

    No fingerprint needs to be compared: SSH proves which machine answers, by its host key, which must be known. A machine
    is asked for the user whose `host` it is. Exits with 4 if some machines failed or were refused.
    """
    from provision.cli.delivery.receipts import fleet_states
    from provision.enrolment.policy import EnrolmentChange, inventory_keys
    from provision.fleet.limit import select_users
    from provision.push.ansible import Ssh
    from provision.push.inventory import split_by_reachability
    from provision.push.one_step import run_step

    run: Run = ctx.obj
    workspace = run.open_workspace()
    states = fleet_states(workspace)
    targets = split_by_reachability(select_users(states, limit)).targets
    if not targets:
        raise NothingMatchedError("no machine can be reached: users have no `host`", hint="docs/deploy.md")
    if dry_run:
        run.result("".join(f"{target.label}\t{target.address}\n" for target in targets))
        run.say("dry run: no machine was contacted")
        return
    answers = run_step(
        workspace.root,
        targets,
        "hermes.provision.keys",
        "enrolled",
        ssh=Ssh(login, private_key, known_hosts, account),
        variables={"hermes_signers": _signers(workspace), "hermes_command": command},
        environ=os.environ,
        forks=forks,
    )
    known = inventory_keys(states)
    reviews, failures = _reviews(targets, answers, known)
    accepted = []
    for item in reviews:
        if item.change is EnrolmentChange.REFUSED or (item.change is EnrolmentChange.DIFFERENT and not replace):
            failures.append(f"{item.candidate.label}: refused: {item.message or 'it has other keys: use --replace'}")
        elif item.change is not EnrolmentChange.UNCHANGED:
            accepted.append(item)
    for line in failures:
        run.say(line)
    for item in accepted:
        run.result(f"{item.candidate.label}\t{item.change}\t{' '.join(item.candidate.fingerprints)}\n")
    if accepted:
        require_confirmation(f"Write the keys of {len(accepted)} machines?", yes=yes)
        _write(run, workspace, accepted, known)
    run.say(f"{len(accepted)} written, {len(reviews) - len(accepted)} others, {len(failures)} failed")
    if failures:
        raise typer.Exit(Exit.PARTIAL)


def _signers(workspace: Workspace) -> list[str]:
    """The lines of allowed_signers: whom the machines will trust."""
    from provision.files import read_bounded

    lines = read_bounded(workspace.allowed_signers, 1 << 20).decode().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _reviews(
    targets: tuple[Target, ...], answers: Mapping[str, StepAnswer], known: Mapping[str, InventoryKeys]
) -> tuple[list[EnrolmentReview], list[str]]:
    """The keys that machines sent, compared with the inventory; the user is the one asked for, whatever a machine says."""
    from provision.enrolment.policy import parse_candidate, review_candidate

    reviews, failures = [], []
    for target in targets:
        answer = answers[target.label]
        if answer.found is None:
            failures.append(f"{target.label}: {answer.message}")
            continue
        found = answer.found
        recipients, key = found.get("recipients"), found.get("endpoint_key")
        try:
            candidate = parse_candidate(
                target.user,
                [str(each) for each in recipients] if isinstance(recipients, list) else [],
                str(key) if key else None,
                target.address,
                machine=target.machine,
            )
        except ProvisionError as e:
            failures.append(f"{target.label}: {e.message}")
            continue
        reviews.append(review_candidate(candidate, known))
    return reviews, failures


def _write(run: Run, workspace: Workspace, accepted: list[EnrolmentReview], known: Mapping[str, InventoryKeys]) -> None:
    from provision.enrolment.inventory import add_keys
    from provision.fleet.edit.inventory_file import change_inventory

    candidates = [item.candidate for item in accepted]
    file = workspace.inventory.name
    change_inventory(workspace, lambda data: add_keys(data, file, candidates, known, None))
    run.say(f"wrote {workspace.name_of(workspace.inventory)}; next: git diff, then provision check")
