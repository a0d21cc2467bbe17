"""Load what `render` and `diff` need from a workspace: the fleet, the keys, the signer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.bundle.plan import RenderInputs as Common
from provision.bundle.render import RenderOptions, user_ids
from provision.fleet.limit import select_users
from provision.fleet.load import load_fleet
from provision.hermes.rendering.renderer import Renderer
from provision.hermes.rendering.templates import Templates
from provision.keys.events.log import log_end, log_path
from provision.keys.identities import load_identities
from provision.keys.key_source import KeySource
from provision.keys.vault.file import open_vault
from provision.signing.fields import LogHead
from provision.signing.sshsig import load_signing_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provision.fleet.workspace import Workspace
    from provision.keys.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class PreparedRender:
    """What to render, the key to sign with, and the folder to write to."""

    options: RenderOptions
    signing_key: Ed25519PrivateKey
    dist: Path


def prepare_render(
    workspace: Workspace,
    limit: Sequence[str] | None,
    now: datetime,
    *,
    force: bool = False,
    prune: bool = False,
    ahead: Mapping[str, str] | None = None,
) -> PreparedRender:
    """Load everything that bundles are made from; `ahead` as in KeySource. Raises InvalidFilesError if any file of the fleet
    has errors."""
    renderer = Renderer()  # starts while the rest is being loaded
    fleet = load_fleet(workspace)
    fleet.require_valid()
    states = select_users(fleet.states, limit)
    key = load_signing_key(workspace.signing_key)
    vault = open_vault(workspace.vault, load_identities(workspace.identity))
    common = render_inputs(workspace, vault, now, ahead or {}, renderer)
    return PreparedRender(
        RenderOptions(states, user_ids(fleet.states), common, force=force, prune=prune), key, workspace.dist
    )


def render_inputs(
    workspace: Workspace, vault: Vault, now: datetime, ahead: Mapping[str, str], renderer: Renderer | None = None
) -> Common:
    """The inputs that all bundles of one run share."""
    settings = workspace.settings
    operators = (settings.operators or vault.operators) if settings.seal_to_operators else ()
    return Common(
        workspace_id=vault.workspace_id,
        templates=Templates.load(workspace.templates_dir, renderer),
        keys=KeySource(vault, settings.key_command, settings.key_command_timeout_s, now.date(), ahead),
        salt=vault.salt,
        digest_key=vault.digest_key(),
        operators=tuple(operators),
        bundle_days=settings.bundle_days,
        now=now,
        gateway_hosts=settings.gateway_hosts,
        log_head=log_head(workspace.vault),
    )


def log_head(vault: Path) -> LogHead | None:
    """The end of the vault's event log, as signed documents record it; None without a log."""
    found = log_end(log_path(vault))
    return LogHead(count=found[0].lines, sha256=found[0].sha256) if found else None
