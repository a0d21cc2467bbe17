"""Answers from the gateway and the parsers for their bodies. Parsing is defensive: a proxy or web server may have answered.

Error bodies come in many shapes (docs/gateway.md). Only codes are read from them, never texts, which may be translated.
Every string that leaves this module is short and has a safe alphabet.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from provision.aisa.error_codes import KNOWN, most_telling

_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:=-]{1,64}")
_STATUS = re.compile(r"[45][0-9]{2}", re.ASCII)
_MODEL_ID = re.compile(r"[A-Za-z0-9_.:/@+-]{1,128}")
_HTML = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|!--|\?xml)", re.IGNORECASE)
_REMEMBERED_BYTES = 128 << 10


class Probe(StrEnum):
    """A kind of request that tests a user's route."""

    KEY = "key"
    MODELS = "models"
    CHAT = "chat"


class Failure(StrEnum):
    """The reason for a missing or unusable HTTP answer."""

    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    PROXY = "proxy"
    RESET = "reset"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    UNSENDABLE = "unsendable"


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """One answer to one request. Without a complete answer, `status` is None and `failure` says why."""

    status: int | None
    failure: Failure | None = None
    body: bytes = b""
    content_type: str = ""
    request_id: str = ""
    retry_after: str = ""
    challenge: str = ""
    """The scheme of a `WWW-Authenticate` header. Proxies and web servers send it, the gateway does not."""
    location: str = ""
    """The target host of a redirect."""
    link: str = ""
    """The `Link` header (of the last page), which may name the next page of a list."""
    pages: tuple[bytes, ...] = ()
    """The bodies of further pages, if this is the first page of a list."""
    elapsed_ms: int = 0

    @property
    def html(self) -> bool:
        """Whether the body is an HTML page: from a web server, a proxy or a captive portal."""
        return "html" in self.content_type.lower() or bool(_HTML.match(self.body[:512]))

    def data(self) -> Any:
        """The body as JSON, or None if it is not strict UTF-8 JSON."""
        return parse_json(self.body)

    @property
    def names_another_page(self) -> bool:
        """Whether the answer is one page of several, in one of the usual notations."""
        data = self.data()
        places = (data, *inner_dicts(data, PAGING_PLACES)) if isinstance(data, dict) else ()
        return bool(NEXT_LINK.search(self.link)) or any(map(_names_another, places))

    def listing(self) -> Listing | None:
        """The live list in the body and in further pages, or None if one of them is not a list."""
        bodies = (self.body, *self.pages)
        found = (_listing_before if sum(map(len, bodies)) < _REMEMBERED_BYTES else _joined)(bodies)
        return replace(found, partial=True) if found and NEXT_LINK.search(self.link) else found


@dataclass(frozen=True, slots=True)
class Refusal:
    """The contents of an error body: the code (empty if none), the request id and the routes offered instead."""

    code: str = ""
    status: int | None = None
    """The HTTP status that the body names as a number or in digits, instead of a code or besides one."""
    request_id: str = ""
    routes: tuple[str, ...] = ()
    json: bool = False
    """Whether the body is a JSON object at all."""
    error: bool = False
    """Whether the body has a non-empty `error` member."""


def parse_json(data: bytes) -> Any:
    """Parse JSON from untrusted bytes. None unless it is UTF-8 JSON of bounded depth. The result is cached: do not modify it."""
    return _parsed_before(data) if len(data) < _REMEMBERED_BYTES else _parsed(data)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


# all keys of a fleet get the same list of models: parse it once
_parsed_before = functools.lru_cache(maxsize=16)(_parsed)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def refusal(data: Any) -> Refusal:
    """Parse an error body in any of its shapes. If it has several codes, the most telling one counts."""
    if isinstance(data, list) and len(data) == 1:  # Google writes a list of one error
        data = data[0]
    if not isinstance(data, dict):
        return Refusal()
    if isinstance(data.get("detail"), dict):  # FastAPI's envelope
        data = {**data["detail"], **data}
    inner = data.get("error")
    nested = inner if isinstance(inner, dict) else {}
    if isinstance(nested.get("error"), dict):  # an upstream's error inside the gateway's
        nested = {**nested["error"], **{k: v for k, v in nested.items() if k != "error"}}
    candidates = [nested.get("code"), data.get("code"), nested.get("type"), nested.get("status"), nested.get("reason")]
    if nested or isinstance(inner, str):
        candidates.append(data.get("type") if data.get("type") != "error" else None)
    words = [c.lower() for c in candidates if isinstance(c, str) and _WORD.fullmatch(c)]
    if isinstance(inner, str) and inner.lower() in KNOWN:  # {"error": "rate_limit_exceeded"}
        words.append(inner.lower())
    numbers = (*candidates, inner, *(place.get(name) for place in (nested, data) for name in _STATUS_NAMES))
    status = next((found for number in numbers if (found := _http_status(number))), None)
    ids = (data.get("request_id"), nested.get("request_id"))
    return Refusal(
        most_telling([word for word in words if not word.isdigit()])
        or (str(status) if status else next(iter(words), "")),
        status,
        next((i for i in ids if isinstance(i, str) and _REQUEST_ID.fullmatch(i)), ""),
        _routes({**data, **nested}),
        json=True,
        error=bool(inner) or data.get("type") == "error",
    )


_STATUS_NAMES = ("status", "status_code", "statusCode", "http_status", "http_code")


