"""What this operator approved of a workspace: where keys and messages are sent, which program runs, who may open bundles.

A workspace is in git, and who can push to it could add a recipient, a gateway host or a `key_command`. So these are remembered
outside of the workspace, in the operator's configuration folder, by the workspace's path. The first use takes them as they are;
later additions wait for approval: an unapproved setting has its value from before, an unapproved recipient gets no bundle.
What comes from the environment is the operator's own, and taking something away needs no approval.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.errors import ProvisionError
from provision.files import read_optional, write_atomic
from provision.fleet.config_folder import config_dir
from provision.fleet.links import WRITTEN_SETTINGS, is_outside
from provision.fleet.settings import PREFIX, Settings
from provision.shell import shell_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace

_MAX_BYTES = 256 << 20
_MAX_TLS_BYTES = 16 << 20
_SETS = frozenset({"gateway_hosts", "notify"})
"""Settings whose values are approved one by one."""
_SETTINGS, _RECIPIENTS = "settings.json", "recipients.json"
ApprovedRecipients = dict[str, list[str]]
"""For each user, the recipients that bundles may be sealed to, sorted: as JSON has them, so that 100,000 users cost little."""


class BadApprovalsError(ProvisionError):
    """What was approved cannot be read: nothing is approved then."""


@dataclass(frozen=True, slots=True)
class PendingSetting:
    """A setting of provision.toml that waits for approval, as text before and now."""

    name: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class PendingRecipients:
    """Recipients of a user that wait for approval. `new_user`: none of the user was ever approved."""

    user: str
    added: tuple[str, ...]
    new_user: bool


def guarded_settings(workspace: Workspace) -> dict[str, Any]:
    """The settings that decide where keys are sent, what is run, and what is written outside, as they are in provision.toml."""
    settings = workspace.settings
    found: dict[str, Any] = {
        "gateway": settings.gateway,
        "gateway_hosts": list(settings.gateway_hosts),
        "key_command": list(settings.key_command),
        "revoke_command": list(settings.revoke_command),
        "proxy": settings.proxy,
        "tls_bundle": _digest(workspace.tls_bundle),
        "notify": [target.text for target in settings.notify],
    }
    for name in WRITTEN_SETTINGS:
        outside = is_outside(str(workspace.root), str(getattr(workspace, name)))
        found[name] = str(getattr(settings, name)) if outside else None
    variables = {name.upper() for name in os.environ}
    return {name: value for name, value in found.items() if PREFIX + name.upper() not in variables}


def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    data = read_optional(path, _MAX_TLS_BYTES)
    return f"{path.name} sha256:{hashlib.sha256(data).hexdigest()}" if data is not None else f"{path.name} (missing)"


def read_settings_approval(workspace: Workspace) -> dict[str, Any] | None:
    """The approved settings; None if this workspace was never used here. Raises BadApprovalsError."""
    return _read(_folder(workspace) / _SETTINGS)


def keep_settings_approval(workspace: Workspace) -> None:
    """Approve the settings as they are. Those from the environment keep what was approved before."""
    approved = (read_settings_approval(workspace) or {}) | guarded_settings(workspace)
    _write(_folder(workspace) / _SETTINGS, {"workspace": str(workspace.root), **approved})


def pending_settings(workspace: Workspace, approved: Mapping[str, Any]) -> tuple[PendingSetting, ...]:
    """The settings that add something to what was approved."""
    found = []
    for name, now in guarded_settings(workspace).items():
        before = approved.get(name)
        taken_away = not now or (name in _SETS and set(now) <= set(before or ()))
        if now != before and not taken_away:
            found.append(PendingSetting(name, _text(before), _text(now)))
    return tuple(found)


def _text(value: Any) -> str:
    return "not set" if not value else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def with_approved_settings(workspace: Workspace, approved: Mapping[str, Any]) -> Workspace:
    """The workspace with approved settings only: no host, program, proxy or authority that was not approved."""
    pending = {each.name for each in pending_settings(workspace, approved)}
    hosts = tuple(h for h in workspace.settings.gateway_hosts if h in (approved.get("gateway_hosts") or ()))
    values = {
        "gateway": approved.get("gateway") or workspace.settings.gateway,
        "gateway_hosts": hosts,
        "key_command": (),
        "revoke_command": (),
        "proxy": approved.get("proxy"),
        "tls_bundle": None,
        "notify": tuple(t for t in workspace.settings.notify if t.text in (approved.get("notify") or ())),
        **{name: Path(approved.get(name) or Settings.model_fields[name].default) for name in WRITTEN_SETTINGS},
    }
    changed = {name: values[name] for name in pending}
    return replace(workspace, settings=workspace.settings.model_copy(update=changed)) if changed else workspace


def read_recipients_approval(workspace: Workspace) -> ApprovedRecipients | None:
    """The approved recipients; None if no bundle of this workspace was made here. Raises BadApprovalsError."""
    path = _folder(workspace) / _RECIPIENTS
    found = _read(path)
    if found is None:
        return None
    users = found.get("users")
    if not isinstance(users, dict) or not all(isinstance(texts, list) for texts in users.values()):
        raise _damaged(path)
    return users


def keep_recipients_approval(workspace: Workspace, approved: ApprovedRecipients) -> None:
    """Remember these recipients, durably."""
    _write(_folder(workspace) / _RECIPIENTS, {"workspace": str(workspace.root), "users": approved})


def recipients_now(states: Iterable[DesiredState]) -> ApprovedRecipients:
    """Who could open the bundles of these users by the inventory."""
    return {
        state.user: [found[0]]  # one without a comment, as nearly all have
        if len(found := state.all_recipients) == 1 and " " not in found[0]
        else sorted({bare_recipient(text) for text in found})
        for state in states
    }


def pending_recipients(now: ApprovedRecipients, approved: ApprovedRecipients) -> tuple[PendingRecipients, ...]:
    """The users with recipients that were not approved."""
    return tuple(
        PendingRecipients(user, tuple(added), user not in approved)
        for user, texts in now.items()
        if texts != (known := approved.get(user)) and (added := [text for text in texts if text not in (known or ())])
    )


def still_there(now: ApprovedRecipients, approved: ApprovedRecipients) -> ApprovedRecipients:
    """What stays approved: a recipient that was taken out, such as a lost machine's, must be approved again."""
    return {user: [text for text in texts if text in now[user]] for user, texts in approved.items() if user in now}


