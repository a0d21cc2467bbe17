"""How commands tell IT what needs attention: `[[notify]]` in provision.toml. Never raises, never changes an exit code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.fleet.notify_target import NotifyEvent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from provision.cli.context import Run
    from provision.fleet.notify_target import NotifyTarget
    from provision.fleet.workspace import Workspace
    from provision.notify.message import Message
    from provision.notify.notice import Notice
    from provision.report.attention import Attention

ALL = frozenset(NotifyEvent)


def send_notifications(
    run: Run,
    workspace: Workspace,
    command: str,
    found: Iterable[Attention],
    *,
    examined: Collection[NotifyEvent] = ALL,
    users: Iterable[str] = (),
) -> None:
    """Tell each target what is new for it. `examined`: the events of which `found` holds every case.

    The bundles of `users` in dist/ are examined for their expiry. What could not be sent is a warning, and is sent by the next
    command.
    """
    targets = workspace.settings.notify
    if not targets:
        return
    from datetime import UTC, datetime

    from provision.bundle.peek import released_bundle
    from provision.notify.notice import expiring_notices, notices_of, read_sent, write_sent

    now = datetime.now(UTC)
    released = ((user, released_bundle(workspace.dist, user)) for user in users)
    ends = ((user, bundle.expires) for user, bundle in released if bundle)
    notices = [*notices_of(found), *expiring_notices(ends, now)]
    try:
        record = read_sent(workspace.root)
        record.forget(notices, examined, now)
        due = [(target, told) for target in targets if (told := record.due(target, notices, now))]
        messages = [(t, message_of(workspace, command, told, now)) for t, told in due]
        for (target, told), sent in zip(due, deliver(run, workspace, messages), strict=True):
            if sent:
                record.keep(target, told, now)
        write_sent(workspace.root, record)
    except (ProvisionError, OSError) as e:
        run.say(f"warning: notifications: {e}")


def message_of(workspace: Workspace, command: str, told: list[Notice], now: datetime) -> Message:
    """A message to one target, with a new id."""
    import secrets

    from provision.notify.message import Message

    return Message(f"msg_{secrets.token_hex(12)}", now, workspace.root.name, command, told)


def deliver(run: Run, workspace: Workspace, messages: list[tuple[NotifyTarget, Message]]) -> list[bool]:
    """Send messages; a failure is a warning. Returns which were sent."""
    if not messages:
        return []
    from provision.notify.send import NotifyNetwork, send_all

    network = NotifyNetwork(workspace.tls_bundle, workspace.settings.proxy, os.environ)
    outcomes = send_all(messages, network)
    for (target, _), why in zip(messages, outcomes, strict=True):
        run.say(f"warning: {target.label} was not notified: {why}" if why else f"notified {target.label}")
    return [why is None for why in outcomes]
