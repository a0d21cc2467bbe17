"""The client against a server without manners: nothing crashes it, nothing is certain without proof, no key strays."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import re
import time
import zlib
from pathlib import Path

import pytest
from aisa_batching import ALL, FAST, run_batch, subject
from nasty_server import Manners, NastyServer, certificate, raw, reply, reset

from provision.aisa.answers import Probe
from provision.aisa.client import Client, ForbiddenHostError, Network, Request, RequestLimits
from provision.aisa.verdicts import INCONCLUSIVE, Verdict
from provision.detect.secret import Secret
from provision.endpoint.fetch import DownloadError, fetch_bundle
from provision.feed.http import FeedUnreachableError, Validators, http_get

KEY = "sk-aisa-TEST-nasty-canary-1234"
V = Verdict
BALANCE = json.dumps({"balance_micros_usd": 5, "api_key": {"unlimited": True}}).encode()
JSON = "Content-Type: application/json"


def verdict_of(
    folder: Path, manners: Manners, probe: Probe = Probe.KEY, limits: RequestLimits = FAST, **server: object
) -> Verdict:
    with NastyServer(manners, **server) as nasty:  # type: ignore[arg-type]
        results, _ = run_batch(folder, [subject("u", KEY, nasty.base_url)], (probe,), limits=limits)
    assert KEY not in repr(results)
    return results["u"].verdict


def pieces(*parts: bytes, pause_s: float = 0.0, end: bool = False) -> Manners:
    def act(connection: object, _head: bytes) -> None:
        for part in parts:
            connection.sendall(part)  # type: ignore[attr-defined]
            time.sleep(pause_s)
        if end:
            reset(connection)  # type: ignore[arg-type]

    return act


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def test_a_good_answer_is_still_good(tmp_path: Path) -> None:
    assert verdict_of(tmp_path, reply("200 OK", BALANCE, JSON)) is V.OK


BROKEN: list[Manners] = [
    pieces(end=True),
    pieces(b"HTTP/1.1 2", end=True),
    pieces(HEAD, end=True),
    pieces(HEAD + b"Content-Length: 900\r\n\r\n" + BALANCE, end=True),
    pieces(HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"bal', end=True),
    reply("200 OK", BALANCE, JSON, length=len(BALANCE) + 10),
    raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(BALANCE) + BALANCE),
    raw(b""),
    raw(b"\r\n\r\n"),
    raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    raw(b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n"),
    raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + BALANCE),
    raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n" + BALANCE),
    raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BALANCE),
    raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n"),
    raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100),
]


@pytest.mark.parametrize("probe", list(Probe))
def test_broken_http_is_unreachable_and_never_certain(tmp_path: Path, probe: Probe) -> None:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(NastyServer(manners)) for manners in BROKEN]
        users = [subject(f"u{i}", f"{KEY}{i}", server.base_url) for i, server in enumerate(servers)]
        results, _ = run_batch(tmp_path, users, (probe,), concurrency=20, limits=FAST)
    assert {u: r.verdict for u, r in results.items()} == {u.user: V.UNREACHABLE for u in users}


def test_a_version_of_http_that_does_not_exist(tmp_path: Path) -> None:
    assert verdict_of(tmp_path, raw(b"HTTP/9.9 200 OK\r\n\r\n")) in INCONCLUSIVE


def test_resets_at_every_byte(tmp_path: Path) -> None:
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(BALANCE) + BALANCE
    cuts = random.Random(3).sample(range(len(whole)), 25)
    cut = iter(cuts * 3)

    def act(connection: object, _head: bytes) -> None:
        connection.sendall(whole[: next(cut)])  # type: ignore[attr-defined]
        reset(connection)  # type: ignore[arg-type]

    with NastyServer(act) as nasty:
        users = [subject(f"u{i}", f"{KEY}{i}", nasty.base_url) for i in range(len(cuts))]
        results, _ = run_batch(tmp_path, users, (Probe.KEY,), limits=FAST)
    assert {r.verdict for r in results.values()} == {V.UNREACHABLE}


def test_a_connection_that_is_reset_before_the_request_is_read(tmp_path: Path) -> None:
    assert verdict_of(tmp_path, pieces(end=True), read=False) is V.UNREACHABLE


@pytest.mark.parametrize("part", [b"H", b"HTTP/1.1 200 OK\r\n", HEAD + b"Content-Length: 500\r\n\r\n{"])
def test_slow_drips_are_cut_off_by_the_total(tmp_path: Path, part: bytes) -> None:
    drip = (
        pieces(part, *[b" "] * 100, pause_s=0.05) if part.endswith(b"{") else pieces(part, *[b"X"] * 100, pause_s=0.05)
    )
    began = time.monotonic()
    limits = RequestLimits(connect_s=1, read_s=1, total_s=0.5)
    with NastyServer(drip) as nasty:
        request = Request("GET", nasty.base_url.removesuffix("/v1") + "/x")
        import asyncio

        async def ask() -> object:
            async with Client((), limits=limits) as client:
                return await client.send(request, Secret(KEY))

        answer = asyncio.run(ask())
    assert answer.status is None  # type: ignore[attr-defined]
    assert time.monotonic() - began < 8


def test_oversized_bodies_are_not_read_to_the_end(tmp_path: Path) -> None:
    sent = []

    def flood(connection: object, _head: bytes) -> None:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")  # type: ignore[attr-defined]
        block = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        for _ in range(500):
            connection.sendall(block)  # type: ignore[attr-defined]
            sent.append(1)

    assert verdict_of(tmp_path, flood) is V.UNKNOWN
    assert len(sent) < 40
    assert verdict_of(tmp_path, reply("200 OK", BALANCE, JSON, length=10**15)) is V.UNREACHABLE
    assert verdict_of(tmp_path, reply("401 Unauthorized", b'{"error":"x"}' + b" " * (6 << 20), JSON)) is V.UNKNOWN


@pytest.mark.parametrize(
    ("coding", "data", "verdict"),
    [
        ("gzip", gzip.compress(BALANCE), V.OK),
        ("deflate", zlib.compress(BALANCE), V.OK),
        ("gzip", gzip.compress(b" " * (64 << 20)), V.UNKNOWN),
        ("gzip", gzip.compress(b'{"error":"x"}')[:-9], V.UNKNOWN),
        ("gzip", BALANCE, V.UNKNOWN),
        ("br", b"\x0b\x02\x80", V.UNKNOWN),
        ("gzip, gzip", gzip.compress(gzip.compress(BALANCE)), V.UNKNOWN),
    ],
    ids=["gzip", "deflate", "bomb", "cut", "not-gzip", "brotli", "twice"],
)
def test_compressed_bodies_and_bombs(tmp_path: Path, coding: str, data: bytes, verdict: V) -> None:
    assert verdict_of(tmp_path, reply("200 OK", data, JSON, f"Content-Encoding: {coding}")) is verdict


NO_JSON = {
    "empty": b"",
    "bytes": b"\xff\xfe\x00",
    "utf-16": '{"error": "\u00fc"}'.encode("utf-16"),
    "deep": b"[" * 200_000,
    "cut": b'{"error":{"code":"inv',
    "nul": b"\x00" * 100,
    "nan": b"nan",
}


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "403 Forbidden", "404 Not Found", "501 Oops"])
@pytest.mark.parametrize("kind", ["application/json", "image/png", "text/event-stream"])
def test_bodies_that_are_no_json(tmp_path: Path, status: str, kind: str) -> None:
    for probe in (Probe.KEY, Probe.CHAT):
        with contextlib.ExitStack() as stack:
            users = []
            for name, body in NO_JSON.items():
                server = stack.enter_context(NastyServer(reply(status, body, f"Content-Type: {kind}")))
                users.append(subject(name, KEY + name, server.base_url))
            results, _ = run_batch(tmp_path, users, (probe,), limits=FAST)
        seen = {r.verdict for r in results.values()}
        assert V.OK not in seen
        assert V.UNREACHABLE not in seen or status.startswith("403")
        if not status.startswith("401"):
            assert V.KEY_INVALID not in seen
        elif probe is Probe.CHAT:
            assert {u for u, r in results.items() if r.verdict is V.KEY_INVALID} == {"empty"}


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_key_does_not_follow_a_redirect(tmp_path: Path, status: str) -> None:
    with NastyServer(reply("200 OK", BALANCE, JSON)) as other:
        for target in (
            f"http://127.0.0.1:{other.port}/v1/credits/balance",
            f"//127.0.0.1:{other.port}/",
            "\x00http://[",
            "",
        ):
            with NastyServer(reply(status, b"", f"Location: {target}")) as nasty:
                results, _ = run_batch(tmp_path, [subject("u", KEY, nasty.base_url)], ALL, limits=FAST)
                assert results["u"].verdict in INCONCLUSIVE
        assert other.heads == []


def test_no_key_goes_to_a_host_that_is_not_the_gateways() -> None:
    import asyncio

    async def ask(url: str) -> None:
        async with Client(("api.aisa.one",)) as client:
            await client.send(Request("GET", url), Secret(KEY))

    for url in (
        "https://evil.example/v1",
        "http://api.aisa.one/v1",
        "https://api.aisa.one.evil.example/",
        "https://api.aisa.one:8443/",
    ):
        with pytest.raises(ForbiddenHostError) as caught:
            asyncio.run(ask(url))
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(("days_left", "trusted"), [(-1, False), (-1, True), (30, False)])
def test_tls_that_cannot_be_trusted(tmp_path: Path, days_left: int, trusted: bool) -> None:
    context, pem = certificate(tmp_path, days_left=days_left)
    network = Network(tls_bundle=pem if trusted else None)
    with NastyServer(reply("200 OK", BALANCE, JSON), tls=context) as nasty:
        results, _ = run_batch(
            tmp_path, [subject("u", KEY, nasty.base_url)], (Probe.KEY,), limits=FAST, network=network
        )
        assert results["u"].verdict is V.UNREACHABLE
        assert results["u"].code == "tls"
        assert "certificate" in results["u"].advice
        assert not nasty.heads


def test_tls_that_can_be_trusted(tmp_path: Path) -> None:
    context, pem = certificate(tmp_path, days_left=30)
    with NastyServer(reply("200 OK", BALANCE, JSON), tls=context) as nasty:
        network = Network(tls_bundle=pem)
        results, _ = run_batch(
            tmp_path, [subject("u", KEY, nasty.base_url)], (Probe.KEY,), limits=FAST, network=network
        )
        assert results["u"].verdict is V.OK


def test_feeds_and_bundles_trust_the_organisations_authority_like_validate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, pem = certificate(tmp_path, days_left=30)
    with NastyServer(reply("200 OK", b"{}", JSON), tls=context) as nasty:
        url = nasty.base_url + "/index.json"
        with pytest.raises(FeedUnreachableError, match="certificate"):
            http_get(url, 100, 10.0, validators=Validators())
        with pytest.raises(DownloadError, match="certificate"):
            fetch_bundle(nasty.base_url)
        assert not nasty.heads
        monkeypatch.setenv("PROVISION_TLS_BUNDLE", str(pem))
        assert http_get(url, 100, 10.0, validators=Validators()).body == b"{}"
        assert nasty.heads.pop().startswith(b"GET ")
        fetch_bundle(nasty.base_url)
        assert nasty.heads


def test_a_proxy_that_refuses_the_tunnel_is_the_network(tmp_path: Path) -> None:
    page = b"<html>blocked</html>"
    for answer in (
        reply("403 Forbidden", page, "Content-Type: text/html"),
        reply("407 Proxy Authentication Required", page),
        raw(b"no"),
    ):
        with NastyServer(answer) as proxy:
            network = Network(proxy=f"http://127.0.0.1:{proxy.port}")
            url = "https://api.aisa.one/v1"
            results, _ = run_batch(tmp_path, [subject("u", KEY, url)], (Probe.KEY,), limits=FAST, network=network)
            assert results["u"].verdict is V.UNREACHABLE
            assert all(head.startswith(b"CONNECT api.aisa.one:443 ") for head in proxy.heads)
            assert proxy.heads
            assert not any(KEY.encode() in head for head in proxy.heads)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_request_on_loopback_does_not_pass_the_proxy(tmp_path: Path, scheme: str) -> None:
    with NastyServer(raw(b"")) as proxy, NastyServer(reply("200 OK", BALANCE, JSON)) as nasty:
        network = Network(proxy=f"http://127.0.0.1:{proxy.port}")
        url = nasty.base_url.replace("http:", f"{scheme}:")
        results, _ = run_batch(tmp_path, [subject("u", KEY, url)], (Probe.KEY,), limits=FAST, network=network)
        assert (results["u"].verdict is V.OK) == (scheme == "http"), "it answers without TLS"
        assert proxy.heads == []
        assert not any(KEY.encode() in head for head in nasty.heads) or scheme == "http"


@pytest.mark.parametrize(
    ("header", "least_s", "requests"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.2, 3),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 0.0, 1),
        ("999999999999", 0.0, 1),
        ("1", 2.0, 3),
        ("\u00fc", 0.2, 3),
    ],
)
def test_retry_after_from_past_to_far_future(tmp_path: Path, header: str, least_s: float, requests: int) -> None:
    body = b'{"error":{"code":"rate_limit_exceeded"}}'
    with NastyServer(reply("429 Too Many Requests", body, JSON, f"Retry-After: {header}")) as nasty:
        began = time.monotonic()
        results, _ = run_batch(tmp_path, [subject("u", KEY, nasty.base_url)], (Probe.KEY,), limits=FAST)
        took = time.monotonic() - began
        assert results["u"].verdict is V.RATE_LIMITED
        assert len(nasty.heads) == requests
        assert took >= least_s


def test_a_server_that_echoes_the_key_everywhere(tmp_path: Path) -> None:
    body = json.dumps(
        {"error": {"code": KEY, "type": KEY, "message": KEY, "request_id": KEY}, "code": KEY, "request_id": KEY}
    )
    manners = reply(
        "404 Not Found", body.encode(), JSON, f"X-Request-ID: {KEY}", f"Retry-After: {KEY}", f"Location: https://{KEY}/"
    )
    listing = json.dumps({"data": [{"id": KEY}, {"id": "gpt-5.3" + KEY}]})
    with NastyServer(manners) as nasty:
        run_batch(tmp_path, [subject("u", KEY, nasty.base_url)], ALL, limits=FAST)
        assert KEY not in (tmp_path / "journal.jsonl").read_text()
    with NastyServer(reply("302 Found", b"", f"Location: https://{KEY}/")) as nasty:
        run_batch(tmp_path, [subject("u", KEY, nasty.base_url)], ALL, limits=FAST)
        assert KEY.lower() not in (tmp_path / "journal.jsonl").read_text().lower()
    with NastyServer(reply("200 OK", listing.encode(), JSON)) as nasty:
        run_batch(tmp_path, [subject("u", KEY, nasty.base_url, model="gpt-5.3")], (Probe.MODELS,), limits=FAST)
        assert KEY not in (tmp_path / "journal.jsonl").read_text()


@pytest.mark.parametrize("encoded", [KEY.upper(), KEY[::-1], KEY.encode().hex(), "-".join(re.findall("....", KEY))])
def test_an_encoded_echo_is_kept_nowhere(tmp_path: Path, encoded: str) -> None:
    """Also not in the record of a paid call."""
    body = json.dumps({"error": {"code": encoded[:60], "message": encoded}, "request_id": encoded[:60]})
    with NastyServer(reply("400 Bad Request", body.encode(), JSON, f"X-Request-ID: {encoded[:60]}")) as nasty:
        results, _ = run_batch(tmp_path, [subject("u", KEY, nasty.base_url)], ALL, limits=FAST)
    journal = (tmp_path / "journal.jsonl").read_text()
    assert "paid" in journal
    for kept in (journal, repr(results)):
        assert encoded[16:40].lower() not in kept.lower()


@pytest.mark.parametrize("key", ["sk-ä", "sk\n-x", "sk x\x00", " sk-aisa", "sk-aisa\r\nX-Evil: 1"])
def test_a_key_that_no_header_can_carry_is_not_sent(tmp_path: Path, key: str) -> None:
    with NastyServer(reply("200 OK", BALANCE, JSON)) as nasty:
        results, _ = run_batch(tmp_path, [subject("u", key, nasty.base_url)], ALL, limits=FAST)
        assert (results["u"].verdict, results["u"].code) == (V.KEY_INVALID, "unsendable_key")
        assert nasty.heads == []


def test_random_bytes(tmp_path: Path) -> None:
    chance = random.Random(20261122)
    starts = [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        HEAD + b"\r\n",
        HEAD + b"Content-Length: 20\r\n\r\n",
        b"HTTP/1.1 401 No\r\n\r\n",
    ]

    def act(connection: object, _head: bytes) -> None:
        connection.sendall(chance.choice(starts) + chance.randbytes(chance.randrange(200)))  # type: ignore[attr-defined]

    with NastyServer(act) as nasty:
        users = [subject(f"u{i}", f"{KEY}{i}", nasty.base_url) for i in range(120)]
        results, _ = run_batch(tmp_path, users, (Probe.MODELS,), limits=FAST)
    assert not {r.verdict for r in results.values()} & {V.OK, V.MODEL_NOT_FOUND}
