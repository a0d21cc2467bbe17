"""Decide whether an index and a bundle from the feed are accepted. Pure.

The attacks have the names of The Update Framework (its specification, section 1.5.2). Each has its own error, so that a
report says which one was tried.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from provision.bundle.manifest import MANIFEST, parse_manifest
from provision.endpoint.fetch import read_archive
from provision.errors import ProvisionError
from provision.feed.index import NAMESPACE, BadFeedError, FeedEntry, Index, endpoint_id, parse_index, part_of
from provision.signing.allowed_signers import AllowedSigner, find_trusted_signer
from provision.signing.signed_text import verify_text
from provision.signing.sshsig import NAMESPACE as BUNDLE_NAMESPACE
from provision.signing.sshsig import BadSignatureError, blob_fingerprint
from provision.trust.trust_list import key_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from provision.trust.trust_list import TrustList

CLOCK_SLACK = timedelta(days=1)


class UntrustedFeedError(ProvisionError):
    """The index is signed by a key that this machine does not trust (arbitrary software installation)."""


class FrozenFeedError(ProvisionError):
    """The index expired: the feed is not published, or a newer index is withheld (indefinite freeze)."""


class FeedRollbackError(ProvisionError):
    """The index is older than one that this machine accepted (rollback)."""


class OtherFeedError(ProvisionError):
    """The index, or the bundle that it lists, belongs to another workspace."""


class WithheldListError(ProvisionError):
    """The index names a newer trust list than the feed has: a server or proxy withholds it."""


class MixedFeedError(ProvisionError):
    """The fetched files do not belong together (mix-and-match)."""


class NotListedError(ProvisionError):
    """The feed has no bundle for this endpoint."""


class FeedClockError(ProvisionError):
    """The index was made in the future: this machine's clock or the operator's is wrong."""


@dataclass(frozen=True, slots=True)
class RememberedIndex:
    """What an endpoint keeps of the last index that it accepted."""

    workspace_id: str
    version: int
    digest: str
    expires: datetime
    signer: str | None = None
    """The key that signed it, `ssh-ed25519 …`."""


@dataclass(frozen=True, slots=True)
class AcceptedIndex:
    """The bundle that an accepted index lists for this endpoint, None if there is none, and what to keep of the index.

    `order` is the digest of the order that it lists.
    """

    entry: FeedEntry | None
    seen: RememberedIndex
    order: str | None = None


def accept_index(
    data: bytes,
    address: str,
    signers: Sequence[AllowedSigner],
    now: datetime,
    seen: RememberedIndex | None,
    *,
    trust: TrustList | None = None,
) -> AcceptedIndex:
    """Accept a fetched index part. `trust` is the machine's trust list. Raises one of this module's errors, or BadFeedError."""
    try:
        text, blob = verify_text(data, NAMESPACE)
    except BadSignatureError as e:
        raise BadFeedError(
            f"the feed's index: {e.message}", hint="try again later; if it happens again, report it to IT"
        ) from e
    require_trust(blob, signers, now)
    index = parse_index(text)
    if index.part != part_of(address):
        raise MixedFeedError(
            f"the feed answered with part {index.part} of its index, expected {part_of(address)}",
            hint="report this to IT",
        )
    digest = hashlib.sha256(data).hexdigest()
    if trust is not None:
        _require_same_trust(index, trust)
    if seen is not None and index.workspace != seen.workspace_id:
        raise OtherFeedError(
            f"the feed's index belongs to workspace {index.workspace}, expected {seen.workspace_id}",
            hint="ask IT; if the machine really changes its workspace, IT gives it a new feed address",
        )
    _require_no_rollback(index, digest, seen)
    require_fresh(index.expires_at, now)
    if index.created_at > now + CLOCK_SLACK:
        raise FeedClockError(
            f"the feed was published on {index.created}, but this machine's clock is at {now:%Y-%m-%dT%H:%M:%SZ}",
            hint="set this machine's clock; with a clock that is behind, expiry cannot be checked",
        )
    return AcceptedIndex(
        index.endpoints.get(endpoint_id(address)),
        RememberedIndex(index.workspace, index.version, digest, index.expires_at, key_text(blob)),
        index.orders.get(endpoint_id(address)),
    )


def require_trust(blob: bytes, signers: Sequence[AllowedSigner], now: datetime) -> None:
    """Raise UntrustedFeedError unless the key may sign bundles or the feed. A key for the feed alone is for a nightly job that
    must not be able to sign bundles."""
    own = find_trusted_signer(signers, blob, now, NAMESPACE)
    unlisted = [each for each in signers if not each.listed]  # in a trust list no role implies another
    if isinstance(own, str) and isinstance(find_trusted_signer(unlisted, blob, now, BUNDLE_NAMESPACE), str):
        raise UntrustedFeedError(
            f"the feed is signed by {blob_fingerprint(blob)}, which this machine does not trust: {own}",
            hint="ask IT for the signer's public key over another channel, compare, then run `provision enroll --signer KEY`",
        )


def require_fresh(expires: datetime, now: datetime) -> None:
    """Raise FrozenFeedError for an expired index, also one that was not modified."""
    if now >= expires:
        raise FrozenFeedError(
            f"the feed's index expired on {expires:%Y-%m-%dT%H:%M:%SZ} and no newer one was published",
            hint="ask IT whether `provision publish` runs daily; if it does, a server or proxy withholds the new index",
        )


def require_listed(entry: FeedEntry | None) -> FeedEntry:
    """The entry, or NotListedError."""
    if entry is None:
        raise NotListedError("the feed has no bundle for this machine", hint="ask IT; the installed bundle stays")
    return entry


def accept_bundle(data: bytes, entry: FeedEntry, workspace_id: str) -> Mapping[str, bytes]:
    """Accept a fetched bundle if the index lists it; returns its files. Raises MixedFeedError, OtherFeedError and the errors of
    `read_archive`."""
    if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.bundle:
        raise MixedFeedError(
            "the bundle is not the one that the feed's index lists: it is truncated, altered, or another one",
            hint="try again later; if it happens again, report it to IT",
        )
    files = read_archive(data)
    if hashlib.sha256(files.get(MANIFEST, b"")).hexdigest() != entry.manifest:
        raise MixedFeedError(
            "the bundle's manifest is not the one that the feed's index lists", hint="report this to IT"
        )
    manifest = parse_manifest(files[MANIFEST])
    if manifest.generation != entry.generation:
        raise MixedFeedError(
            "the bundle's generation is not the one that the feed's index lists", hint="report this to IT"
        )
    if manifest.workspace != workspace_id:
        raise OtherFeedError(
            f"the bundle belongs to workspace {manifest.workspace}, the feed's index to {workspace_id}",
            hint="report this to IT",
        )
    return files


def _require_same_trust(index: Index, trust: TrustList) -> None:
    if index.workspace != trust.workspace:
        raise OtherFeedError(
            f"the feed's index belongs to workspace {index.workspace}, this machine's trust list to {trust.workspace}",
            hint="ask IT; if the machine really changes its workspace, run `provision enroll` again there",
        )
    if index.trust is not None and tuple(map(int, index.trust.split("-"))) > trust.order:
        raise WithheldListError(
            f"the feed's index names trust list {index.trust}, and the feed has none after {trust.number}",
            hint="a cache may be behind: try again later; if it happens again, report it to IT",
        )


def _require_no_rollback(index: Index, digest: str, seen: RememberedIndex | None) -> None:
    if seen is None:
        return
    if index.version < seen.version:
        raise FeedRollbackError(
            f"the feed's index has version {index.version}, this machine has seen {seen.version}",
            hint="a cache may be behind: try again later; if it happens again, report it to IT",
        )
    if index.version == seen.version and digest != seen.digest:
        raise FeedRollbackError(
            f"two different indexes have version {index.version}: one of them is forged",
            hint="report this to IT: two workspaces may be publishing to one place",
        )
