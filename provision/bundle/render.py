"""`render`: make `dist/`, a bundle per user, as little as possible and never half.

A user's bundle is left alone, to the byte, when its inputs are the same, its files are what its manifest says, the present
signer signed it and more than a third of its time is left. What must be made is sealed and signed in worker processes
and put in place by this one. One user's failure is a value; the run goes on.

Generations come from the clock (Unix seconds) rather than a counter: `dist/` can be thrown away and made again, and endpoints
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
from provision.bundle.dist import Dist, exchange_for
from provision.bundle.manifest import BUNDLE_FILES, MANIFEST, SIGNATURE, BadManifestError, Manifest, parse_manifest
from provision.bundle.plan import ImpossibleBundle, PlannedBundle, RenderInputs, plan_bundles
from provision.bundle.seal_and_sign import BundleJob, MadeBundle, content_digest
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
"""Part of a bundle's life that must be left for it to be kept."""


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
    """What became of one user. LEFT: has a bundle but is no longer in the inventory."""

    user: str
    status: RenderStatus
    profile: str = ""
    generation: int = 0
    key_fingerprint: str = ""
    message: str = ""
    hint: str = ""
    key_before: str = ""
    """The fingerprint in the bundle that this one replaces; empty when there was none, or it could not be read."""


RenderProgress = Callable[[int, int, RenderOutcome], None]
"""Watches a build: how many users are done, of how many, and the newest outcome."""


