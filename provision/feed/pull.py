"""`provision pull`: poll the feed once, and install a new bundle.

The usual poll is one conditional GET answered by `304 Not Modified`. Every problem with a feed is an error before the home is
touched: the installed bundle stays, the failure is recorded, and scheduled pulls back off. An index is recorded as soon as it
is accepted, so that an older version is refused from then on, even if the bundle that it lists does not arrive.

Another address is tried first: while a working subscription is stored, nothing about the new one is recorded before its
first good pull. A mistyped address, or another user's, leaves the machine with what it has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provision.bundle.manifest import MAX_MANIFEST_BYTES
from provision.endpoint.fetch import DownloadError
from provision.endpoint.halt import end_halt, is_halted, refuse_while_halted
from provision.endpoint.state import kept_paths
from provision.endpoint.trust_store import TrustInForce
from provision.errors import ProvisionError
from provision.feed.backoff import pause_before_retry
from provision.feed.http import AbsentFileError, FeedResponse, FeedUnreachableError, Validators
from provision.feed.index import MAX_PART_BYTES, FeedEntry, Subscription, endpoint_id, order_name
from provision.feed.obey import Followed, OrderFollower, OrderHandlers
from provision.feed.state import PullState, read_state, write_state
from provision.feed.trust import RememberedIndex, accept_bundle, accept_index, require_fresh, require_listed
from provision.files import locked, read_optional
from provision.signing.signed_text import max_signed_bytes
from provision.signing.sshsig import MAX_SIGNATURE_BYTES
from provision.trust.files import web_source
from provision.trust.orders import MAX_ORDER_BYTES
from provision.trust.walk import Fetch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from provision.endpoint.install import InstallReport
    from provision.signing.allowed_signers import AllowedSigner

INDEX_DEADLINE_S, BUNDLE_DEADLINE_S = 30.0, 120.0

Get = Callable[[str, int, float, Validators], FeedResponse]
"""url, most bytes, deadline in seconds, validators."""
Install = Callable[[Mapping[str, bytes]], "InstallReport"]
WalkTrust = Callable[[Fetch], TrustInForce]
"""Walks over the trust lists of a source and returns whose signatures count then."""


class NoSubscriptionError(ProvisionError):
    """No feed address was given or remembered."""


@dataclass(frozen=True, slots=True)
class PullEnvironment:
    """The effects that a pull needs: network, randomness and sleep."""

    get: Get
    uniform: Callable[[float, float], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class PullResult:
    """The result of a pull. `report` is None when there was nothing new, and while an order keeps bundles away."""

    report: InstallReport | None
    state: PullState
    not_modified: bool
    order: Followed = field(default_factory=Followed)


def pull_once(
    subscription: Subscription,
    folder: Path,
    install: Install,
    *,
    signers: Sequence[AllowedSigner] = (),
    walk_trust: WalkTrust | None = None,
    orders: OrderHandlers | None = None,
    world: PullEnvironment,
    now: datetime,
) -> PullResult:
    """Poll once. `folder` is the endpoint's configuration folder, which holds the pull state. `orders` is what this machine does
    for an order of each kind: that comes before a bundle.

    `walk_trust` reads the feed's newer trust lists first and returns whose signatures count; without it `signers` do. Raises the
    errors of `http`, `trust`, `install` and the walk; after each of them the home is unchanged.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder / ".pull.lock", "pull"):
        state, on_trial = remembered_state(folder, subscription), is_on_trial(folder, subscription)
        try:
            force = _current_trust(subscription, signers, walk_trust, world, now)
            poll = _Poll(subscription, force, world, now)
            found = poll.poll(state)
            state = found.state
            if not on_trial:
                write_state(folder, state)
            order = poll.follow(state, folder, orders or {}, dry_run=False)
            report = None
            if not order.keeps_bundles_away(now):
                entry = require_listed(state.entry)
                if not is_installed(entry, state.home, force, now):
                    refuse_while_halted(folder, force.trust, now)  # pushed, before this machine had an address
                    report = install(_bundle(subscription, entry, state.workspace or "", world))
                    state = state.model_copy(update={"home": str(report.home)})
                    if end_halt(report.home):
                        order = replace(order, note=order.note or "the halt has ended: Hermes may run again")
            state = state.succeeded(now)
        except ProvisionError as e:
            if on_trial:
                e.hint = "; ".join(filter(None, (e.hint, "the address that worked before is still in use")))
                raise
            after_s = e.after_s if isinstance(e, FeedUnreachableError) else None
            write_state(folder, state.failed(e.message, now, world.uniform, after_s))
            raise
        write_state(folder, state)
    return PullResult(report, state, found.not_modified, order)


def preview_pull(
    subscription: Subscription,
    folder: Path,
    install: Install,
    *,
    signers: Sequence[AllowedSigner] = (),
    walk_trust: WalkTrust | None = None,
    orders: OrderHandlers | None = None,
    world: PullEnvironment,
    now: datetime,
) -> PullResult:
    """Poll once and write nothing, not even the failure. `install` must be a dry run. Raises like `pull_once`."""
    state = remembered_state(folder, subscription)
    force = _current_trust(subscription, signers, walk_trust, world, now)
    poll = _Poll(subscription, force, world, now)
    found = poll.poll(state)
    order = poll.follow(found.state, folder, orders or {}, dry_run=True)
    report = None
    if not order.keeps_bundles_away(now):
        entry = require_listed(found.state.entry)
        if not is_installed(entry, state.home, force, now):
            report = install(_bundle(subscription, entry, found.state.workspace or "", world))
    return PullResult(report, found.state, found.not_modified, order)


