"""Walk from the accepted trust list to the newest one, over every list in between.

A walker with a list asks for the first list of the next epoch before the next version: an epoch is signed by the recovery key
and outranks whatever an operator's key published meanwhile. Each accepted list is stored before the next one is asked for, so
that a kill resumes the walk. A machine without a list walks from 1-1 over every version, because any of them may hold its
proof, and stores no list before the chain proves to be its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provision.signing.sshsig import BadSignatureError, verify_signature
from provision.trust.acceptance import SignedList, TrustRefusedError, accept_list, found_chain, require_current
from provision.trust.trust_list import (
    MAX_LIST_BYTES,
    MAX_SIGNATURES,
    TRUST_NAMESPACE,
    BadTrustListError,
    Role,
    TrustList,
    key_text,
    list_name,
    parse_list,
    signature_name,
)

if TYPE_CHECKING:
    from datetime import datetime

MAX_STEPS = 1024
_SIGNATURE_BYTES = 4096

Fetch = Callable[[str, int], "bytes | None"]
"""A file by its path (`trust/1-2.json`) and its largest size; None if it is absent."""
Keep = Callable[[SignedList], object]


class ForeignChainError(TrustRefusedError):
    """The chain of trust lists is not the one that this machine was enrolled with."""


class LongWalkError(TrustRefusedError):
    """There are more lists than one walk reads. Those that were read are stored: the next walk goes on there."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What a machine was enrolled with: digests of trust lists, and keys that may found a chain."""

    keys: Collection[str] = ()
    digests: Collection[str] = ()

    def __bool__(self) -> bool:
        return bool(self.keys or self.digests)

    def accept(self, step: SignedList) -> bool:
        """Whether this list proves that the chain is the right one: its digest is pinned, or a pinned key that has the role
        trust in it *signed* it. That a list merely names a pinned key does not prove it: every public key can be named."""
        signed = set(self.keys) & step.signed_by & step.trust.keys_with(Role.TRUST)
        return step.digest in self.digests or bool(signed)


@dataclass(slots=True)
class Walked:
    """The end of a walk, and the lists that it passed, oldest first."""

    current: SignedList
    passed: list[SignedList] = field(default_factory=list)


def walk(current: SignedList, fetch: Fetch, keep: Keep, now: datetime) -> Walked:
    """Walk to the newest list. `keep` stores each accepted list before the next is fetched.

    Raises a TrustRefusedError; the lists before it are accepted and stored. Raises ExpiredListError when the newest expired.
    """
    return _walk(current, fetch, keep, now, epoch_first=True)


def _walk(current: SignedList, fetch: Fetch, keep: Keep, now: datetime, *, epoch_first: bool) -> Walked:
    done = Walked(current)
    for _ in range(MAX_STEPS):
        step = _next(done.current, fetch, epoch_first=epoch_first)
        if step is None:
            require_current(done.current.trust, now)
            return done
        keep(step)
        done.current = step
        done.passed.append(step)
    if _next(done.current, fetch, epoch_first=epoch_first) is None:
        require_current(done.current.trust, now)
        return done
    raise LongWalkError(
        f"more than {MAX_STEPS} trust lists follow each other; {done.current.trust.number} is stored",
        hint="run the same command again: it goes on there",
    )


def first_walk(pins: Pins, fetch: Fetch, now: datetime) -> Walked | None:
    """Walk from list 1-1 on a machine that has no list, without storing any; None without a chain.

    Raises ForeignChainError unless a list on the way has a pinned digest, or was signed by a pinned key with the role trust.
    """
    step = first_list(fetch)
    if step is None:
        return None
    proved = pins.accept(step)
    passed = [step]

    def keep(accepted: SignedList) -> None:
        nonlocal proved
        proved = proved or pins.accept(accepted)
        passed.append(accepted)

    done = _walk(step, fetch, keep, now, epoch_first=False)
    if not proved:
        raise ForeignChainError(
            f"no trust list of workspace {done.current.trust.workspace} was signed by a key that this machine trusts",
            hint="ask IT for the signer's public key over another channel, compare, then run `provision enroll --signer KEY`",
        )
    return Walked(done.current, passed)


def first_list(fetch: Fetch) -> SignedList | None:
    """List 1-1 of a chain, signed by its own keys. Whose chain that is, is not checked."""
    data = fetch(list_name(1, 1), MAX_LIST_BYTES)
    if data is None:
        return None
    first = parse_list(data)
    return found_chain(data, _signatures(fetch, first, first.keys_with(Role.TRUST)))


def _next(current: SignedList, fetch: Fetch, *, epoch_first: bool) -> SignedList | None:
    trust = current.trust
    refusal: TrustRefusedError | BadTrustListError | None = None
    ways = ((trust.epoch + 1, 1), (trust.epoch, trust.version + 1))
    for epoch, version in ways if epoch_first else reversed(ways):
        data = fetch(list_name(epoch, version), MAX_LIST_BYTES)
        if data is None:
            continue
        try:
            candidate = parse_list(data)
            keys = trust.keys_with(Role.TRUST) | candidate.keys_with(Role.TRUST)
            if epoch > trust.epoch:
                keys = trust.recovery_keys | candidate.recovery_keys
            return accept_list(current, data, _signatures(fetch, candidate, keys))
        except (TrustRefusedError, BadTrustListError) as e:
            refusal = refusal or e
    if refusal is not None:
        raise refusal
    return None


def valid_signers(data: bytes, fetch: Fetch, keys: Collection[str]) -> frozenset[str]:
    """Which of these keys signed a list that is not accepted yet. A damaged signature counts for nothing."""
    candidate, found = parse_list(data), set()
    for key in keys:
        signature = fetch(signature_name(candidate.epoch, candidate.version, key), _SIGNATURE_BYTES)
        with contextlib.suppress(BadSignatureError):
            if signature is not None and key_text(verify_signature(data, signature, TRUST_NAMESPACE)) == key:
                found.add(key)
    return frozenset(found)


def _signatures(fetch: Fetch, candidate: TrustList, keys: Collection[str]) -> list[bytes]:
    """The signatures by these keys, of which nothing is believed before `accept_list` verified it."""
    found = []
    for key in sorted(keys):
        data = fetch(signature_name(candidate.epoch, candidate.version, key), _SIGNATURE_BYTES)
        if data is not None:
            found.append(data)
        if len(found) == MAX_SIGNATURES:
            break
    return found
