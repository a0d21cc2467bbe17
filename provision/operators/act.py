"""One act of an operator: the vault, the feed secret, the trust list, `allowed_signers` and the event log, all or none.

The next list is signed with the operator's own key. If the list in force asks for more signatures, the new one is stored with
this one and waits; the vault changes at once, because one operator alone can open it anyway.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.files import read_optional
from provision.keys.events.log import Event, operator
from provision.keys.feed_secret import FILE, feed_secret, secret_file
from provision.keys.vault.file import read_workspace_id
from provision.keys.vault.together import VaultAct, acting
from provision.shell import shell_path
from provision.signing.fields import moment
from provision.signing.sshsig import load_signing_key, public_line, sign_bytes
from provision.trust.acceptance import SignedList, TooFewSignaturesError, accept_list, found_chain
from provision.trust.trust_list import (
    LIFETIME_DAYS,
    TRUST_NAMESPACE,
    Role,
    TrustList,
    list_bytes,
    list_name,
    parse_list,
    signature_name,
)
from provision.trust.workspace import WorkspaceTrust, remember_list, remembered_path, workspace_trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provision.fleet.workspace import Workspace
    from provision.keys.age import Identity

_MAX_SECRET_BYTES = 1 << 20


class NoTrustListError(ProvisionError):
    """The workspace has no trust list yet."""


class PendingListError(ProvisionError):
    """A list waits for signatures of other operators, so no other one can follow yet."""


@dataclass(slots=True)
class OperatorAct:
    """What one act changes. `list_next` and `seal` are called at most once, before it ends."""

    workspace: Workspace
    vault_act: VaultAct
    trusted: WorkspaceTrust
    identities: Sequence[Identity]
    key: Ed25519PrivateKey
    now: datetime
    accepted: SignedList | None = None
    """The new list, if it is in force with this act."""
    waiting: TrustList | None = None
    """The new list, if it lacks signatures of other operators."""
    notes: list[str] = field(default_factory=list)

    @property
    def trust(self) -> TrustList:
        """The list in force. Raises NoTrustListError."""
        if self.trusted.trust is None:
            raise NoTrustListError(
                "this workspace has no trust list yet", hint="make the first one: provision operators upgrade"
            )
        return self.trusted.trust

    def follow(self, **changes: object) -> None:
        """Make the next version with these fields changed, sign it, and renew its expiry. Raises PendingListError, and what
        acceptance raises for a list that must not follow."""
        before = self.trusted.current
        trust = self.trust
        if before is None:
            raise RuntimeError("a list follows another one")
        if self.trusted.pending is not None:
            number = self.trusted.pending.number
            raise PendingListError(
                f"trust list {number} waits for signatures of other operators",
                hint="another operator signs it: provision operators sign; to give it up: rm"
                f" {shell_path(self.workspace.root / 'trust' / str(number))}.json*",
            )
        self._require_trust_key(trust)
        fields = trust.model_dump(mode="json", by_alias=True) | {
            "version": trust.version + 1,
            "previous": before.digest,
            **self._dates(),
            **changes,
        }
        self._put(fields, [self.key], before)

    def found(self, **content: object) -> None:
        """Make and sign list 1-1."""
        fields = {
            "schema": "provision/trust/v1",
            "workspace": self.vault_act.vault.workspace_id,
            "epoch": 1,
            "version": 1,
            **self._dates(),
            "previous": None,
            **content,
        }
        self._put(fields, [self.key], None)

    def begin_epoch(self, keys: Sequence[Ed25519PrivateKey], **content: object) -> None:
        """Make the first list of the next epoch, signed with recovery keys."""
        before, trust = self.trusted.current, self.trust
        if before is None:
            raise RuntimeError("an epoch follows another one")
        fields = trust.model_dump(mode="json", by_alias=True) | {
            "epoch": trust.epoch + 1,
            "version": 1,
            "previous": before.digest,
            **self._dates(),
            **content,
        }
        self._put(fields, keys, before)

    def seal(self, *, was: Sequence[Identity] = ()) -> None:
        """Seal the feed secret again to all who open the vault now. Opens it with `was`, else with the operator's identities."""
        path = self.workspace.root / FILE
        if read_optional(path, _MAX_SECRET_BYTES) is None:
            return
        secret = feed_secret(path, (), was or self.identities, create=False)
        vault = self.vault_act.vault
        self.vault_act.files[FILE] = secret_file(secret, (*vault.operators, *vault.recovery))

    def record(self, what: str, **detail: str | int | None) -> None:
        """Add an event to the log."""
        self.vault_act.events.append(Event(self.now, operator(), what, detail=detail))

    def _require_trust_key(self, trust: TrustList) -> None:
        self.trusted.require_may_sign(
            self.key, Role.TRUST, min(self.now, trust.expires_at - timedelta(seconds=1)), self.workspace.signing_key
        )

    def _dates(self) -> dict[str, str]:
        return {"created": moment(self.now), "expires": moment(self.now + timedelta(days=LIFETIME_DAYS))}

    def _put(self, fields: dict[str, object], keys: Sequence[Ed25519PrivateKey], before: SignedList | None) -> None:
        import json  # noqa: PLC0415  for its one use

        trust = TrustList.model_validate_json(json.dumps(fields))
        data = list_bytes(trust)
        parse_list(data)
        files, signatures = self.vault_act.files, []
        for key in keys:
            signatures.append(sign_bytes(data, key, TRUST_NAMESPACE))
            files[signature_name(trust.epoch, trust.version, public_line(key.public_key()))] = signatures[-1]
        files[list_name(trust.epoch, trust.version)] = data
        try:
            accepted = found_chain(data, signatures) if before is None else accept_list(before, data, signatures)
        except TooFewSignaturesError:
            if before is None or trust.epoch != before.trust.epoch:
                raise
            if max(trust.threshold.trust, before.trust.threshold.trust) == 1:
                raise
            self.waiting = trust
            self.record("trust list waits for signatures", list=trust.number)
            return
        self.accepted = accepted
        self._derive(trust)
        self.record("trust list made", list=trust.number, signers=", ".join(each.name for each in trust.signers))

    def _derive(self, trust: TrustList) -> None:
        path = self.workspace.allowed_signers
        if path.is_relative_to(self.workspace.root):
            name = path.relative_to(self.workspace.root).as_posix()
            self.vault_act.files[name] = trust.allowed_signers_text().encode()
        else:
            self.notes.append(f"{path} is outside of the workspace and was not written")

    def add_signature(self) -> None:
        """Add this operator's signature to the list that waits. Raises PendingListError if none does."""
        before, pending = self.trusted.current, self.trusted.pending
        if before is None or pending is None:
            raise PendingListError("no trust list waits for a signature", hint="see `provision operators list`")
        root = self.workspace.root
        data = (root / list_name(pending.epoch, pending.version)).read_bytes()
        own = signature_name(pending.epoch, pending.version, public_line(self.key.public_key()))
        self._require_trust_key(before.trust)
        self.vault_act.files[own] = sign_bytes(data, self.key, TRUST_NAMESPACE)
        names = {signature_name(pending.epoch, pending.version, key) for key in _trust_keys(before.trust, pending)} - {
            own
        }
        others = [found for name in sorted(names) if (found := read_optional(root / name, 4096)) is not None]
        self.record("trust list signed", list=pending.number)
        try:
            self.accepted = accept_list(before, data, [self.vault_act.files[own], *others])
        except TooFewSignaturesError:
            self.waiting = pending
            return
        self._derive(pending)
        self.seal()


def _trust_keys(*lists: TrustList) -> set[str]:
    return {key for trust in lists for key in trust.keys_with(Role.TRUST)}


@contextlib.contextmanager
def operator_act(
    workspace: Workspace,
    identities: Sequence[Identity],
    doing: str,
    now: datetime,
    *,
    dry_run: bool = False,
    key: Ed25519PrivateKey | None = None,
) -> Iterator[OperatorAct]:
    """Begin an act; it is committed when the block ends normally. With `dry_run` everything is computed and nothing written.

    `key` signs in place of the operator's own.
    """
    workspace_id = read_workspace_id(workspace.vault)
    key = key or load_signing_key(workspace.signing_key)
    with acting(workspace.vault, workspace.root, identities, doing, dry_run=dry_run) as vault_act:
        trusted = workspace_trust(workspace, workspace_id, now, remember=not dry_run)
        act = OperatorAct(workspace, vault_act, trusted, identities, key, now)
        yield act
    if act.accepted is not None and not dry_run:
        remember_list(remembered_path(workspace_id), act.accepted)
