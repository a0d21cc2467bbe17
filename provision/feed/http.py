"""Bounded, conditional GETs. The deadline covers the whole exchange, however slowly the server sends; no more bytes are read
than expected, nothing is decompressed, and no redirect is followed.

`FeedUnreachableError` means that a retry may help. All other errors need a person.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from provision.aisa.hosts import is_loopback
from provision.aisa.retry import RETRIED_STATUSES, parse_retry_after
from provision.endpoint.fetch import DownloadError
from provision.errors import ProvisionError
from provision.tls import trust_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

_RETRIED_STATUSES = RETRIED_STATUSES | {425}
_T = TypeVar("_T")
_MAX_RETRY_AFTER_S = 86_400.0


class FeedUnreachableError(ProvisionError):
    """No response, a lost connection, or a busy server: a retry may help. `after_s` is the server's Retry-After."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message, hint="the installed bundle stays; the next pull tries again")
        self.after_s = after_s


class SlowFeedError(FeedUnreachableError):
    """The server exceeds the deadline (slow retrieval)."""


class EndlessFeedError(ProvisionError):
    """The server sends more bytes than expected (endless data)."""


class AbsentFileError(DownloadError):
    """The server has no such file (404 or 410)."""


@dataclass(frozen=True, slots=True)
class Validators:
    """The server's ETag and Last-Modified, which make the next GET conditional."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The validators as request headers."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class FeedResponse:
    """The response to a GET; `body` None means not modified since the validators."""

    body: bytes | None
    validators: Validators


def http_get(url: str, limit_bytes: int, deadline_s: float, *, validators: Validators) -> FeedResponse:
    """One GET of at most `limit_bytes`. Raises FeedUnreachableError, SlowFeedError, EndlessFeedError, and DownloadError if a
    retry cannot help."""
    require_safe(url)

    async def fetch(client: httpx.AsyncClient) -> FeedResponse:
        async with client.stream("GET", url, headers=validators.headers()) as response:
            if response.status_code == 304:
                return FeedResponse(None, validators)
            _require_ok(response)
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > limit_bytes:
                    raise EndlessFeedError(
                        f"{_shown(url)} sends more than the expected {limit_bytes} bytes", hint="report this to IT"
                    )
            etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
            return FeedResponse(bytes(body), Validators(_sane(etag), _sane(modified)))

    return _run(fetch, url, deadline_s)


def http_put(url: str, body: bytes, deadline_s: float) -> None:
    """Send a receipt. Raises as `http_get`."""
    require_safe(url)

    async def send(client: httpx.AsyncClient) -> None:
        kind = {"Content-Type": "text/plain; charset=utf-8"}
        async with client.stream("PUT", url, content=body, headers=kind) as response:
            if not response.is_success:
                raise DownloadError(
                    f"{_shown(url)} answered {response.status_code} to a receipt", hint="report this to IT"
                )

    _run(send, url, deadline_s)


def require_safe(url: str) -> None:
    """Raise DownloadError for anything but https, or http to loopback."""
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise DownloadError("the address contains a user name or password", hint="use an address without credentials")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise DownloadError(f"{_shown(url)} is not an https:// address", hint="plain http is allowed only for loopback")


def _run(work: Callable[[httpx.AsyncClient], Awaitable[_T]], url: str, deadline_s: float) -> _T:
    import httpx  # noqa: PLC0415  takes a third of a second, only for network commands

    async def bounded() -> _T:
        async with asyncio.timeout(deadline_s):
            async with httpx.AsyncClient(
                verify=trust_context(),
                timeout=deadline_s,
                headers={"Accept-Encoding": "identity"},
                trust_env=not is_loopback(urlsplit(url).hostname or ""),  # no proxy for this machine
            ) as client:
                return await work(client)

    try:
        return asyncio.run(bounded())
    except (TimeoutError, httpx.TimeoutException) as e:
        raise SlowFeedError(f"{_shown(url)} takes longer than {deadline_s:g} s") from e
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as e:
        raise DownloadError(f"invalid address {_shown(url)}", hint="copy it again") from e
    except httpx.HTTPError as e:
        raise FeedUnreachableError(f"cannot reach {_shown(url)}: {str(e) or type(e).__name__}") from e


def _require_ok(response: httpx.Response) -> None:
    status, shown = response.status_code, _shown(str(response.url))
    if status == 200:
        return
    if status in _RETRIED_STATUSES:
        raise FeedUnreachableError(f"{shown} answered {status}", after_s=_retry_after(response))
    if response.is_redirect:
        raise DownloadError(
            f"{shown} answered {status}, a redirect, which is not followed",
            hint="log in to the network if it has a login page; otherwise ask IT for the final address",
        )
    raise (AbsentFileError if status in {404, 410} else DownloadError)(
        f"{shown} answered {status}",
        hint="ask IT for your feed address; it may have changed, or you are no longer in the inventory",
    )


def _retry_after(response: httpx.Response) -> float | None:
    seconds = parse_retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
    return None if seconds is None else min(seconds, _MAX_RETRY_AFTER_S)


def _sane(value: str | None) -> str | None:
    """A validator that is safe to send back: short and printable; else None."""
    return value if value and len(value) <= 256 and value.isascii() and value.isprintable() else None


def _shown(url: str) -> str:
    """The URL without the endpoint's address, which works like a password for its folder."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" + (parts.path if "/e/" not in parts.path else "/…")