def _http_status(value: Any) -> int | None:
    """The HTTP status of a failure, written as a number or in digits. None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if _STATUS.fullmatch(text) else None


def _routes(data: dict[str, Any]) -> tuple[str, ...]:
    for name in ("supported_routes", "supported_endpoints", "supported_endpoint_types", "supported_modes", "routes"):
        value = data.get(name)
        if isinstance(value, list):
            return tuple(v for v in value[:10] if isinstance(v, str) and _WORD.fullmatch(v))
    return ()


def clean_request_id(text: str) -> str:
    """Return a request id from a header, or an empty string if it is not one."""
    return text if _REQUEST_ID.fullmatch(text) else ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The live list of models: ids with their endpoint types, if the gateway returns any.

    A `partial` list is one page of several: a model that it lacks may be on another page.
    """

    models: dict[str, tuple[str, ...]]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of a list: its models, its number of entries, whether others follow, and the total that it names."""

    models: dict[str, tuple[str, ...]]
    entries: int
    goes_on: bool
    total: int


def _page(data: Any) -> _Page | None:
    """Parse a `/v1/models` body. None if it is not a list of models; invalid entries are skipped."""
    entries = data.get("data") if isinstance(data, dict) else None
    if not isinstance(entries, list) or data.get("error"):
        return None
    models: dict[str, tuple[str, ...]] = {}
    for entry in entries[:_MOST_MODELS]:
        model = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(model, str) and _MODEL_ID.fullmatch(model):
            types = entry.get("supported_endpoint_types")
            models[model] = tuple(t for t in types if isinstance(t, str))[:20] if isinstance(types, list) else ()
    if entries and not models:
        return None
    places = (data, *inner_dicts(data, PAGING_PLACES))
    totals = [place.get(name) for place in places for name in _TOTALS]
    numbers = [total for total in totals if isinstance(total, int) and not isinstance(total, bool)]
    return _Page(models, len(entries), any(map(_names_another, places)), max(numbers, default=0))


def listing(*pages: Any) -> Listing | None:
    """Join the pages of a `/v1/models` list. None if one of them is not a list of models."""
    parsed = [_page(data) for data in pages]
    read = [page for page in parsed if page is not None]
    if not read or len(read) < len(parsed):
        return None
    models = {name: types for page in read for name, types in page.models.items()}
    count = sum(page.entries for page in read)
    return Listing(models, read[-1].goes_on or max(page.total for page in read) > count or count > _MOST_MODELS)


def _names_another(place: dict[str, Any]) -> bool:
    """Whether a page says that another one follows, in one of the usual notations."""
    if any(place.get(name) not in _NO_MORE for name in _PAGING):
        return True
    number = next((n for name in ("page", "current_page") if isinstance(n := place.get(name), int)), None)
    last = next((n for name in ("pages", "total_pages", "last_page") if isinstance(n := place.get(name), int)), None)
    return number is not None and last is not None and number < last


def inner_dicts(data: dict[str, Any], names: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """The objects in these fields."""
    return tuple(inner for name in names if isinstance(inner := data.get(name), dict))


_MOST_MODELS = 20_000
_PAGING = (
    "has_more",
    "hasMore",
    "has_next",
    "hasNext",
    "has_next_page",
    "hasNextPage",
    "next",
    "next_page",
    "next_page_url",
    "next_url",
    "nextLink",
    "next_cursor",
    "nextCursor",
    "next_page_token",
    "nextPageToken",
)
_TOTALS = ("total", "total_count", "totalCount", "total_items")
PAGING_PLACES = ("links", "_links", "meta", "paging", "pagination", "page_info", "pageInfo")
"""Objects in which gateways write about pages, besides the body itself."""
_NO_MORE: tuple[Any, ...] = (None, False, 0, "", "false", "null", {}, [])
NEXT_LINK = re.compile(r"<([^<>]*)>\s*;[^,]*\brel=\"?next\b", re.IGNORECASE)
"""The next page in a `Link` header (RFC 8288)."""


def _joined(bodies: tuple[bytes, ...]) -> Listing | None:
    return listing(*map(parse_json, bodies))


_listing_before = functools.lru_cache(maxsize=16)(_joined)


@dataclass(frozen=True, slots=True)
class Funds:
    """The balance, in millionths of a dollar. None where the body has no value."""

    wallet_micros: int | None
    key_remaining_micros: int | None


def funds(data: Any) -> Funds | None:
    """Parse a `/v1/credits/balance` body. None if it is not a balance; then it proves nothing about a key."""
    if not isinstance(data, dict) or data.get("error"):
        return None
    inner = data.get("data")
    body = inner if isinstance(inner, dict) else data
    key = body.get("api_key")
    remaining = None
    if isinstance(key, dict) and key.get("unlimited") is False:
        remaining = clean_micros(key.get("remaining_micros_usd"))
    wallets = [n for name, value in body.items() if _money(name) and (n := clean_micros(value)) is not None]
    looks_right = bool(wallets) or (isinstance(key, dict) and bool(key.keys() & _KEY_FIELDS))
    return Funds(wallets[0] if len(wallets) == 1 else None, remaining) if looks_right else None


_KEY_FIELDS = {"unlimited", "remaining_micros_usd", "used_micros_usd"}


def _money(name: object) -> bool:
    return isinstance(name, str) and (name.endswith("_micros_usd") or name in {"balance", "balance_micros", "credits"})


_LARGEST = 2**63


def clean_micros(value: object) -> int | None:
    """Return an integer of an untrusted body, else None: an amount in micro-dollars, or a count. None too beyond 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -_LARGEST <= value < _LARGEST else None