def follow_own_edit(workspace: Workspace, before: Iterable[DesiredState], after: Iterable[DesiredState]) -> None:
    """Approve the recipients that this operator's own command just wrote into the inventory."""
    approved = read_recipients_approval(workspace)
    if approved is None:
        return
    was, now = recipients_now(before), recipients_now(after)
    known = {}
    for user, texts in now.items():
        kept = approved.get(user, [])
        followed = [text for text in texts if text in kept or text not in was.get(user, ())]
        if followed or user in approved:
            known[user] = followed
    if known != approved:
        keep_recipients_approval(workspace, known)


def bare_recipient(text: str) -> str:
    """A recipient without an SSH key's comment."""
    return " ".join(text.split(None, 2)[:2]) if " " in text else text


def recipients_approval_path(workspace: Workspace) -> Path:
    """The file with the approved recipients of a workspace."""
    return _folder(workspace) / _RECIPIENTS


def _folder(workspace: Workspace) -> Path:
    name = hashlib.sha256(str(workspace.root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return config_dir(os.environ) / "approved" / name


def _read(path: Path) -> dict[str, Any] | None:
    data = read_optional(path, _MAX_BYTES)
    if data is None:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise _damaged(path) from e
    if not isinstance(found, dict):
        raise _damaged(path)
    return found


def _damaged(path: Path) -> BadApprovalsError:
    return BadApprovalsError(
        f"{path} is damaged: what you approved is unknown",
        hint=f"compare the workspace with its history, then begin again: rm {shell_path(path)}",
    )


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(content, sort_keys=True) + "\n").encode())
