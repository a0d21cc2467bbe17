"""What a render notes for the next one: see `bundle.unchanged`. Import this module inside a command: it needs most of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.bundle.render import RENEW_BELOW
from provision.fleet.approvals import read_recipients_approval, recipients_approval_path, recipients_now
from provision.fleet.workspace import load_workspace
from provision.keys.events.log import log_path
from provision.keys.vault.file import read_newest_vault
from provision.trust.files import chain_tar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from provision.bundle.prepare import PreparedRender
    from provision.bundle.unchanged import LastRender
    from provision.fleet.workspace import Workspace


def named_files(workspace: Workspace) -> Iterator[Path]:
    """The files that settings name."""
    yield from (workspace.inventory, workspace.vault, log_path(workspace.vault), workspace.catalogue)
    yield from (workspace.allowed_signers, workspace.identity, workspace.signing_key)
    if workspace.tls_bundle is not None:
        yield workspace.tls_bundle


def note_unchanged(
    last: LastRender, workspace: Workspace, ready: PreparedRender, current: Mapping[str, tuple[bytes, int]]
) -> None:
    """Note what this run found, if a run with the same files would find the same and say nothing else."""
    common, chain = ready.options.common, ready.trusted.chain
    own_keys = workspace.settings.key_command or load_workspace(workspace.root).settings != workspace.settings
    if own_keys or len(current) != len(ready.everyone):
        return

    def sound() -> bool:
        approved = read_recipients_approval(workspace) == recipients_now(ready.everyone)
        return approved and not read_newest_vault(workspace.vault)[1]

    due = min((expires for _, expires in current.values()), default=0) - common.bundle_days * 86400 * RENEW_BELOW
    last.finish(
        {user: content for user, (content, _) in current.items()},
        chain=chain_tar(chain) if chain else b"",
        read=ready.recipient_files,
        written=(log_path(workspace.vault), recipients_approval_path(workspace)),
        sound=sound,
        since=common.now.timestamp(),
        until=min(due, ready.steady_until),
    )
