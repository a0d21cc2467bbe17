"""Whether an index is to be believed, decided over bytes alone: no network, no clock of its own, no disk.

The attacks have the names that The Update Framework gives them (its specification, section 1.5.2), and each ends in its own
error, so that a report says which one was tried. Whatever is raised, nothing has been changed: the caller keeps what it has.
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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

CLOCK_SLACK = timedelta(days=1)


class UntrustedFeedError(ProvisionError):
    """The index is signed by a key that this machine does not trust (arbitrary software installation)."""


class FrozenFeedError(ProvisionError):
    """The index is out of date: the feed stands still, or somebody keeps the new one away (indefinite freeze)."""


class FeedRollbackError(ProvisionError):
    """The index is older than one this machine has seen (rollback)."""


class OtherFeedError(ProvisionError):
    """The index, or the bundle that it lists, belongs to another workspace."""


class MixedFeedError(ProvisionError):
    """What was fetched does not belong together (mix-and-match)."""


class NotListedError(ProvisionError):
    """The feed has no bundle for this endpoint."""


class FeedClockError(ProvisionError):
    """The index comes from the future: this machine's clock or the operator's is wrong."""


@dataclass(frozen=True, slots=True)
class RememberedIndex:
    """What an endpoint remembers of the last index it believed."""

    workspace_id: str
    version: int
    digest: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class AcceptedIndex:
    """The bundle that a believed index lists for this endpoint, None when it lists none, and what to remember."""

    entry: FeedEntry | None
    seen: RememberedIndex


def accept_index(
    data: bytes, address: str, signers: Sequence[AllowedSigner], now: datetime, seen: RememberedIndex | None
) -> AcceptedIndex:
    """The offer in a fetched index part. Raises one of this module's errors, BadFeedError or BadSignatureError."""
    try:
        text, blob = verify_text(data, NAMESPACE)
    except BadSignatureError as e:
        raise BadFeedError(f"the feed's index: {e.message}", hint="this may pass; if it does not, tell IT") from e
    require_trust(blob, signers, now)
    index = parse_index(text)
    if index.part != part_of(address):
        raise MixedFeedError(
            f"the feed answered with part {index.part} of its index, asked was {part_of(address)}", hint="tell IT"
        )
    digest = hashlib.sha256(data).hexdigest()
    if seen is not None and index.workspace != seen.workspace_id:
        raise OtherFeedError(
            f"the feed's index belongs to workspace {index.workspace}, expected {seen.workspace_id}",
            hint="ask IT; if the machine really changes its workspace, IT gives it a new feed address",
        )
    _require_no_rollback(index, digest, seen)
    require_fresh(index.expires_at, now)
    if index.created_at > now + CLOCK_SLACK:
        raise FeedClockError(
            f"the feed was published on {index.created}, this machine says it is {now:%Y-%m-%dT%H:%M:%SZ}",
            hint="set this machine's clock; freshness cannot be judged with a clock that is behind",
        )
    return AcceptedIndex(
        index.endpoints.get(endpoint_id(address)),
        RememberedIndex(index.workspace, index.version, digest, index.expires_at),
    )


def require_trust(blob: bytes, signers: Sequence[AllowedSigner], now: datetime) -> None:
    """Who may sign bundles may sign the feed, which says less; a line may also allow the feed alone, for the key of a
    nightly job that must not be able to sign bundles."""
    own = find_trusted_signer(signers, blob, now, NAMESPACE)
    if isinstance(own, str) and isinstance(find_trusted_signer(signers, blob, now, BUNDLE_NAMESPACE), str):
        raise UntrustedFeedError(
            f"the feed is signed by {blob_fingerprint(blob)}, which this machine does not trust: {own}",
            hint="ask IT for the signer's public key over another channel, compare, then `provision enroll --signer KEY`",
        )


def require_fresh(expires: datetime, now: datetime) -> None:
    """Raise FrozenFeedError when an index is out of date; also for one that is `304 Not Modified` again and again."""
    if now >= expires:
        raise FrozenFeedError(
            f"the feed's index expired on {expires:%Y-%m-%dT%H:%M:%SZ}: nothing newer arrives here",
            hint="IT must run `provision publish` regularly; if they do, somebody between here and there keeps it back",
        )


def require_listed(entry: FeedEntry | None) -> FeedEntry:
    """The entry, or NotListedError."""
    if entry is None:
        raise NotListedError(
            "the feed has no bundle for this machine", hint="ask IT; what is installed here stays as it is"
        )
    return entry


def accept_bundle(data: bytes, entry: FeedEntry, workspace_id: str) -> Mapping[str, bytes]:
    """The files of a fetched bundle, if it is the one that the index lists. Raises MixedFeedError and the archive's errors."""
    if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.bundle:
        raise MixedFeedError(
            "the bundle is not the one that the feed's index lists: cut short, altered, or another one",
            hint="this may pass; if it does not, tell IT",
        )
    files = read_archive(data)
    if hashlib.sha256(files.get(MANIFEST, b"")).hexdigest() != entry.manifest:
        raise MixedFeedError("the bundle's manifest is not the one that the feed's index lists", hint="tell IT")
    manifest = parse_manifest(files[MANIFEST])
    if manifest.generation != entry.generation:
        raise MixedFeedError("the bundle's generation is not the one that the feed's index lists", hint="tell IT")
    if manifest.workspace != workspace_id:
        raise OtherFeedError(
            f"the bundle belongs to workspace {manifest.workspace}, the feed's index to {workspace_id}", hint="tell IT"
        )
    return files


def _require_no_rollback(index: Index, digest: str, seen: RememberedIndex | None) -> None:
    if seen is None:
        return
    if index.version < seen.version:
        raise FeedRollbackError(
            f"the feed's index has version {index.version}, this machine has seen {seen.version}",
            hint="this may pass when a cache is behind; if it does not, tell IT",
        )
    if index.version == seen.version and digest != seen.digest:
        raise FeedRollbackError(
            f"two different indexes have version {index.version}: one of them is not genuine",
            hint="tell IT: two workspaces may be publishing to one place",
        )
