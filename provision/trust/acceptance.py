"""Decide whether a trust list may follow the accepted one. Pure: bytes and the time in, a list or a named refusal out.

Each refusal has its own class, so that a report says which attack was tried. Signatures are verified before anything else of
a candidate is believed; the place of a candidate in the chain is decided by its signed content only, never by its file's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.signing.sshsig import BadSignatureError, verify_signature
from provision.trust.trust_list import (
    MAX_SIGNATURES,
    TRUST_NAMESPACE,
    Role,
    TrustList,
    key_text,
    list_digest,
    parse_list,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

_REPORT = "report it to IT: the accepted trust list stays in force"


class TrustRefusedError(ProvisionError):
    """A trust list is not accepted; the accepted one stays in force. Each subclass is one reason."""


class OtherWorkspaceListError(TrustRefusedError):
    """The list belongs to another workspace."""


class TrustRollbackError(TrustRefusedError):
    """The list is older than the accepted one, or another one of the same number."""


class TrustJumpError(TrustRefusedError):
    """The list's version or epoch is not the next one, or it does not name the list before it."""


class TooFewSignaturesError(TrustRefusedError):
    """Not enough different keys that may sign the list have signed it."""


class ForbiddenChangeError(TrustRefusedError):
    """The list changes something that only the recovery key may change."""


class ExpiredListError(TrustRefusedError):
    """The newest list expired: nothing new is accepted."""


@dataclass(frozen=True, slots=True)
class SignedList:
    """An accepted list with its bytes, their digest, and the keys that signed it."""

    trust: TrustList
    data: bytes
    signed_by: frozenset[str]

    @property
    def digest(self) -> str:
        return list_digest(self.data)


def found_chain(data: bytes, signatures: Sequence[bytes]) -> SignedList:
    """Accept list 1-1 as the begin of a chain: it is signed by as many of its own trust keys as it asks for.

    This says nothing about whether the chain is the right one: the caller compares with what the machine was enrolled with.
    """
    signed_by = _signers(data, signatures)
    trust = parse_list(data)
    if trust.order != (1, 1):
        raise TrustJumpError(f"the chain of trust lists begins with {trust.number}, expected 1-1", hint=_REPORT)
    _require(trust.threshold.trust, signed_by & trust.keys_with(Role.TRUST), "its own trust keys", trust)
    return SignedList(trust, data, signed_by)


def accept_list(current: SignedList, data: bytes, signatures: Sequence[bytes]) -> SignedList:
    """Accept the next list of the chain. Raises a TrustRefusedError, BadTrustListError or BadSignatureError.

    Expiry is not checked here: only the last list of a walk must not be expired (`require_current`).
    """
    signed_by = _signers(data, signatures)
    candidate, before = parse_list(data), current.trust
    if candidate.workspace != before.workspace:
        raise OtherWorkspaceListError(
            f"the trust list belongs to workspace {candidate.workspace}, expected {before.workspace}", hint=_REPORT
        )
    if candidate.order == before.order and data != current.data:
        raise TrustRollbackError(f"two different trust lists have the number {before.number}", hint=_REPORT)
    if candidate.order <= before.order:
        raise TrustRollbackError(
            f"the trust list {candidate.number} is not newer than the accepted {before.number}", hint=_REPORT
        )
    if candidate.epoch == before.epoch:
        _require_next_version(current, candidate, signed_by)
    else:
        _require_next_epoch(current, candidate, signed_by)
    return SignedList(candidate, data, signed_by)


def require_current(trust: TrustList, now: datetime) -> None:
    """Raise ExpiredListError for an expired list: a newer one may be withheld."""
    if now >= trust.expires_at:
        raise ExpiredListError(
            f"trust list {trust.number} expired on {trust.expires} and no newer one is known",
            hint="ask IT to run `provision operators check`; what is installed stays",
        )


def _require_next_version(current: SignedList, candidate: TrustList, signed_by: Collection[str]) -> None:
    before = current.trust
    if candidate.version != before.version + 1:
        raise TrustJumpError(
            f"the trust list {candidate.number} does not follow {before.number} directly", hint=_REPORT
        )
    if candidate.previous != current.digest:
        raise TrustJumpError(
            f"the trust list {candidate.number} follows another list {before.number} than the accepted one",
            hint=f"{_REPORT}; two operators may have made {candidate.number} at the same time",
        )
    revoked = before.revoked_keys | candidate.revoked_keys
    signers = frozenset(signed_by) - revoked
    _require(before.threshold.trust, signers & before.keys_with(Role.TRUST), "the trust keys before it", candidate)
    _require(candidate.threshold.trust, signers & candidate.keys_with(Role.TRUST), "its own trust keys", candidate)
    for forbidden, what in (
        (candidate.revoked_keys & before.keys_with(Role.TRUST), "revokes a key with the role trust"),
        (candidate.threshold.trust < before.threshold.trust, "lowers the threshold"),
        (not set(before.revoked) <= set(candidate.revoked), "takes back a revocation"),
        (before.recovery and set(before.recovery) != set(candidate.recovery), "changes the recovery key"),
    ):
        if forbidden:
            raise ForbiddenChangeError(
                f"the trust list {candidate.number} {what}: only the recovery key may do that",
                hint="see `provision recovery use --help`",
            )


def _require_next_epoch(current: SignedList, candidate: TrustList, signed_by: frozenset[str]) -> None:
    before = current.trust
    if candidate.epoch != before.epoch + 1 or candidate.version != 1:
        raise TrustJumpError(
            f"the trust list {candidate.number} does not begin the epoch after {before.number}", hint=_REPORT
        )
    # a suspected recovery key signs the list that replaces and revokes it, so the candidate's revocations do not count here
    _require(1, signed_by & before.recovery_keys, "the recovery key before it", candidate)
    if candidate.recovery and set(candidate.recovery) != set(before.recovery):
        _require(1, signed_by & candidate.recovery_keys, "its own recovery key", candidate)


def _require(count: int, signers: Collection[str], whose: str, candidate: TrustList) -> None:
    if len(signers) < count:
        raise TooFewSignaturesError(
            f"the trust list {candidate.number} has {len(signers)} of {count} required signatures of {whose}",
            hint=_REPORT,
        )


def _signers(data: bytes, signatures: Sequence[bytes]) -> frozenset[str]:
    """The different keys with a valid signature over these bytes. A signature that is not over them refuses the list."""
    if len(signatures) > MAX_SIGNATURES:
        raise TrustRefusedError(f"the trust list has more than {MAX_SIGNATURES} signatures", hint=_REPORT)
    found = set()
    for signature in signatures:
        try:
            found.add(key_text(verify_signature(data, signature, TRUST_NAMESPACE)))
        except BadSignatureError as e:
            raise TrustRefusedError(f"a signature of the trust list: {e.message}", hint=_REPORT) from e
    return frozenset(found)