def remembered_state(folder: Path, subscription: Subscription) -> PullState:
    """The state of this subscription. Another address starts with an empty state, but keeps the path of the home."""
    state = read_state(folder)
    if state is None or state.url != str(subscription):
        return PullState(url=str(subscription), home=state.home if state else None)
    return state


def is_on_trial(folder: Path, subscription: Subscription) -> bool:
    """Whether another address than this one is stored, and has worked."""
    state = read_state(folder)
    return state is not None and state.last_good is not None and state.url != str(subscription)


def is_installed(entry: FeedEntry, home: str | None, force: TrustInForce, now: datetime) -> bool:
    """Whether the bundle that the index lists is installed in the home, under a signature that counts by the trust list."""
    if home is None:
        return False
    names = kept_paths(Path(home))
    data = read_optional(Path(home) / names.manifest, MAX_MANIFEST_BYTES)
    if data is None or is_halted(Path(home)) or hashlib.sha256(data).hexdigest() != entry.manifest:
        return False
    if force.trust is None:
        return True
    return force.trusts(read_optional(Path(home) / names.signature, MAX_SIGNATURE_BYTES) or b"", now)


def _current_trust(
    subscription: Subscription,
    signers: Sequence[AllowedSigner],
    walk_trust: WalkTrust | None,
    world: PullEnvironment,
    now: datetime,
) -> TrustInForce:
    """Whose signatures count, after the walk over the feed's trust lists. Raises ExpiredListError for an expired list."""
    if walk_trust is None:
        return TrustInForce(signers)
    force = walk_trust(_trust_source(subscription, world))
    force.require_current(now)
    return force


def _trust_source(subscription: Subscription, world: PullEnvironment) -> Fetch:
    """The trust lists in the feed; a 404, or a page of the server's, means that there is none of that name."""

    def fetch(name: str, limit_bytes: int) -> bytes | None:
        url = f"{subscription.base}/{name}"
        try:
            return _get_with_retries(world, url, limit_bytes, INDEX_DEADLINE_S, Validators()).body
        except AbsentFileError:
            return None

    return web_source(fetch)


@dataclass(frozen=True, slots=True)
class _Polled:
    state: PullState
    not_modified: bool


@dataclass(frozen=True, slots=True)
class _Poll:
    subscription: Subscription
    force: TrustInForce
    world: PullEnvironment
    now: datetime

    def poll(self, state: PullState) -> _Polled:
        """Poll the index; returns the state after an accepted response."""
        state = state.under(self.force.trust)
        conditional = state.digest is not None and state.expires_at > self.now
        validators = Validators(state.etag, state.last_modified) if conditional else Validators()
        answer = self._index(validators)
        if answer.body is None:
            if not conditional:
                raise DownloadError("the feed answered 304 to an unconditional request", hint="report this to IT")
            require_fresh(state.expires_at, self.now)
            return _Polled(state, not_modified=True)
        seen = (
            RememberedIndex(state.workspace, state.version, state.digest, state.expires_at)
            if state.workspace and state.digest
            else None
        )
        trust = self.force.trust
        offer = accept_index(answer.body, self.subscription.address, self.force.signers, self.now, seen, trust=trust)
        return _Polled(
            state.model_copy(
                update={
                    "workspace": offer.seen.workspace_id,
                    "version": offer.seen.version,
                    "digest": offer.seen.digest,
                    "expires": offer.seen.expires.timestamp(),
                    "etag": answer.validators.etag,
                    "last_modified": answer.validators.last_modified,
                    "entry": offer.entry,
                    "order": offer.order,
                    "trust": trust.number if trust else None,
                    "signer": offer.seen.signer,
                }
            ),
            not_modified=False,
        )

    def follow(self, state: PullState, folder: Path, handlers: OrderHandlers, *, dry_run: bool) -> Followed:
        """Obey the order that the accepted index lists, if it is new."""

        def fetch(digest: str) -> bytes:
            url = f"{self.subscription.base}/{order_name(self.subscription.address, digest)}"
            limit = max_signed_bytes(MAX_ORDER_BYTES)
            return _get_with_retries(self.world, url, limit, INDEX_DEADLINE_S, Validators()).body or b""

        endpoints = (endpoint_id(self.subscription.address),)
        follower = OrderFollower(state.workspace or "", endpoints, folder, self.force, handlers, self.now)
        return follower.follow(state.order, fetch, dry_run=dry_run)

    def _index(self, validators: Validators) -> FeedResponse:
        return _get_with_retries(
            self.world, self.subscription.index_url, max_signed_bytes(MAX_PART_BYTES), INDEX_DEADLINE_S, validators
        )


def _bundle(
    subscription: Subscription, entry: FeedEntry, workspace_id: str, world: PullEnvironment
) -> Mapping[str, bytes]:
    url = subscription.bundle_url(entry.bundle)
    answer = _get_with_retries(world, url, entry.size, BUNDLE_DEADLINE_S, Validators())
    return accept_bundle(answer.body or b"", entry, workspace_id)


def _get_with_retries(
    world: PullEnvironment, url: str, limit_bytes: int, deadline_s: float, validators: Validators
) -> FeedResponse:
    """A GET, retried as `backoff` says when the feed is unreachable."""
    tried = 0
    while True:
        tried += 1
        try:
            return world.get(url, limit_bytes, deadline_s, validators)
        except FeedUnreachableError as e:
            pause_s = pause_before_retry(tried, e.after_s, world.uniform)
            if pause_s is None:
                raise
            world.sleep(pause_s)
