"""One request to the gateway over httpx's transport: bounded in time and size, never redirected, only to allowed hosts.

httpx's transports are used without its client around them: that would keep the server's cookies, log URLs and follow
`trust_env`. Each transport holds one connection, and the pool of them is ours: httpcore's own goes through all
connections at every request, which at 64 of them costs 15 ms of CPU a request instead of one. A key leaves this module
only as a header of a request to a URL that `endpoint.is_allowed`.
The tree of httpx's exceptions is translated into `Failure` here and nowhere else.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import logging
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

import provision
from provision.aisa.answers import Answer, Failure, clean_request_id
from provision.aisa.endpoint import is_allowed
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from provision.detect.secret import Secret

USER_AGENT = f"hermes-provision/{provision.__version__}"
_MASK = b"****"
_NOISY = ("httpx", "httpcore", "h2", "hpack")


class ForbiddenHostError(ProvisionError):
    """A key was about to go to a host that is not the gateway's."""


class ClientSetupError(ProvisionError):
    """TLS bundle, proxy or HTTP/2 cannot be used as configured."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request: seconds to connect, between two reads, and in all; bytes of a body, unpacked."""

    connect_s: float = 5.0
    read_s: float = 30.0
    total_s: float = 60.0
    body_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without its key. `paid` says that answering it costs money."""

    method: str
    url: str
    body: bytes = b""
    paid: bool = False
    key_header: str = "authorization"
    headers: tuple[tuple[str, str], ...] = ()
    total_s: float | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach the gateway: a TLS bundle of the company's, a proxy, HTTP/2."""

    tls_bundle: Path | None = None
    proxy: str | None = None
    http2: bool = False


class Client:
    """A pool of connections to the gateway. Use as an async context manager.

    `hosts` are the hosts that may get a key (`gateway_hosts`); loopback may as well. `ask` never raises for anything
    that a server or network does: it returns an Answer.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        concurrency: int = 8,
        network: Network | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._limits = limits or Limits()
        self._allowed: set[str] = set()
        network = network or Network()
        self._open = asyncio.Semaphore(concurrency)
        self._new_direct, self._new_proxied = _factories(network)
        self._idle: dict[str, list[httpx.AsyncHTTPTransport]] = {}
        quiet_libraries()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for transports in self._idle.values():
            for transport in transports:
                await transport.aclose()
        self._idle.clear()

    async def ask(self, request: Request, key: Secret | None) -> Answer:
        """Send one request with `key` and read the whole answer. Raises ForbiddenHostError before anything is sent."""
        self._check(request.url)
        try:
            sent = self._build(request, key)
        except (UnicodeError, ValueError, TypeError, httpx.InvalidURL):
            return Answer(None, Failure.UNSENDABLE)
        async with self._open:
            began = time.monotonic()
            idle = self._idle.setdefault(_origin(request.url), [])
            transport = idle.pop() if idle else self._new_transport(request.url)
            try:
                async with asyncio.timeout(request.total_s or self._limits.total_s):
                    status, headers, body = await self._exchange(transport, sent)
            except BaseException as e:
                await transport.aclose()
                if not isinstance(e, _HANDLED):
                    raise
                return Answer(None, _failure(e), elapsed_ms=_since(began))
            idle.append(transport)
            return _answer(status, headers, body, key, _since(began))

    async def _exchange(
        self, transport: httpx.AsyncHTTPTransport, sent: httpx.Request
    ) -> tuple[int, httpx.Headers, bytes]:
        response = await transport.handle_async_request(sent)
        try:
            return response.status_code, response.headers, await self._read(response)
        finally:
            await response.aclose()

    def _check(self, url: str) -> None:
        origin = _origin(url)
        if origin in self._allowed:
            return
        if not is_allowed(origin + "/", self._hosts):
            raise ForbiddenHostError(
                "the base URL is not the gateway's: no key is sent there",
                hint="correct base_url in the profile, or name the host in gateway_hosts in provision.toml",
            )
        self._allowed.add(origin)

    def _new_transport(self, url: str) -> httpx.AsyncHTTPTransport:
        """The proxy sees only https, as a tunnel: a plain request on loopback would show it the key."""
        proxied = self._new_proxied is not None and url.startswith("https://")
        return self._new_proxied() if proxied and self._new_proxied else self._new_direct()

    def _build(self, request: Request, key: Secret | None) -> httpx.Request:
        headers = [("user-agent", USER_AGENT), ("accept", "*/*"), ("accept-encoding", "identity"), *request.headers]
        if key is not None:
            value = key.reveal()
            if not value.isascii() or not value.isprintable() or value != value.strip() or not value:
                raise ValueError("unsendable")
            headers.append((request.key_header, f"Bearer {value}" if request.key_header == "authorization" else value))
        if request.body:
            headers.append(("content-type", "application/json"))
        timeout = {
            "connect": self._limits.connect_s,
            "read": self._limits.read_s,
            "write": self._limits.read_s,
            "pool": None,  # the total bounds it: waiting for a free connection is not the server's fault
        }
        extensions = {"timeout": timeout}
        url = _url(request.url)
        return httpx.Request(request.method, url, headers=headers, content=request.body or None, extensions=extensions)

    async def _read(self, response: httpx.Response) -> bytes:
        limit = self._limits.body_bytes
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        chunks, size = [], 0
        stream = response.stream
        async for chunk in stream:  # type: ignore[union-attr]  # an async transport's stream
            size += len(chunk)
            if size > limit:
                raise _TooLargeError
            chunks.append(chunk)
        body = b"".join(chunks)
        return body if coding in {"", "identity"} else _unpacked(body, coding, limit)


class _TooLargeError(Exception):
    pass


class _EncodingError(Exception):
    pass


_HANDLED = (TimeoutError, _TooLargeError, _EncodingError, httpx.HTTPError, httpx.StreamError, OSError, ValueError)


def quiet_libraries() -> None:
    """Keep the HTTP libraries' own debug logs off: they show headers, whatever log level the program around us set."""
    for name in _NOISY:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)


