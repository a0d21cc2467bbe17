"""What a fleet's polls cost a static file server: requests and bytes per poll, over 10,000 endpoints on loopback.

Every endpoint opens a connection of its own and sends what `pull` sends; bytes are those of HTTP, without TCP and TLS. The
figures in docs/performance.md come from here.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from bundlecraft import NOW, Shop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provision.bundle.peek import released_bundle
from provision.feed.http import Validators
from provision.feed.index import Subscription, address_of
from provision.feed.trust import accept_index
from provision.receipts.fleet import StandingCounts, fleet_standings
from provision.receipts.receipt import NAMESPACE as RECEIPT_NAMESPACE
from provision.receipts.receipt import Receipt, receipt_bytes
from provision.receipts.store import KnownEndpoints, ReceiptStore
from provision.signing.signed_text import sign_text
from provision.signing.sshsig import public_blob

sys.path.append(str(Path(__file__).resolve().parents[1] / "integration"))
from feedcraft import SECRET, Publisher, served

USERS = 10_000
AT_ONCE = 64
pytestmark = [pytest.mark.bench, pytest.mark.slow]


@dataclass
class Polls:
    """One round of the whole fleet."""

    requests: int = 0
    sent: int = 0
    received: int = 0
    changed: int = 0
    seconds: float = 0

    def told(self, what: str) -> dict[str, object]:
        return {
            "round": what,
            "requests_per_poll": round(self.requests / USERS, 3),
            "bytes_sent_per_poll": round(self.sent / USERS),
            "bytes_received_per_poll": round(self.received / USERS),
            "answered_200": self.changed,
            "polls_per_second": round(USERS / self.seconds),
        }


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    shop = Shop(users=tuple(f"user-{n:05}" for n in range(USERS)), now=NOW)
    made = Publisher(tmp_path_factory.mktemp("feed"), shop)
    made.render(workers=2)
    return made


def request_bytes(url: str, validators: Validators) -> bytes:
    """A GET as httpx writes it, with the headers that `pull` sets."""
    headers = {"Accept-Encoding": "identity", **validators.headers()}
    request = httpx.Client(verify=False).build_request("GET", url, headers=headers)
    lines = [f"GET {request.url.raw_path.decode()} HTTP/1.1", *(f"{k}: {v}" for k, v in request.headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes, int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.replace(b"keep-alive", b"close"))
    answer = await reader.read()
    while more := await reader.read():
        answer += more
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body, len(answer)


async def round_of(port: int, requests: list[bytes], seen: Callable[[int, dict[str, str], bytes], None]) -> Polls:
    polls, gate = Polls(), asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            status, headers, body, size = await exchange(port, requests[number])
        polls.requests += 1
        polls.sent += len(requests[number])
        polls.received += size
        polls.changed += status == 200
        if status == 200:
            seen(number, headers, body)

    began = time.perf_counter()
    await asyncio.gather(*(one(n) for n in range(len(requests))))
    polls.seconds = time.perf_counter() - began
    return polls


def test_ten_thousand_endpoints_poll(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    shop = publisher.shop
    began = time.perf_counter()
    publisher.publish()
    published = time.perf_counter() - began
    began = time.perf_counter()
    publisher.publish(now=NOW + timedelta(hours=1))
    unchanged = time.perf_counter() - began
    addresses = [address_of(SECRET, user) for user in shop.users]
    states: list[Validators] = [Validators()] * USERS
    sizes: list[int] = [0] * USERS
    figures = []
    with served(publisher.tree) as server:
        port = server.server_address[1]
        template = request_bytes(f"{server.url}/index/000.json", Validators(None, "Mon, 01 Jun 2026 12:00:00 GMT"))
        bare = request_bytes(f"{server.url}/index/000.json", Validators())

        def requests() -> list[bytes]:
            made = []
            for address, state in zip(addresses, states, strict=True):
                path = Subscription(server.url, address).index_url.removeprefix(server.url).encode()
                text = template if state.last_modified else bare
                text = text.replace(b"/index/000.json", path)
                made.append(text.replace(b"Mon, 01 Jun 2026 12:00:00 GMT", (state.last_modified or "").encode()))
            return made

        def believed(number: int, headers: dict[str, str], body: bytes) -> None:
            offer = accept_index(body, addresses[number], shop.signers, shop.now, None)
            assert offer.entry is not None
            sizes[number] = offer.entry.size
            states[number] = Validators(None, headers["last-modified"])

        first = asyncio.run(round_of(port, requests(), believed))
        quiet = asyncio.run(round_of(port, requests(), believed))
        everybody, shop.states = shop.states, shop.states[: USERS // 100]
        shop.now += timedelta(hours=2)
        publisher.render(force=True, workers=2)
        shop.states = everybody
        publisher.publish()
        after = asyncio.run(round_of(port, requests(), believed))
        figures = [first.told("first contact"), quiet.told("usual"), after.told("after 1 % of users changed")]
    parts = len(list((publisher.tree / "index").iterdir()))
    more = {
        "publish_s": round(published, 1),
        "publish_unchanged_s": round(unchanged, 1),
        "parts": parts,
        "bundle_bytes": round(sum(sizes) / USERS),
    }
    with capsys.disabled():
        print(json.dumps([*figures, more], indent=2))
    assert quiet.changed == 0
    assert quiet.requests == USERS
    assert (quiet.sent + quiet.received) / USERS < 600
    assert after.changed < USERS * 0.05


def test_the_standing_of_ten_thousand(publisher: Publisher, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`status --fleet`: every kept receipt verified again, every manifest in dist/ read."""
    shop = publisher.shop
    key = Ed25519PrivateKey.generate()
    store = ReceiptStore(tmp_path / "receipts")
    store.root.mkdir()
    for user in shop.users:
        release = released_bundle(publisher.dist, user)
        assert release is not None
        (store.root / f"{user}.receipt").write_bytes(
            sign_text(receipt_bytes(_receipt(user, release.digest, release.generation)), key, RECEIPT_NAMESPACE)
        )
    endpoints = KnownEndpoints(shop.workspace_id, dict.fromkeys(shop.users, public_blob(key.public_key())))
    tally = StandingCounts()
    began = time.perf_counter()
    found = fleet_standings(
        shop.states,
        lambda user: released_bundle(publisher.dist, user),
        lambda user: store.receipt_of(user, endpoints),
        now=NOW + timedelta(hours=3),
        silent_after=timedelta(days=7),
    )
    for endpoint in found:
        tally.add(endpoint)
    seconds = time.perf_counter() - began
    with capsys.disabled():
        print(
            json.dumps({"users": USERS, "seconds": round(seconds, 2), "ms_per_user": round(seconds / USERS * 1000, 3)})
        )
    assert tally.current == USERS
    assert seconds / USERS < 0.01


def _receipt(user: str, digest: str, generation: int) -> Receipt:
    route = {
        "url": "https://api.aisa.one/v1/chat/completions",
        "path": "/v1/chat/completions",
        "model": "gpt-5.2",
        "api_mode": "chat_completions",
        "key_fingerprint": "fp_aaaaaaaaaaaaaaaa",
        "as_expected": "yes",
    }
    fields = {
        "schema": "provision/receipt/v1",
        "user": user,
        "profile": "engineering",
        "bundle": digest,
        "generation": generation,
        "expires": "2026-09-01T00:00:00Z",
        "key_fingerprint": "fp_aaaaaaaaaaaaaaaa",
        "route": route,
        "hazards": (),
        "drift": (),
        "hermes_version": None,
        "provision_version": "0.1.0",
        "host": "a-host",
        "made": "2026-06-01T12:00:00Z",
        "counter": 1,
    }
    return Receipt.model_validate(fields)
