"""The state of the simulated gateway: keys, models and their faults, limits and recorded requests.

It may be changed from any thread while the server runs.
"""

from __future__ import annotations

import email.utils
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class KeyState(StrEnum):
    """The state of a key. A key that was not added is invalid."""

    VALID = "valid"
    INVALID = "invalid"
    REVOKED = "revoked"
    DISABLED = "disabled"
    EXPIRED = "expired"
    FORBIDDEN = "forbidden"  # 403 even on the balance
    UNFUNDED = "unfunded"
    WALLET_EMPTY = "wallet_empty"
    KEY_BUDGET = "key_budget"
    PRICE_CAP = "price_cap"
    QUOTA = "quota"
    NOT_PERMITTED = "not_permitted"
    REGION_BLOCKED = "region_blocked"
    RATE_LIMITED = "rate_limited"


AUTH_CODES = {
    KeyState.INVALID: "invalid_api_key",
    KeyState.REVOKED: "revoked_api_key",
    KeyState.DISABLED: "api_key_disabled",
    KeyState.EXPIRED: "expired_api_key",
}
CALL_CODES = {
    KeyState.UNFUNDED: "recharge_required",
    KeyState.WALLET_EMPTY: "insufficient_wallet_balance",
    KeyState.KEY_BUDGET: "insufficient_api_key_balance",
    KeyState.PRICE_CAP: "estimated_price_exceeds_max_price",
    KeyState.QUOTA: "quota_exceeded",
    KeyState.NOT_PERMITTED: "insufficient_permissions",
    KeyState.REGION_BLOCKED: "region_blocked",
}


class ModelFault(StrEnum):
    """A way in which calls of a model fail."""

    BAD_GATEWAY = "bad_gateway"
    ROUTE_NOT_SUPPORTED = "model_route_not_supported"
    UNKNOWN = "unknown_model"
    NOT_FOUND = "model_not_found"
    NOT_FOUND_503 = "model_not_found_503"
    ERROR_IN_200 = "error_in_200"
    SERVER_ERROR = "internal_error"
    RATE_LIMITED = "rate_limit_exceeded"
    INVALID_REQUEST = "invalid_request"


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. `parts` are sent one by one as a stream. `reset` closes the connection instead of answering."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    parts: tuple[bytes, ...] = ()
    delay_s: float = 0.0
    reset: bool = False

    @staticmethod
    def redirect(url: str, status: int = 307) -> Reply:
        """A redirect to `url`."""
        return Reply(status, b"", "text/plain", (("Location", url),))

    @staticmethod
    def page(status: int = 404, title: str = "Not Found") -> Reply:
        """An HTML page, as from a web server or a proxy."""
        html = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        return Reply(status, html.encode(), "text/html; charset=utf-8")

    @staticmethod
    def proxy_page() -> Reply:
        """The page of an office proxy that blocks the gateway."""
        return Reply.page(403, "Access to this site has been blocked by your administrator")


@dataclass(frozen=True, slots=True, repr=False)
class RecordedRequest:
    """One received request. It holds the key, so that tests can compare it; the repr masks it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    key: str | None
    key_header: str | None
    model: str | None
    status: int
    at: float

    def __repr__(self) -> str:
        shown = f"key={'****' if self.key else None} ({self.key_header})"
        return f"Recorded({self.method} {self.path} model={self.model} {shown} -> {self.status})"


@dataclass(slots=True, repr=False)
class KeyRecord:
    """One key's state and limits. None as `models` allows all; None as `per_minute` or `at_once` means no limit."""

    state: KeyState = KeyState.VALID
    models: frozenset[str] | None = None
    per_minute: int | None = None
    at_once: int | None = None
    balance_micros: int = 5_000_000
    used: dict[str, int] = field(default_factory=dict)
    """Requests by UTC day, as /v1/usage reports them."""
    used_micros: int = 1_000
    cap_micros: int | None = None
    """The key's own cap; None: unlimited."""
    spent: dict[tuple[str, str], int] = field(default_factory=dict)
    """Micro-dollars by UTC day and model, which /v1/usage reports if `usage_shape` is `models` or `rows`."""
    recent: deque[float] = field(default_factory=deque)
    open: int = 0


@dataclass(slots=True)
class Window:
    """At most `limit` requests in any period of `span_s` seconds."""

    limit: int
    span_s: float
    times: deque[float] = field(default_factory=deque)

    def wait_s(self, now: float) -> float:
        """Count a request and return 0 if the limit allows it, else return the seconds to wait."""
        return _room(self.times, self.limit, self.span_s, now)


def _room(times: deque[float], limit: int, span_s: float, now: float) -> float:
    while times and times[0] <= now - span_s:
        times.popleft()
    if len(times) < limit:
        times.append(now)
        return 0.0
    return max(0.001, times[0] + span_s - now)


def key_wait_s(record: KeyRecord, now: float) -> float:
    """Return 0 if the key's own limits allow a request, else the seconds to wait."""
    if record.at_once is not None and record.open >= record.at_once:
        return 0.1
    return 0.0 if record.per_minute is None else _room(record.recent, record.per_minute, 60.0, now)


def retry_after(form: str, wait_s: float) -> tuple[tuple[str, str], ...]:
    """Build the Retry-After header as `seconds` or as an HTTP `date`. No header for any other form."""
    whole = max(1, round(wait_s + 0.5))
    if form == "seconds":
        return (("Retry-After", str(whole)),)
    if form == "date":
        return (("Retry-After", email.utils.formatdate(time.time() + whole, usegmt=True)),)
    return ()
