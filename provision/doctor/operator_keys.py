"""Checks of the operator who works here: what their key may sign, and whether the trust list lasts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from provision.errors import Place, Problem, ProvisionError, Severity
from provision.fleet.approvals import (
    pending_recipients,
    pending_settings,
    read_recipients_approval,
    read_settings_approval,
    recipients_now,
)
from provision.keys.age import NoIdentityError
from provision.keys.feed_secret import FILE, feed_secret
from provision.keys.identities import load_identities
from provision.keys.vault.file import open_vault, read_vault, read_workspace_id
from provision.keys.vault.known_key import require_known_vault
from provision.signing.sshsig import load_signing_key
from provision.trust.trust_list import WARN_DAYS, Role
from provision.trust.workspace import MayNotSignError, WorkspaceTrust, require_whole_chain, workspace_trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from provision.fleet.desired import DesiredState
    from provision.fleet.workspace import Workspace
    from provision.keys.identities import Identity


def operator_problems(workspace: Workspace, now: datetime) -> Iterator[Problem]:
    """Yield what keeps this operator from rendering, and what will soon. Raises the errors of `workspace_trust`."""
    trusted = workspace_trust(workspace, read_workspace_id(workspace.vault), now)
    if not trusted.chain and not trusted.signers:
        return  # nothing is said about who may sign yet
    yield from _own_key(workspace, trusted, now)
    trust = trusted.trust
    if trust is None:
        return
    place = Place(f"trust/{trust.number}.json")
    if not trusted.expired and (trust.expires_at - now).days < WARN_DAYS:
        yield Problem(
            "trust-expiry",
            f"trust list {trust.number} expires on {trust.expires}; after that no machine accepts anything new",
            place,
            "renew it: provision operators check --renew",
            Severity.WARNING,
        )
    try:
        require_whole_chain(trusted)
    except ProvisionError as e:
        yield Problem("trust-chain", e.message, Place("trust"), e.hint)
    if trust.recovery and not read_vault(workspace.vault).header.recovery:
        yield Problem(
            "no-recovery",
            "the trust list names a recovery key, and the vault does not open for one",
            place,
            "restore the vault that it opens: git log -p keys.vault",
        )
    if not trust.recovery:
        yield Problem(
            "no-recovery",
            "the workspace has no recovery key: a lost laptop of the last operator means starting over",
            place,
            "make one: provision operators upgrade",
            Severity.WARNING,
        )
    if trusted.pending is not None:
        yield Problem(
            "trust-pending",
            f"trust list {trusted.pending.number} lacks signatures of other operators",
            Place(f"trust/{trusted.pending.number}.json"),
            "another operator signs it: provision operators sign",
            Severity.WARNING,
        )


def identity_problems(workspace: Workspace) -> Iterator[Problem]:
    """Yield which of the vault and the feed secret this operator's identity does not open."""
    try:
        identities = load_identities(workspace.identity)
    except ProvisionError as e:
        yield Problem("no-identity", e.message, e.place, e.hint)
        return
    for rule, open_it in (
        ("vault-closed", lambda: open_vault(workspace.vault, identities)),
        ("other-vault", lambda: _require_known(workspace, identities)),
        ("feed-secret-closed", lambda: _open_feed_secret(workspace, identities)),
    ):
        try:
            open_it()
        except ProvisionError as e:
            yield Problem(rule, e.message, e.place, e.hint)


def approval_problems(workspace: Workspace, states: Sequence[DesiredState]) -> Iterator[Problem]:
    """Yield what was added to the workspace and waits for this operator's approval. Raises BadApprovalsError."""
    fix = "look at it: provision operators approve"
    approved, recipients = read_settings_approval(workspace), read_recipients_approval(workspace)
    for each in pending_settings(workspace, approved) if approved is not None else ():
        text = f"{each.name} is not approved, so not used: {each.before} -> {each.now}"
        yield Problem("not-approved", text, workspace.places.get(each.name), fix, Severity.WARNING)
    places = {state.user: state.origin("recipients") for state in states} if recipients is not None else {}
    for user in pending_recipients(recipients_now(states), recipients) if recipients is not None else ():
        text = f"recipients of {user.user} are not approved, so no bundle is made: {', '.join(user.added)}"
        yield Problem("not-approved", text, places[user.user], fix, Severity.WARNING)


def _require_known(workspace: Workspace, identities: Sequence[Identity]) -> None:
    with contextlib.suppress(NoIdentityError):  # said by the other rule
        require_known_vault(workspace.vault, open_vault(workspace.vault, identities))


def _open_feed_secret(workspace: Workspace, identities: Sequence[Identity]) -> None:
    if (workspace.root / FILE).exists():
        feed_secret(workspace.root / FILE, (), identities, create=False)


def _own_key(workspace: Workspace, trusted: WorkspaceTrust, now: datetime) -> Iterator[Problem]:
    """Whether this operator's key may sign bundles. A machine without the key, such as CI, is not an operator's."""
    try:
        if not workspace.signing_key.exists():
            return
        key = load_signing_key(workspace.signing_key)
        trusted.require_may_sign(key, Role.BUNDLE, now, workspace.signing_key)
    except MayNotSignError as e:
        yield Problem("may-not-sign", e.message, Place("trust" if trusted.chain else "allowed_signers"), e.hint)
    except ProvisionError as e:
        yield Problem("bad-signing-key", e.message, e.place or Place("provision.toml"), e.hint, Severity.WARNING)
