"""What tests of the feed share: a published tree, a real HTTP server over it that can misbehave, and an endpoint that pulls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bundlecraft import Shop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.endpoint.apply import DiskWriter
from provision.endpoint.install import InstallReport, InstallRequest, install_bundle
from provision.feed.http import http_get
from provision.feed.index import Subscription, address_of, index_name, part_of
from provision.feed.publish import KEPT_GENERATIONS, FeedTree, PublishedBundle, PublishOptions, PublishSummary
from provision.feed.pull import PullEnvironment, PullResult, pull_once
from provision.fleet.desired import Platform
from provision.keys.age import load_identities

SECRET = bytes(range(32))
LIFE = timedelta(days=7)

Misbehaviour = Callable[[SimpleHTTPRequestHandler], bool]
"""Answers a request itself and says so, or leaves it to the static server."""


class _Handler(SimpleHTTPRequestHandler):
    server: FeedServer  # type: ignore[assignment]

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        if self.server.misbehaviour is None or not self.server.misbehaviour(self):
            super().do_GET()

    def send_response(self, code: int, message: str | None = None) -> None:
        self.server.statuses.append(code)
        super().send_response(code, message)

    def log_message(self, *_: Any) -> None:
        pass


class FeedServer(ThreadingHTTPServer):
    """A static file server; what it was asked and how it answered is kept."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(root)))
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.statuses: list[int] = []
        self.misbehaviour: Misbehaviour | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""


@contextmanager
def served(root: Path) -> Iterator[FeedServer]:
    """The server, running."""
    root.mkdir(parents=True, exist_ok=True)
    server = FeedServer(root)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Publisher:
    """An operator who publishes a shop's bundles into a folder."""

    def __init__(self, folder: Path, shop: Shop) -> None:
        self.shop, self.dist, self.tree = shop, folder / "dist", folder / "feed"
        self.key: Ed25519PrivateKey = shop.signer
        self.life = LIFE
        self.keep = KEPT_GENERATIONS
        self.summary: PublishSummary | None = None

    def render(self, **how: object) -> None:
        self.shop.render(self.dist, **how)

    def publish(self, users: tuple[str, ...] | None = None, now: datetime | None = None) -> dict[str, PublishedBundle]:
        chosen = tuple(self.shop.users) if users is None else users
        order = PublishOptions(
            workspace_id=self.shop.workspace_id,
            users=chosen,
            dist=self.dist,
            secret=SECRET,
            signers=self.shop.signers,
            now=now or self.shop.now,
            life=self.life,
            keep=self.keep,
        )
        tree = FeedTree(self.tree, order, self.key)
        done = {p.user: p for p in tree.users()}
        self.summary = tree.finish()
        return done

    def index_path(self, user: str) -> Path:
        return self.tree / index_name(part_of(address_of(SECRET, user)))

    def bundle_path(self, user: str) -> Path:
        (path,) = (self.tree / "e" / address_of(SECRET, user)).glob("*.tar")
        return path


class Puller:
    """A user's machine that pulls."""

    def __init__(self, folder: Path, shop: Shop, user: str, base: str) -> None:
        self.shop, self.user, self.folder, self.home = shop, user, folder, folder / ".hermes"
        self.config = folder / "config"
        self.identity = shop.identity_file(user, folder / "identity.txt")
        self.subscription = Subscription(base, address_of(SECRET, user))
        self.environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
        self.slept: list[float] = []
        self.deadline_s: float | None = None
        self.now: datetime | None = None
        self.signers = shop.signers

    def install(self, files: Any) -> InstallReport:
        request = InstallRequest(
            signers=self.signers,
            identities=load_identities(self.identity),
            platform=Platform.LINUX,
            home=self.home,
        )
        now = self.now or self.shop.now
        return install_bundle(files, request, DiskWriter(self.folder), environ=self.environ, now=now)

    def pull(self) -> PullResult:
        def bounded(url: str, limit: int, deadline_s: float, validators: Any) -> Any:
            return http_get(url, limit, self.deadline_s or deadline_s, validators=validators)

        world = PullEnvironment(bounded, lambda low, high: (low + high) / 2, self.slept.append)
        now = self.now or self.shop.now
        return pull_once(self.subscription, self.config, self.install, signers=self.signers, world=world, now=now)

    def tree(self) -> dict[str, bytes]:
        """The Hermes home, file by file, without its lock."""
        files = (p for p in sorted(self.home.rglob("*")) if p.is_file() and not p.name.startswith("lock"))
        return {str(p.relative_to(self.home)): p.read_bytes() for p in files}


def drip(data: bytes, pause_s: float, stop: threading.Event) -> Misbehaviour:
    """Answer with `data`, a byte at a time."""

    def answer(handler: SimpleHTTPRequestHandler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        for byte in data:
            if stop.is_set():
                break
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(pause_s)
        return True

    return answer
