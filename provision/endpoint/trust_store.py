"""The trust list that this machine accepted last: keep it, update it by a walk, and say which signers count.

One file in the configuration folder. `allowed_signers` beside it is written from it, for stock `ssh-keygen`. Once a machine has
a list, no other file or option decides whom it trusts: a missing or damaged list trusts no signer until `enroll` is run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.endpoint.identity import NotEnrolledError, load_signers
from provision.errors import ProvisionError
from provision.files import locked, read_optional, write_atomic
from provision.shell import shell_path
from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer
from provision.signing.sshsig import NAMESPACE, BadSignatureError, signature_key
from provision.trust.acceptance import SignedList, require_current
from provision.trust.trust_list import (
    DERIVED,
    MAX_LIST_BYTES,
    TRUST_NAMESPACE,
    BadTrustListError,
    TrustList,
    key_text,
    parse_list,
)
from provision.trust.walk import Fetch, Pins, first_walk, walk
from provision.windows_acl import on_windows, other_accounts, private_command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from provision.endpoint.identity import EndpointFolder

_MAX_SIGNERS_BYTES = 1 << 20
_BACK = "run `provision enroll --signer KEY` with IT's public key, compared over another channel"


class LostTrustListError(NotEnrolledError):
    """This machine had a trust list, and it is missing or damaged: no signer is trusted."""


class TrustOverrideError(ProvisionError):
    """A file of signers was given on a machine that has a trust list."""


@dataclass(frozen=True, slots=True)
class TrustInForce:
    """Whose signatures count on this machine now. `trust` is None on a machine without a trust list."""

    signers: Sequence[AllowedSigner]
    trust: TrustList | None = None

    @property
    def workspace_id(self) -> str | None:
        """The only workspace whose documents count; None without a list."""
        return self.trust.workspace if self.trust else None

    def require_current(self, now: datetime) -> None:
        """Raise ExpiredListError if the list expired: then nothing new is accepted."""
        if self.trust is not None:
            require_current(self.trust, now)

    def forgets(self, signature: bytes | None, now: datetime) -> bool:
        """Whether what this signature installed no longer decides what is too old to install.

        A thief may have signed the highest possible generation. So the state that a revoked key left does not count, nor, in an
        epoch that recovery began, that of a key that does not sign any more.
        """
        if self.trust is None or signature is None:
            return False
        try:
            key = key_text(signature_key(signature))
        except BadSignatureError:
            return False
        if key in self.trust.revoked_keys:
            return True
        return self.trust.epoch > 1 and not self.trusts(signature, now)

    def trusts(self, signature: bytes, now: datetime) -> bool:
        """Whether the key of this signature may sign bundles. The signature is not verified."""
        try:
            found = find_trusted_signer(self.signers, signature_key(signature), now, NAMESPACE)
        except BadSignatureError:
            return False
        return isinstance(found, AllowedSigner)


def stored_list(folder: EndpointFolder) -> SignedList | None:
    """The accepted list; None if this machine never had one. Raises LostTrustListError."""
    data = read_optional(folder.trust_list, MAX_LIST_BYTES)
    others = other_accounts(folder.trust_list) if data is not None and on_windows() else None
    if others is not None and others.writers:
        raise LostTrustListError(
            f"{folder.trust_list} is writable by other accounts ({', '.join(others.writers)}), so it is not trusted",
            hint=private_command(folder.trust_list),
        )
    if data is not None and not on_windows() and folder.trust_list.stat().st_mode & 0o022:
        raise LostTrustListError(
            f"{folder.trust_list} is writable by other users, so it is not trusted",
            hint=f"chmod 644 {shell_path(folder.trust_list)}",
        )
    if data is None:
        derived = read_optional(folder.allowed_signers, _MAX_SIGNERS_BYTES) or b""
        if derived.startswith(DERIVED.encode()):
            raise LostTrustListError(f"this machine's trust list is missing ({folder.trust_list})", hint=_BACK)
        return None
    try:
        return SignedList(parse_list(data), data, frozenset())
    except BadTrustListError as e:
        raise LostTrustListError(
            f"this machine's trust list is damaged ({folder.trust_list}): {e.message}", hint=_BACK
        ) from e


def trust_in_force(folder: EndpointFolder, chosen: Path | None = None) -> TrustInForce:
    """Whose signatures count here: by the trust list, else by `chosen` or the enrolled signers.

    Raises TrustOverrideError if a list is stored and `chosen` is given, and LostTrustListError.
    """
    stored = stored_list(folder)
    if stored is None:
        return TrustInForce(load_signers(chosen or folder.allowed_signers))
    if chosen is not None:
        raise TrustOverrideError(
            f"this machine has trust list {stored.trust.number}: a file of signers cannot override it",
            hint="leave out --allowed-signers",
        )
    return _in_force(stored)


def update_trust(
    folder: EndpointFolder, fetch: Fetch, now: datetime, *, chosen: Path | None = None, keep: bool = True
) -> TrustInForce:
    """Walk to the newest list of the source, and keep each accepted one. Raises as `trust_in_force`, and a TrustRefusedError.

    A machine without a list takes one only if the chain proves to be that of a signer it was enrolled with. `keep` False writes
    nothing.
    """
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not keep:
        return _updated(folder, fetch, now, chosen, keep=False)
    with locked(folder.root / ".trust.lock", "reading trust lists", wait_s=60):
        return _updated(folder, fetch, now, chosen, keep=True)


def _updated(folder: EndpointFolder, fetch: Fetch, now: datetime, chosen: Path | None, *, keep: bool) -> TrustInForce:
    before = trust_in_force(folder, chosen)
    stored = stored_list(folder)
    if stored is None:
        pins = founders(before.signers, now) if chosen is None else Pins()
        found = first_walk(pins, fetch, now) if pins else None
        if found is None:
            return before
        current = found.current
        if keep:
            keep_list(folder, current)
    else:
        current = walk(stored, fetch, lambda step: keep_list(folder, step) if keep else None, now).current
        if keep and read_optional(folder.allowed_signers, _MAX_SIGNERS_BYTES) != _derived(current):
            keep_list(folder, current)  # a kill came between the two files
    return _in_force(current)


def founders(signers: Sequence[AllowedSigner], now: datetime) -> Pins:
    """The enrolled keys that may prove a chain of trust lists: those that no line restricts to another namespace."""
    return Pins([key_text(each.blob) for each in signers if each.refusal(TRUST_NAMESPACE, now) is None])


def keep_list(folder: EndpointFolder, accepted: SignedList) -> None:
    """Store an accepted list durably, then the file that is derived from it."""
    write_atomic(folder.trust_list, accepted.data, mode=0o644)
    write_atomic(folder.allowed_signers, _derived(accepted), mode=0o644)


def _derived(accepted: SignedList) -> bytes:
    return accepted.trust.allowed_signers_text().encode()


def _in_force(stored: SignedList) -> TrustInForce:
    return TrustInForce(stored.trust.allowed_signers(), stored.trust)