@dataclass(frozen=True, slots=True)
class ExistingBundle:
    """A bundle as it lies in dist/: the manifest when it can be read, and whether its files are what it says."""

    manifest: Manifest | None
    genuine: bool


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What to build: `states` are the users selected, `everybody` the ids of the whole inventory."""

    states: Sequence[DesiredState]
    everybody: frozenset[str]
    common: RenderInputs
    force: bool = False
    prune: bool = False


@contextmanager
def opened_dist(root: Path) -> Iterator[Dist]:
    """The dist folder, locked, swept of what an interrupted run left, and clean again afterwards."""
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
    order: RenderOptions, dist: Dist, key: Ed25519PrivateKey, progress: RenderProgress, *, workers: int | None = None
) -> Iterator[RenderOutcome]:
    """Bring `dist` up to date; yields an outcome per user as it is known. Raises WorkerDiedError.

    `workers` None takes a process per processor for large fleets and none for small ones. Nothing of a finished bundle
    stays in memory. Drain the iterator: what was made is remembered for the next run at its end.
    """
    count = (os.cpu_count() or 1) if workers is None and len(order.states) >= SMALL else (workers or 0)
    maker: BundleMaker = BundleWorkers(key, count) if count else InProcessMaker(key)
    run = _Run(order, dist, public_blob(key.public_key()))
    total = len(order.states)
    gc.freeze()  # the fleet lives as long as the run: looking through it for garbage again and again costs a third of a check
    try:
        for done, outcome in enumerate(run.outcomes(maker), 1):
            progress(min(done, total), total, outcome)
            yield outcome
    finally:
        gc.unfreeze()
        maker.close()
        run.seen.save(dist.seen_path)


class _Run:
    def __init__(self, order: RenderOptions, dist: Dist, signer: bytes) -> None:
        self.order = order
        self.dist = dist
        self.signer = signer
        self.seen = RenderCache.load(dist.seen_path, digest_key=order.common.digest_key, signer=signer)
        self._under_way: dict[str, tuple[PlannedBundle, RenderStatus, CachedBundle, str]] = {}

    def outcomes(self, maker: BundleMaker) -> Iterator[RenderOutcome]:
        for wanted in plan_bundles(self.order.states, self.order.common):
            if isinstance(wanted, ImpossibleBundle):
                yield RenderOutcome(wanted.user, RenderStatus.FAILED, message=wanted.reason, hint=wanted.hint)
                continue
            status, known = self._judge(wanted)
            if status is RenderStatus.UNCHANGED and known is not None:
                yield _outcome(wanted, status, known)
                continue
            try:
                job = self._job(wanted, status, known)
            except ProvisionError as e:
                yield RenderOutcome(wanted.user, RenderStatus.FAILED, wanted.profile.name, message=str(e), hint=e.hint)
                continue
            yield from map(self._placed, maker.push(job))
        yield from map(self._placed, maker.finish())
        for user in self.dist.others(set(self.order.everybody)):
            yield self._other(user)

    def _job(self, wanted: PlannedBundle, status: RenderStatus, previous: CachedBundle | None) -> BundleJob:
        common = self.order.common
        generation = max(previous.generation + 1 if previous else 1, int(common.now.timestamp()))
        fields = wanted.fields(common, generation)
        job = BundleJob(
            user=wanted.user,
            folder=self.dist.staging(wanted.user),
            config=wanted.config,
            env=wanted.env(),
            welcome=wanted.welcome(common),
            recipients=wanted.recipients,
            fields=fields,
        )
        expires = int(common.now.timestamp()) + common.bundle_days * 86400
        known = CachedBundle(expires, generation, fields["key_fingerprint"])
        before = previous.key_fingerprint if previous else ""
        self._under_way[wanted.user] = (wanted, status, known, before)
        return job

    def _judge(self, wanted: PlannedBundle) -> tuple[RenderStatus, CachedBundle | None]:
        """What is to be done for a user, and what is known of the bundle that is there."""
        files = self.dist.read(wanted.user)
        if not files:
            return RenderStatus.NEW, None
        content = content_digest(files) if files.keys() >= set(BUNDLE_FILES) else b""
        known = self.seen.recall(wanted.user, wanted.inputs, content) if content else None
        if known is not None and not self.order.force and self._lasts(known.expires):
            return RenderStatus.UNCHANGED, known
        try:
            manifest = parse_manifest(files.get(MANIFEST, b""))
        except BadManifestError:
            return RenderStatus.CHANGED, None
        known = CachedBundle(int(manifest.expires_at.timestamp()), manifest.generation, manifest.key_fingerprint)
        if manifest.inputs_digest != wanted.inputs.hex():
            return RenderStatus.CHANGED, known
        if self.order.force:
            return RenderStatus.RENEWED, known
        if not examine_bundle(files, self.signer).genuine:
            return RenderStatus.CHANGED, known
        if not self._lasts(known.expires):
            return RenderStatus.RENEWED, known
        self.seen.note(wanted.user, known, wanted.inputs, content)
        return RenderStatus.UNCHANGED, known

    def _lasts(self, expires: int) -> bool:
        common = self.order.common
        return expires - common.now.timestamp() > common.bundle_days * 86400 * RENEW_BELOW

    def _placed(self, made: MadeBundle) -> RenderOutcome:
        wanted, status, known, before = self._under_way.pop(made.user)
        profile = wanted.profile.name
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
        self.seen.note(made.user, known, wanted.inputs, made.content)
        return _outcome(wanted, status, known, before)

    def _other(self, user: str) -> RenderOutcome:
        if not self.order.prune:
            return RenderOutcome(
                user,
                RenderStatus.LEFT,
                message="has a bundle but is not in the inventory",
                hint="remove it with --prune",
            )
        try:
            self.dist.prune(user)
        except (ProvisionError, OSError) as e:
            return RenderOutcome(user, RenderStatus.FAILED, message=f"its bundle cannot be removed: {e}")
        self.seen.forget(user)
        return RenderOutcome(user, RenderStatus.PRUNED)


def _outcome(wanted: PlannedBundle, status: RenderStatus, known: CachedBundle, before: str = "") -> RenderOutcome:
    profile = wanted.profile.name
    return RenderOutcome(wanted.user, status, profile, known.generation, known.key_fingerprint, key_before=before)


def examine_bundle(files: dict[str, bytes], signer: bytes) -> ExistingBundle:
    """Whether files from dist/ are a bundle that `signer` (a public key blob) signed and nobody altered."""
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
    """The ids of a whole inventory."""
    return frozenset(state.user for state in states)
