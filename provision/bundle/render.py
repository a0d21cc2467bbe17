"""`render`: bring `dist/` up to date, one bundle per user, each replaced atomically.

A bundle keeps its bytes when its inputs are the same, its files match its manifest, the present signer signed it and more
than a third of its lifetime is left. Other bundles are sealed and signed in worker processes, and this process moves them
into place. A failure for one user is a value; the run goes on.

Generations come from the clock (Unix seconds), not from a counter: `dist/` can be deleted and rendered again, and endpoints
must still see the new bundles as newer.
"""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.bundle.cache import CachedBundle, RenderCache
from provision.bundle.dist import Dist, content_digest, exchange_for
from provision.bundle.manifest import BUNDLE_FILES, MANIFEST, SIGNATURE, BadManifestError, Manifest, parse_manifest
from provision.bundle.plan import ImpossibleBundle, PlannedBundle, RenderInputs, plan_bundles
from provision.bundle.seal_and_sign import BundleJob, MadeBundle
from provision.bundle.workers import SMALL, BundleMaker, BundleWorkers, InProcessMaker
from provision.errors import ProvisionError
from provision.files import locked
from provision.signing.sshsig import BadSignatureError, public_blob, verify_signature

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provision.fleet.desired import DesiredState

RENEW_BELOW = 1 / 3
"""A bundle with less than this part of its lifetime left is renewed."""


