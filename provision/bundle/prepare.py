"""Load what `render` and `diff` need from a workspace: the fleet, the keys, the signer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from provision.bundle.manifest import SIGNATURE
from provision.bundle.plan import RenderInputs as Common
from provision.bundle.render import RenderOptions, user_ids
from provision.files import read_optional, write_atomic
from provision.fleet.approvals import read_recipients_approval
from provision.fleet.limit import select_users
from provision.fleet.load import load_fleet
from provision.hermes.rendering.renderer import Renderer
from provision.hermes.rendering.templates import Templates, WelcomeNotes
from provision.keys.events.log import log_end, log_path
from provision.keys.identities import load_identities
from provision.keys.key_source import KeySource
from provision.keys.vault.file import open_vault, read_workspace_id
from provision.keys.vault.known_key import require_known_vault
from provision.signing.allowed_signers import find_trusted_signer
from provision.signing.fields import LogHead
from provision.signing.sshsig import MAX_SIGNATURE_BYTES, load_signing_key, signature_key
from provision.trust.files import MAX_TAR_BYTES, TAR_NAME, chain_tar
from provision.trust.trust_list import Role
from provision.trust.workspace import MayNotSignError, WorkspaceTrust, workspace_trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provision.fleet.approvals import ApprovedRecipients
    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.keys.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class PreparedRender:
    """What to render, the key to sign with, and the folder to write to."""

    options: RenderOptions
    signing_key: Ed25519PrivateKey
    dist: Path
    trusted: WorkspaceTrust
    everyone: tuple[DesiredState, ...]
    """All users of the inventory."""
    recipient_files: tuple[Path, ...]
    """The files of recipients that the inventory names."""
    steady_until: float
    """When a key or a signer may expire, in Unix seconds: until then the same files mean the same, apart from renewals."""

    @property
    def approved(self) -> ApprovedRecipients | None:
        """What this operator approved; None where no bundle was made before."""
        return self.options.common.approved

    def with_approved(self, approved: ApprovedRecipients) -> PreparedRender:
        """The same, sealed to these recipients only."""
        common = replace(self.options.common, approved=approved)
        return replace(self, options=replace(self.options, common=common))


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
    has errors, MayNotSignError if no machine would accept the operator's signature, and OtherVaultError."""
    renderer = Renderer()  # starts while the rest is being loaded
    fleet = load_fleet(workspace)
    fleet.require_valid()
    states = select_users(fleet.states, limit)
    key, trusted = bundle_signer(workspace, now)
    vault = open_vault(workspace.vault, load_identities(workspace.identity))
    require_known_vault(workspace.vault, vault)
    common = render_inputs(workspace, vault, now, ahead or {}, renderer=renderer, trusted=trusted)
    return PreparedRender(
        RenderOptions(states, user_ids(fleet.states), common, force=force, prune=prune),
        key,
        workspace.dist,
        trusted,
        fleet.states,
        fleet.recipient_files,
        min((moment.timestamp() for moment in _ends(vault, trusted) if moment > now), default=math.inf),
    )


def _ends(vault: Vault, trusted: WorkspaceTrust) -> Iterator[datetime]:
    """When demo keys, signers and the trust list expire."""
    for version in vault:
        if version.demo_until is not None:
            yield datetime.combine(version.demo_until, time(), UTC) + timedelta(days=1)
    for signer in trusted.signers:
        if signer.valid_before is not None:
            yield signer.valid_before
    if trusted.trust is not None:
        yield trusted.trust.expires_at


def bundle_signer(workspace: Workspace, now: datetime) -> tuple[Ed25519PrivateKey, WorkspaceTrust]:
    """The operator's signing key, and the trust by which it may sign bundles. Raises MayNotSignError if it may not."""
    key = load_signing_key(workspace.signing_key)
    trusted = workspace_trust(workspace, read_workspace_id(workspace.vault), now)
    trusted.require_may_sign(key, Role.BUNDLE, now, workspace.signing_key)
    return key, trusted


def require_accepted(dist: Path, users: Iterable[str], trusted: WorkspaceTrust, now: datetime) -> None:
    """Raise MayNotSignError if a bundle is signed by a key that no machine accepts. Users without a bundle are skipped."""
    if not trusted.signers:
        return  # the workspace says nothing about signers: machines decide
    for user in users:
        data = read_optional(dist / user / SIGNATURE, MAX_SIGNATURE_BYTES)
        found = find_trusted_signer(trusted.signers, signature_key(data), now) if data is not None else None
        if isinstance(found, str):
            raise MayNotSignError(
                f"the bundle of {user} in {dist} is signed by a key that machines do not accept: {found}",
                hint="sign the bundles with your own key: provision render --force",
            )


def place_chain(dist: Path, trusted: WorkspaceTrust) -> None:
    """Write the trust lists beside the bundles, where `install` looks for them."""
    path = dist / TAR_NAME
    if trusted.chain:
        data = chain_tar(trusted.chain)
        if read_optional(path, MAX_TAR_BYTES) != data:
            write_atomic(path, data, mode=0o644)


def render_inputs(
    workspace: Workspace,
    vault: Vault,
    now: datetime,
    ahead: Mapping[str, str],
    *,
    renderer: Renderer | None = None,
    trusted: WorkspaceTrust | None = None,
) -> Common:
    """The inputs that all bundles of one run share."""
    settings = workspace.settings
    operators = vault.operators if settings.seal_to_operators else ()
    trusted = trusted or workspace_trust(workspace, vault.workspace_id, now)
    return Common(
        workspace_id=vault.workspace_id,
        templates=Templates.load(
            workspace.templates_dir, renderer, WelcomeNotes(settings.contact or "", settings.program_source or "")
        ),
        keys=KeySource(vault, settings.key_command, settings.key_command_timeout_s, now.date(), ahead),
        salt=vault.salt,
        digest_key=vault.digest_key(),
        operators=tuple(operators),
        bundle_days=settings.bundle_days,
        now=now,
        gateway_hosts=settings.gateway_hosts,
        log_head=log_head(workspace.vault),
        trust=trusted.number,
        approved=read_recipients_approval(workspace),
    )


def log_head(vault: Path) -> LogHead | None:
    """The end of the vault's event log, as signed documents record it; None without a log."""
    found = log_end(log_path(vault))
    return LogHead(count=found[0].lines, sha256=found[0].sha256) if found else None