_url = functools.lru_cache(maxsize=64)(httpx.URL)


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


_Factory = Callable[[], httpx.AsyncHTTPTransport]


def _trusting(bundle: str) -> ssl.SSLContext:
    """The system's authorities and the company's own."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=bundle)
    return context


@functools.cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # reading all authorities takes a tenth of a second


def _factories(network: Network) -> tuple[_Factory, _Factory | None]:
    """What makes a direct connection, and one through the proxy if there is one; both are tried out here."""
    if network.http2 and importlib.util.find_spec("h2") is None:  # httpcore would only notice at the first connection
        raise ClientSetupError("HTTP/2 needs an extra", hint="pip install 'hermes-provision[http2]'")
    one = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30)
    try:
        context = _trusting(str(network.tls_bundle)) if network.tls_bundle else _system_trust()
    except (OSError, ssl.SSLError) as e:
        raise ClientSetupError(f"cannot use the TLS bundle {network.tls_bundle}", hint="it must be a PEM file") from e
    direct = functools.partial(
        httpx.AsyncHTTPTransport, verify=context, limits=one, trust_env=False, http2=network.http2
    )
    proxied = functools.partial(direct, proxy=network.proxy) if network.proxy else None
    try:
        (proxied or direct)()
    except (ValueError, httpx.InvalidURL):
        hint = "like http://proxy.corp:3128"
        raise ClientSetupError("the proxy in the settings is not a proxy's URL", hint=hint) from None
    return direct, proxied


def _unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """Undo gzip or deflate, which was not asked for but some proxies insist on, up to the limit and not a byte further."""
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise _EncodingError
    unpack = zlib.decompressobj(47 if coding != "deflate" else zlib.MAX_WBITS)
    try:
        data = unpack.decompress(body, limit + 1)
    except zlib.error as e:
        raise _EncodingError from e
    if len(data) > limit:
        raise _TooLargeError
    if not unpack.eof:
        raise _EncodingError
    return data


def _answer(status: int | None, headers: httpx.Headers, body: bytes, key: Secret | None, elapsed_ms: int) -> Answer:
    def header(name: str) -> str:
        value = str(headers.get(name, ""))[:300]
        return value.replace(key.reveal(), "****") if key else value

    if key:
        body = body.replace(key.reveal().encode(), _MASK)
    return Answer(
        status,
        body=body,
        content_type=header("content-type"),
        request_id=clean_request_id(header("x-request-id")),
        retry_after=header("retry-after"),
        challenge=header("www-authenticate").split(" ")[0],
        location=_location(header("location")),
        elapsed_ms=elapsed_ms,
    )


def _location(value: str) -> str:
    """The host of a redirect's target: enough to recognise a sign-in page, and without a query that might echo anything."""
    try:
        host = httpx.URL(value).host if value else ""
    except (httpx.InvalidURL, ValueError):
        return ""
    return host[:100] if host.isascii() and host.isprintable() else ""


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, _TooLargeError):
        return Failure.TOO_LARGE
    if isinstance(error, _EncodingError):
        return Failure.ENCODING
    if isinstance(error, httpx.ProxyError):
        return Failure.PROXY
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Failure.TIMEOUT
    causes = _causes(error)
    if any(isinstance(c, ssl.SSLError) for c in causes):
        return Failure.TLS
    if any(isinstance(c, socket.gaierror) for c in causes):
        return Failure.DNS
    if isinstance(error, httpx.ConnectError):
        return Failure.CONNECT
    if isinstance(error, httpx.NetworkError | OSError):
        return Failure.RESET
    if isinstance(error, httpx.RemoteProtocolError) and re.search("disconnect|closed", str(error)):
        return Failure.RESET
    return Failure.PROTOCOL


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and len(found) < 10:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found
