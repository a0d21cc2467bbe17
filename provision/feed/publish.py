"""`publish`: write dist/ as a feed (see `index`), bundles first and the index last, so that an index never lists a bundle that
is not there yet.

The trust lists are in the tree too (`trust/`), for ever. They go last, so that machines still accept the feed while a signer is
being removed; only when the list before does not know this signer they go first.

A part of the index keeps its bytes, and so its ETag, while its entries and the trust list are the same and more than half of
its lifetime is left. Bundles and orders stay for one lifetime of the index after the last part that lists them, for readers that
still hold that part, but no more than `keep` bundles of a user in all. A user whose bundle is invalid keeps the published entry.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.bundle.dist import Dist
from provision.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES, SIGNATURE, parse_manifest
from provision.bundle.tar import bundle_tar
from provision.endpoint.verify import AcceptanceRules, verify_bundle
from provision.errors import ProvisionError
from provision.feed.give_orders import CarriedOrder, carried_orders
from provision.feed.index import (
    NAMESPACE,
    FeedEntry,
    Index,
    address_of,
    bundle_name,
    endpoint_id,
    index_bytes,
    index_name,
    order_name,
    part_of,
)
from provision.feed.published_parts import honest_version, published_parts
from provision.feed.sweep import date_unlisted, sweep_tree
from provision.files import FileProblemError, read_bounded, read_optional, write_atomic
from provision.shell import shell_path
from provision.signing.allowed_signers import find_trusted_signer
from provision.signing.fields import moment
from provision.signing.signed_text import sign_text
from provision.signing.sshsig import MAX_SIGNATURE_BYTES, public_blob, signature_key
from provision.trust.files import read_chain
from provision.trust.trust_list import MAX_LIST_BYTES, Role, key_text, parse_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from provision.signing.allowed_signers import AllowedSigner
    from provision.signing.fields import LogHead
    from provision.trust.trust_list import TrustList


RENEW_BELOW = 1 / 2
"""An index part with less than this part of its lifetime left is signed again."""
KEPT_GENERATIONS = 3
_FOLDERS = ("e", "index", "o", "trust")


class PublishStatus(StrEnum):
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    NO_BUNDLE = "no bundle"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PublishedBundle:
    """The result for one user. `address` is secret to that user and the operators."""

    user: str
    address: str
    status: PublishStatus
    generation: int = 0
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What to publish: the bundles in `dist` of the `users` of the inventory. Addresses are derived from `secret`."""

    workspace_id: str
    users: Sequence[str]
    dist: Path
    secret: bytes
    signers: Sequence[AllowedSigner]
    now: datetime
    life: timedelta
    log_head: LogHead | None = None
    """The end of the event log; parts that are written record it."""
    keep: int = KEPT_GENERATIONS
    """How many bundles stay in a user's folder: the listed one, and the newest before it. At least 1."""
    trust: TrustList | None = None
    """The trust list that index parts name; None without one."""
    chain: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """All trust lists and their signatures, by path."""
    orders: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Signed orders, by user, also of users who left."""


@dataclass(frozen=True, slots=True)
class PublishSummary:
    """The changes of a run: parts written and kept, bundles removed, and the names of all current files."""

    parts_written: int
    parts_kept: int
    removed: int
    bundles: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]
    """The name of each part, and the names of the bundles that it lists."""
    lists: tuple[str, ...] = ()
    """Trust lists, each after its signatures, oldest first."""
    lists_first: bool = False
    orders: int = 0
    """How many orders the index lists."""
    problems: tuple[str, ...] = ()
    """Orders that no machine would obey, and that are not published."""


def state_folder(tree: Path) -> Path:
    """The folder for the lock and the list of uploaded files: beside the tree, never in it."""
    return tree.parent / f".{tree.name}.publish"


class FeedTree:
    """The feed's folder, under the lock of one run. Iterate `users`, then call `finish`. Refuses links in it."""

    def __init__(self, root: Path, options: PublishOptions, key: Ed25519PrivateKey) -> None:
        refuse_links(root / name for name in _FOLDERS)
        self.root = root
        self._options = options
        self._key = key
        self._before: dict[str, Index] = {}
        self._least: dict[str, int] = {}
        for path, part in published_parts(root, options.workspace_id, options.signers, options.now):
            if isinstance(part, Index):
                self._before[path.stem] = part
            elif options.trust is not None:
                self._least[path.stem] = honest_version(path, options.trust, options.now)
        self._entries: dict[str, dict[str, FeedEntry]] = {part: {} for part in self._before}
        self._names: dict[str, list[str]] = {}
        self._orders: dict[str, dict[str, str]] = {}

    def users(self) -> Iterator[PublishedBundle]:
        """Write each user's bundle; yields the results."""
        dist = Dist(self._options.dist, None)
        for user in self._options.users:
            address = address_of(self._options.secret, user)
            part, name = part_of(address), endpoint_id(address)
            last = self._before[part].endpoints.get(name) if part in self._before else None
            entry, done = self._publish(dist, user, address, last)
            if entry is not None:
                self._entries.setdefault(part, {})[name] = entry
                self._names.setdefault(part, []).append(bundle_name(address, entry.bundle))
            yield done

    def _publish(
        self, dist: Dist, user: str, address: str, last: FeedEntry | None
    ) -> tuple[FeedEntry | None, PublishedBundle]:
        if last is not None and self._is_current(user, address, last):
            return last, PublishedBundle(user, address, PublishStatus.UNCHANGED, last.generation)
        files = dist.read(user)
        if not files:
            return None, PublishedBundle(
                user, address, PublishStatus.NO_BUNDLE, message="has no bundle in dist/", hint="provision render"
            )
        try:
            manifest = verify_bundle(
                files,
                AcceptanceRules(
                    self._options.signers, self._options.now, user, workspace_id=self._options.workspace_id
                ),
            ).manifest
            data = bundle_tar(files)
            entry = FeedEntry(
                bundle=hashlib.sha256(data).hexdigest(),
                size=len(data),
                manifest=hashlib.sha256(files[MANIFEST]).hexdigest(),
                generation=manifest.generation,
            )
            if last is not None and entry.generation < last.generation:
                message = f"dist/ has generation {entry.generation}, published is {last.generation}"
                return last, PublishedBundle(
                    user,
                    address,
                    PublishStatus.FAILED,
                    last.generation,
                    message,
                    "endpoints refuse older bundles: run `provision render`",
                )
            path = self.root / bundle_name(address, entry.bundle)
            if rewritten := not _is_intact(path, entry):
                _make_room(path)
                write_atomic(path, data, mode=0o644, durable=False)
        except (ProvisionError, OSError) as e:
            error = (
                e if isinstance(e, ProvisionError) else FileProblemError(f"cannot write its bundle: {e.strerror or e}")
            )
            generation = last.generation if last else 0
            return last, PublishedBundle(user, address, PublishStatus.FAILED, generation, error.message, error.hint)
        status = PublishStatus.UNCHANGED if entry == last and not rewritten else PublishStatus.PUBLISHED
        return entry, PublishedBundle(user, address, status, entry.generation)

    def _is_current(self, user: str, address: str, last: FeedEntry) -> bool:
        """Whether dist/ still holds the published bundle, unexpired. Then it need not be packed and verified again."""
        try:
            data = read_optional(self._options.dist / user / MANIFEST, MAX_MANIFEST_BYTES)
            if data is None or hashlib.sha256(data).hexdigest() != last.manifest:
                return False
            if parse_manifest(data).expires_at <= self._options.now:
                return False
            signature = read_bounded(self._options.dist / user / SIGNATURE, MAX_SIGNATURE_BYTES)
            if isinstance(find_trusted_signer(self._options.signers, signature_key(signature), self._options.now), str):
                return False
            packed = read_bounded(self.root / bundle_name(address, last.bundle), last.size, follow=False)
            return hashlib.sha256(packed).hexdigest() == last.bundle and signature in packed
        except (ProvisionError, OSError):
            return False  # also for a bundle that another operator signed again

    def finish(self) -> PublishSummary:
        """Write the parts that changed or are due for renewal, and the trust lists; remove bundles that are not needed."""
        written = kept = 0
        lists = sorted(self._options.chain, key=_in_chain)
        lists_first = bool(lists) and not self._known_before()
        if lists_first:
            self._write_lists(lists)
        problems = self._write_orders()
        before = {(key, digest) for index in self._before.values() for key, digest in index.listed()}
        after = {(key, entry.bundle) for entries in self._entries.values() for key, entry in entries.items()}
        after |= {each for orders in self._orders.values() for each in orders.items()}
        date_unlisted(self.root, before - after, self._options.now)
        for part, entries in sorted(self._entries.items()):
            if self._keep(part, entries):
                kept += 1
                continue
            self._write(part, entries)
            written += 1
        self._write_lists(lists)
        names = {index_name(part): tuple(self._names.get(part, ())) for part in self._entries}
        bundles = {name for listed in names.values() for name in listed}
        swept = sweep_tree(self.root, bundles, oldest=self._options.now - self._options.life, keep=self._options.keep)
        orders = sum(map(len, self._orders.values()))
        return PublishSummary(
            written, kept, swept, tuple(sorted(bundles)), names, tuple(lists), lists_first, orders, problems
        )

    def _write_orders(self) -> tuple[str, ...]:
        """Write the orders that machines would obey, before the index lists them; returns a line for each other one."""
        options, problems = self._options, []
        for carried in carried_orders(
            options.orders, options.secret, options.workspace_id, options.signers, options.now
        ):
            if not isinstance(carried, CarriedOrder):
                user, error = carried
                problems.append(f"{user}: the order in orders/{user}.order is not published: {error.message}")
                continue
            name, part = order_name(carried.address, carried.digest), part_of(carried.address)
            path = self.root / name
            if read_optional(path, len(carried.data)) != carried.data:
                _make_room(path)
                write_atomic(path, carried.data, mode=0o644, durable=False)
            self._entries.setdefault(part, {})
            self._orders.setdefault(part, {})[endpoint_id(carried.address)] = carried.digest
            self._names.setdefault(part, []).append(name)
        return tuple(problems)

    def _known_before(self) -> bool:
        """Whether this signer may sign the feed by the newest list that is published already."""
        published = [name for name in read_chain(self.root) if name.endswith(".json")]
        if not published:
            return not self._before
        newest = max(published, key=_in_chain)
        try:
            trust = parse_list(read_bounded(self.root / newest, MAX_LIST_BYTES))
        except (ProvisionError, OSError):
            return False
        return key_text(public_blob(self._key.public_key())) in trust.keys_with(Role.FEED)

    def _write_lists(self, names: Sequence[str]) -> None:
        for name in names:
            path, data = self.root / name, self._options.chain[name]
            if read_optional(path, MAX_LIST_BYTES) != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, data, mode=0o644)

    def _keep(self, part: str, entries: dict[str, FeedEntry]) -> bool:
        before = self._before.get(part)
        number = self._options.trust.number if self._options.trust else None
        if before is None or before.endpoints != entries or before.trust != number:
            return False
        if before.orders != self._orders.get(part, {}):
            return False
        return before.expires_at - self._options.now > self._options.life * RENEW_BELOW

    def _write(self, part: str, entries: dict[str, FeedEntry]) -> None:
        before = self._before.get(part)
        now = self._options.now
        index = Index(
            workspace=self._options.workspace_id,
            part=part,
            version=max(before.version + 1 if before else self._least.get(part, 1), int(now.timestamp())),
            created=moment(now),
            expires=moment(now + self._options.life),
            trust=self._options.trust.number if self._options.trust else None,
            log_head=self._options.log_head,
            endpoints=entries,
            orders=self._orders.get(part, {}),
        )
        path = self.root / index_name(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, sign_text(index_bytes(index), self._key, NAMESPACE), mode=0o644, durable=False)
        os.utime(path, (index.version, index.version))  # servers without ETags compare whole seconds