class RenderStatus(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    RENEWED = "renewed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    LEFT = "left"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class RenderOutcome:
    """The result for one user. LEFT: has a bundle but is no longer in the inventory."""

    user: str
    status: RenderStatus
    profile: str = ""
    generation: int = 0
    key_fingerprint: str = ""
    message: str = ""
    hint: str = ""
    key_before: str = ""
    """The fingerprint in the replaced bundle; empty when there was none, or it was unreadable."""
    content: bytes = b""
    """The digest of the bundle that is there now; empty without a current one."""
    expires: int = 0
    """When that bundle expires, in Unix seconds."""


RenderProgress = Callable[[int, int, RenderOutcome], None]
"""Called for each user: how many are done, of how many, and the newest outcome."""


@dataclass(frozen=True, slots=True)
class ExistingBundle:
    """A bundle in dist/: its manifest if readable, and whether its signature and digests verify."""

    manifest: Manifest | None
    genuine: bool


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What to render: `states` are the selected users, `all_users` the ids of the whole inventory."""

    states: Sequence[DesiredState]
    all_users: frozenset[str]
    common: RenderInputs
    force: bool = False
    prune: bool = False

    def lasts(self, expires: int) -> bool:
        """Whether a bundle that expires then (Unix seconds) need not be renewed yet."""
        return expires - self.common.now.timestamp() > self.common.bundle_days * 86400 * RENEW_BELOW


@contextmanager
def opened_dist(root: Path) -> Iterator[Dist]:
    """Lock the dist folder, remove leftovers of an interrupted run, and remove this run's staging folder at the end."""
    plain = Dist(root, None)
    plain.prepare()
    with locked(plain.lock_path, "render"):
        dist = Dist(root, exchange_for(root))
        dist.begin()
        try:
            yield dist
        finally:
            dist.end()


def render_bundles(
    options: RenderOptions, dist: Dist, key: Ed25519PrivateKey, progress: RenderProgress, *, workers: int | None = None
) -> Iterator[RenderOutcome]:
    """Bring `dist` up to date; yields an outcome per user when it is finished. Raises WorkerDiedError.

    `workers` None means one process per processor for large fleets and none for small ones. Finished bundles do not stay in
    memory. Exhaust the iterator: the cache for the next run is written at its end.
    """
    count = (os.cpu_count() or 1) if workers is None and len(options.states) >= SMALL else (workers or 0)
    maker: BundleMaker = BundleWorkers(key, count) if count else InProcessMaker(key)
    run = _Run(options, dist, public_blob(key.public_key()))
    total = len(options.states)
    gc.freeze()  # the fleet lives as long as the run; collecting it again and again costs a third of a no-op run
    try:
        for done, outcome in enumerate(run.outcomes(maker), 1):
            progress(min(done, total), total, outcome)
            yield outcome
    finally:
        gc.unfreeze()
        maker.close()
        run.seen.save(dist.seen_path)


class _Run:
    def __init__(self, options: RenderOptions, dist: Dist, signer: bytes) -> None:
        self.options = options
        self.dist = dist
        self.signer = signer
        self.seen = RenderCache.load(dist.seen_path, digest_key=options.common.digest_key, signer=signer)
        self._under_way: dict[str, tuple[PlannedBundle, RenderStatus, CachedBundle, str]] = {}

    def outcomes(self, maker: BundleMaker) -> Iterator[RenderOutcome]:
        for planned in plan_bundles(self.options.states, self.options.common):
            if isinstance(planned, ImpossibleBundle):
                yield RenderOutcome(planned.user, RenderStatus.FAILED, message=planned.reason, hint=planned.hint)
                continue
            status, cached, content = self._classify(planned)
            if status is RenderStatus.UNCHANGED and cached is not None:
                yield _outcome(planned, status, cached, content)
                continue
            try:
                job = self._job(planned, status, cached)
            except ProvisionError as e:
                yield RenderOutcome(
                    planned.user, RenderStatus.FAILED, planned.profile.name, message=str(e), hint=e.hint
                )
                continue
            yield from map(self._placed, maker.push(job))
        yield from map(self._placed, maker.finish())
        for user in self.dist.others(set(self.options.all_users)):
            yield self._other(user)

    def _job(self, planned: PlannedBundle, status: RenderStatus, previous: CachedBundle | None) -> BundleJob:
        common = self.options.common
        generation = max(previous.generation + 1 if previous else 1, int(common.now.timestamp()))
        fields = planned.fields(common, generation)
        welcome = planned.welcome(common)
        job = BundleJob(
            user=planned.user,
            folder=self.dist.staging(planned.user),
            config=planned.config,
            env=planned.env(),
            welcome=welcome,
            page=planned.page(welcome, common),
            recipients=planned.recipients,
            fields=fields,
        )
        expires = int(common.now.timestamp()) + common.bundle_days * 86400
        cached = CachedBundle(expires, generation, fields["key_fingerprint"])
        before = previous.key_fingerprint if previous else ""
        self._under_way[planned.user] = (planned, status, cached, before)
        return job

    def _classify(self, planned: PlannedBundle) -> tuple[RenderStatus, CachedBundle | None, bytes]:
        """Whether the user's bundle must be made, the values of the one in dist/, and the digest of its files."""
        files = self.dist.read(planned.user)
        if not files:
            return RenderStatus.NEW, None, b""
        content = content_digest(files) if files.keys() >= set(BUNDLE_FILES) else b""
        cached = self.seen.recall(planned.user, planned.inputs, content) if content else None
        if cached is not None and not self.options.force and self.options.lasts(cached.expires):
            return RenderStatus.UNCHANGED, cached, content
        try:
            manifest = parse_manifest(files.get(MANIFEST, b""))
        except BadManifestError:
            return RenderStatus.CHANGED, None, content
        cached = CachedBundle(int(manifest.expires_at.timestamp()), manifest.generation, manifest.key_fingerprint)
        if manifest.inputs_digest != planned.inputs.hex():
            return RenderStatus.CHANGED, cached, content
        if self.options.force:
            return RenderStatus.RENEWED, cached, content
        if not examine_bundle(files, self.signer).genuine:
            return RenderStatus.CHANGED, cached, content
        if not self.options.lasts(cached.expires):
            return RenderStatus.RENEWED, cached, content
        self.seen.note(planned.user, cached, planned.inputs, content)
        return RenderStatus.UNCHANGED, cached, content

    def _placed(self, made: MadeBundle) -> RenderOutcome:
        planned, status, cached, before = self._under_way.pop(made.user)
        profile = planned.profile.name
        if made.error:
            return RenderOutcome(made.user, RenderStatus.FAILED, profile, message=made.error, hint=made.hint)
        try:
            self.dist.place(made.user)
        except ProvisionError as e:
            return RenderOutcome(made.user, RenderStatus.FAILED, profile, message=str(e), hint=e.hint)
        except OSError as e:
            return RenderOutcome(
                made.user, RenderStatus.FAILED, profile, message=f"cannot replace its bundle: {e.strerror or e}"
            )
        self.seen.note(made.user, cached, planned.inputs, made.content)
        return _outcome(planned, status, cached, made.content, before)

    def _other(self, user: str) -> RenderOutcome:
        if not self.options.prune:
            return RenderOutcome(
                user,
                RenderStatus.LEFT,
                message="has a bundle but is not in the inventory",
                hint="remove it with --prune",
            )
        try:
            self.dist.prune(user)
        except (ProvisionError, OSError) as e:
            return RenderOutcome(user, RenderStatus.FAILED, message=f"cannot remove its bundle: {e}")
        self.seen.forget(user)
        return RenderOutcome(user, RenderStatus.PRUNED)


def _outcome(
    planned: PlannedBundle, status: RenderStatus, cached: CachedBundle, content: bytes, before: str = ""
) -> RenderOutcome:
    return RenderOutcome(
        planned.user,
        status,
        planned.profile.name,
        cached.generation,
        cached.key_fingerprint,
        key_before=before,
        content=content,
        expires=cached.expires,
    )


def examine_bundle(files: dict[str, bytes], signer: bytes) -> ExistingBundle:
    """Whether files from dist/ are an unaltered bundle, signed by `signer` (a public key blob)."""
    try:
        manifest = parse_manifest(files.get(MANIFEST, b""))
    except BadManifestError:
        return ExistingBundle(None, genuine=False)
    try:
        signed = verify_signature(files[MANIFEST], files[SIGNATURE]) == signer
    except (BadSignatureError, KeyError):
        signed = False
    intact = all(
        name in files and hashlib.sha256(files[name]).hexdigest() == digest for name, digest in manifest.files.items()
    )
    return ExistingBundle(manifest, genuine=signed and intact)


def user_ids(states: Iterable[DesiredState]) -> frozenset[str]:
    """The ids of all users in an inventory."""
    return frozenset(state.user for state in states)
