"""How commands ask about recipients, gateway hosts and commands that changed in the workspace: see `fleet.approvals`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from provision.fleet.approvals import ApprovedRecipients, PendingRecipients, PendingSetting
    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace

_SHOWN = 20
_COMMAND = "provision operators approve"


def approved_workspace(say: Callable[[str], None], workspace: Workspace) -> Workspace:
    """The workspace with approved settings. On a terminal the operator is asked about others; elsewhere they are left out."""
    from provision.fleet.approvals import (
        keep_settings_approval,
        pending_settings,
        read_settings_approval,
        with_approved_settings,
    )

    approved = read_settings_approval(workspace)
    if approved is None:
        keep_settings_approval(workspace)
        return workspace
    pending = pending_settings(workspace, approved)
    if not pending:
        return workspace
    lines = list(setting_lines(pending))
    if confirmed(say, lines):
        keep_settings_approval(workspace)
        return workspace
    for line in lines:
        say(f"not approved, so not used: {line}")
    say(f"look at it, then: {_COMMAND}")
    return with_approved_settings(workspace, approved)


def review_recipients(
    say: Callable[[str], None],
    workspace: Workspace,
    states: Sequence[DesiredState],
    known: ApprovedRecipients | None,
) -> ApprovedRecipients:
    """Who may open bundles. `states` are all users of the inventory, `known` is what was approved before.

    The first time they are taken as they are. On a terminal the operator is asked about additions; elsewhere they wait.
    """
    from provision.fleet.approvals import (
        keep_recipients_approval,
        pending_recipients,
        recipients_now,
        still_there,
    )
    from provision.report.terminal import plural

    now = recipients_now(states)
    if known is None:
        approved = now
        say(f"first bundles from here: the recipients of {plural(len(approved), 'user')} count as approved")
        keep_recipients_approval(workspace, approved)
        return approved
    if known == now:
        return known
    approved = still_there(now, known)
    pending = pending_recipients(now, approved)
    if pending:
        if confirmed(say, list(user_lines(pending))):
            approved |= {each.user: now[each.user] for each in pending}
        else:
            names = ", ".join(each.user for each in pending[:_SHOWN])
            more = f" and {len(pending) - _SHOWN} more" if len(pending) > _SHOWN else ""
            say(f"left out, because their recipients are not approved: {names}{more}; look at them: {_COMMAND}")
    if approved != known:
        keep_recipients_approval(workspace, approved)
    return approved


def confirmed(say: Callable[[str], None], lines: Sequence[str]) -> bool:
    """Show what waits and ask on a terminal; without one the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    for line in lines:
        say(line)
    return typer.confirm("Approve this?", default=False, err=True)


def setting_lines(settings: Iterable[PendingSetting]) -> Iterable[str]:
    """A line for each setting that waits."""
    for each in settings:
        yield f"provision.toml: {each.name}: {each.before} -> {each.now}"


def user_lines(users: Sequence[PendingRecipients]) -> Iterable[str]:
    """A line for each user with recipients that wait."""
    for each in users[:_SHOWN]:
        what = "new user" if each.new_user else "added"
        yield f"{each.user}: {what}: {', '.join(each.added)}"
    if len(users) > _SHOWN:
        yield f"and {len(users) - _SHOWN} more users: {_COMMAND} --format json lists them"
