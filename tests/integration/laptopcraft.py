"""An operator with a chain of trust lists and a feed, and a machine that follows both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bundlecraft import Shop
from feedcraft import LIFE, SECRET
from trustcraft import NOW, Tree, key, public

from provision.endpoint.apply import DiskWriter
from provision.endpoint.identity import EndpointFolder, enroll
from provision.endpoint.install import InstallReport, InstallRequest, install_bundle
from provision.endpoint.trust_store import TrustInForce, stored_list, update_trust
from provision.feed.http import http_get
from provision.feed.index import Subscription, address_of
from provision.feed.obey import OrderHandlers
from provision.feed.publish import FeedTree, PublishedBundle, PublishOptions, PublishSummary
from provision.feed.pull import PullEnvironment, PullResult, pull_once
from provision.fleet.desired import Platform
from provision.keys.age import load_identities
from provision.trust.trust_list import parse_list


@dataclass
class It:
    """An operator, or a thief: a shop, a chain of trust lists, and a feed."""

    folder: Path
    shop: Shop
    lists: Tree = field(default_factory=Tree)
    name: str = "ada"
    orders: dict[str, bytes] = field(default_factory=dict)
    summary: PublishSummary | None = None

    def put(self, epoch: int, version: int, data: bytes, *names: str) -> bytes:
        return self.lists.put(epoch, version, data, *names)

    def publish(self, name: str, *, again: bool = False, now: datetime | None = None) -> dict[str, PublishedBundle]:
        """Render and publish everything with this operator's key."""
        numbers = sorted(n for n in self.lists.files if n.endswith(".json"))
        newest = max((parse_list(self.lists.files[n]) for n in numbers), key=lambda t: t.order, default=None)
        self.shop.signer = key(name)
        self.shop.render(self.folder / "dist", force=again)
        options = PublishOptions(
            workspace_id=self.shop.workspace_id,
            users=self.shop.users,
            dist=self.folder / "dist",
            secret=SECRET,
            signers=newest.allowed_signers() if newest else self.shop.signers,
            now=now or self.shop.now,
            life=LIFE,
            trust=newest,
            chain=self.lists.files,
            orders=self.orders,
        )
        tree = FeedTree(self.folder / "feed", options, key(name))
        done = {p.user: p for p in tree.users()}
        self.summary = tree.finish()
        return done


@dataclass
class Laptop:
    """Ada's machine, enrolled with the key of the operator who founded the workspace."""

    folder: Path
    it: It
    base: str
    now: datetime = NOW
    trusts: str = "ada"

    def __post_init__(self) -> None:
        self.config = EndpointFolder(self.folder / "config")
        enroll(self.config, [public(self.trusts)], comment="ada", now=self.now)
        self.identity = self.it.shop.identity_file("ada", self.folder / "identity.txt")

    def pull(
        self, before_install: Callable[[], object] = lambda: None, orders: OrderHandlers | None = None
    ) -> PullResult:
        force: list[TrustInForce] = []

        def walk_trust(source: Any) -> TrustInForce:
            force.append(update_trust(self.config, source, self.now))
            return force[-1]

        def install(files: Any) -> InstallReport:
            before_install()
            request = InstallRequest(
                signers=force[-1].signers,
                force=force[-1],
                identities=load_identities(self.identity),
                platform=Platform.LINUX,
                home=self.folder / ".hermes",
            )
            environ = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
            return install_bundle(files, request, DiskWriter(self.folder), environ=environ, now=self.now)

        def get(url: str, limit: int, deadline_s: float, validators: Any) -> Any:
            return http_get(url, limit, deadline_s, validators=validators)

        world = PullEnvironment(get, lambda low, _: low, lambda _: None)
        place = Subscription(self.base, address_of(SECRET, "ada"))
        return pull_once(
            place, self.config.root, install, walk_trust=walk_trust, orders=orders, world=world, now=self.now
        )

    @property
    def number(self) -> str | None:
        stored = stored_list(self.config)
        return stored.trust.number if stored else None

    def installed(self) -> bytes:
        return (self.folder / ".hermes" / ".provision" / "manifest.json").read_bytes()