def _in_chain(name: str) -> tuple[int, int, bool]:
    """The order in which lists are written: a walker must not see a list before its signatures."""
    epoch, _, version = name.rpartition("/")[2].partition(".")[0].partition("-")
    return int(epoch), int(version), name.endswith(".json")


def _is_intact(path: Path, entry: FeedEntry) -> bool:
    """Whether the published file is the bundle: a size alone does not show a damaged or exchanged one."""
    try:
        return hashlib.sha256(read_bounded(path, entry.size, follow=False)).hexdigest() == entry.bundle
    except (OSError, FileProblemError):
        return False


def refuse_links(paths: Iterable[Path]) -> None:
    """Raise FileProblemError for a link: who may write to the web server's folder would choose where an operator's files go."""
    for path in paths:
        if path.is_symlink():
            raise FileProblemError(
                f"{path} is a link, and publish follows none in the feed",
                hint=f"see who made it, then remove it: rm {shell_path(path)}",
            )


def _make_room(path: Path) -> None:
    """Make the folder of a file, and remove a link, pipe or device in the place of both."""
    if path.parent.is_symlink():
        path.parent.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
        path.unlink()


def lock_path(tree: Path) -> Path:
    """The lock for publishing into a tree. Makes its folder, with a .gitignore in it."""
    folder = state_folder(tree)
    refuse_links((folder,))
    folder.mkdir(parents=True, exist_ok=True)
    refuse_links(folder.iterdir())
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")
    return folder / "lock"
