"""Send one request to the gateway: bounded in time and size, without redirects, only to allowed hosts.

This module uses httpx's transports without httpx's client. The client would keep cookies, log URLs and follow `trust_env`.
Each transport holds one connection, and the pool is our own: httpcore's pool searches all connections at every request,
which costs 15 ms of CPU per request at 64 connections instead of 1 ms. A key leaves this module only as a header of a
request to a URL that `base_url.is_allowed` accepts. httpx's exceptions are translated into `Failure` here and nowhere else.
"""

from __future__ import annotations

import asyncio
import functools
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
from provision.aisa.answers import Failure, GatewayAnswer, clean_request_id
from provision.aisa.base_url import is_allowed
from provision.aisa.hosts import is_loopback
from provision.errors import ProvisionError
from provision.tls import trust_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from provision.detect.secret import Secret

USER_AGENT = f"hermes-provision/{provision.__version__}"
_MASK = b"****"
_NOISY = ("httpx", "httpcore")


class ForbiddenHostError(ProvisionError):
    """A key would have been sent to a host that is not the gateway."""


class ClientSetupError(ProvisionError):
    """The TLS bundle or the proxy cannot be used as configured."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits of one request: seconds to connect, between two reads and in total; bytes of the decompressed body."""

    connect_s: float = 5.0
    read_s: float = 30.0
    total_s: float = 60.0
    body_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without its key. A `paid` request costs money when it is answered."""

    method: str
    url: str
    body: bytes = b""
    paid: bool = False
    key_header: str = "authorization"
    headers: tuple[tuple[str, str], ...] = ()
    total_s: float | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach the gateway: the company's TLS bundle and a proxy."""

    tls_bundle: Path | None = None
    proxy: str | None = None


class Client:
    """A pool of connections to the gateway. Use as an async context manager.

    `hosts` are the hosts that may receive a key (`gateway_hosts`); loopback always may. `send` never raises for what a server
    or the network does: it returns a GatewayAnswer.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        concurrency: int = 8,
        network: Network | None = None,
        limits: RequestLimits | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._limits = limits or RequestLimits()
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

    async def send(self, request: Request, key: Secret | None) -> GatewayAnswer:
        """Send one request with `key` and read the complete answer. Raises ForbiddenHostError before anything is sent."""
        self._check(request.url)
        try:
            sent = self._build(request, key)
        except (UnicodeError, ValueError, TypeError, httpx.InvalidURL):
            return GatewayAnswer(None, Failure.UNSENDABLE)
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
                return GatewayAnswer(None, _failure(e), elapsed_ms=_since(began))
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
                "the base URL is not on a gateway host: no key is sent there",
                hint="correct base_url in the profile, or add the host to gateway_hosts in provision.toml",
            )
        self._allowed.add(origin)

    def _new_transport(self, url: str) -> httpx.AsyncHTTPTransport:
        """Use the proxy only for https, as a tunnel, and never for loopback: that is another machine's for the proxy."""
        proxied = self._new_proxied is not None and url.startswith("https://") and not is_loopback(httpx.URL(url).host)
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
            "pool": None,  # bounded by the total: waiting for a free connection is not the server's fault
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
    """Turn off the HTTP libraries' debug logs, whatever log level the calling program set: they show headers."""
    for name in _NOISY:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)


_url = functools.lru_cache(maxsize=64)(httpx.URL)


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


_Factory = Callable[[], httpx.AsyncHTTPTransport]


def _factories(network: Network) -> tuple[_Factory, _Factory | None]:
    """Return factories for a direct and, if set, a proxied transport. Raises ClientSetupError for bad settings."""
    one = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30)
    context = trust_context(network.tls_bundle)
    direct = functools.partial(httpx.AsyncHTTPTransport, verify=context, limits=one, trust_env=False)
    proxied = functools.partial(direct, proxy=network.proxy) if network.proxy else None
    try:
        (proxied or direct)()
    except (ValueError, httpx.InvalidURL):
        hint = "set proxy to a URL such as http://proxy.corp:3128"
        raise ClientSetupError("invalid proxy URL in the settings", hint=hint) from None
    return direct, proxied


def _unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """Decompress gzip or deflate, up to `limit` bytes. Not requested, but some proxies send it anyway."""
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


def _answer(
    status: int | None, headers: httpx.Headers, body: bytes, key: Secret | None, elapsed_ms: int
) -> GatewayAnswer:
    def header(name: str) -> str:
        value = str(headers.get(name, ""))[:300]
        return value.replace(key.reveal(), "****") if key else value

    if key:
        body = body.replace(key.reveal().encode(), _MASK)
    return GatewayAnswer(
        status,
        body=body,
        content_type=header("content-type"),
        request_id=clean_request_id(header("x-request-id")),
        retry_after=header("retry-after"),
        challenge=header("www-authenticate").split(" ")[0],
        location=_location(header("location")),
        link=header("link"),
        elapsed_ms=elapsed_ms,
    )


def _location(value: str) -> str:
    """The host of a redirect target. Enough to recognise a sign-in page; the rest of the URL could echo a secret."""
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
