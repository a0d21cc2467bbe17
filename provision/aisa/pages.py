"""Read a list of models that comes in several pages: where the next page is, and when to stop. Bounded.

AIsa's list has one page; a company's gateway may cut it. A page is only read at the address of the first one: the same origin
and path, another query. Where it cannot be read on, the list stays partial, and a model that it lacks is unknown.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from provision.aisa.answers import NEXT_LINK, PAGING_PLACES, inner_dicts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from provision.aisa.answers import GatewayAnswer
    from provision.aisa.client import Request

MAX_PAGES = 20
_MOST_BYTES = 4 << 20
_LONGEST_QUERY = 2_000
_URLS = ("next", "next_url", "nextLink", "next_page", "next_page_url")
_TOKENS = {
    "next_page_token": "page_token",
    "nextPageToken": "pageToken",
    "next_cursor": "cursor",
    "nextCursor": "cursor",
    "end_cursor": "after",
    "endCursor": "after",
    "next_page": "page",
}
"""The field of an answer, and the parameter that takes its value."""


async def read_on(
    send: Callable[[Request], Awaitable[GatewayAnswer]],
    request: Request,
    answer: GatewayAnswer,
    wanted: Collection[str] | None,
) -> GatewayAnswer:
    """Read further pages until all `wanted` models are found (None: the whole list), the list ends, or a limit is reached.

    Returns the answer with all pages. It stops where a page cannot be read or has nothing new; then the list stays partial.
    """
    asked, last = {request.url}, answer
    while len(asked) < MAX_PAGES:
        live = answer.listing() if answer.status == 200 else None
        if live is None or not live.partial or (wanted is not None and live.models.keys() >= set(wanted)):
            return answer
        url = next_page(request.url, last)
        if url is None or url in asked:
            return answer
        asked.add(url)
        last = await send(replace(request, url=url))
        if last.status != 200 or len(last.body) + sum(map(len, answer.pages)) > _MOST_BYTES:
            return answer
        longer = replace(answer, pages=(*answer.pages, last.body), link=last.link)
        grown = longer.listing()
        if grown is None or len(grown.models) == len(live.models):
            return answer
        answer = longer
    return answer


def next_page(url: str, answer: GatewayAnswer) -> str | None:
    """The address of the page after this one. None if it is not named, or is elsewhere than `url`. Pure."""
    data = answer.data()
    if not isinstance(data, dict):
        return None
    places = (data, *inner_dicts(data, PAGING_PLACES))
    if link := NEXT_LINK.search(answer.link):
        return _same_place(url, link[1])
    for place in places:
        for name in _URLS:
            if found := _address(place.get(name)):
                return _same_place(url, found)
    for place in places:
        for name, parameter in _TOKENS.items():
            if (token := _token(place.get(name))) is not None:
                return _with_query(url, parameter, token)
    return _after_entry(url, data) or _next_number(url, places)


def _address(value: Any) -> str:
    """An address in a field: a string such as `?page=2`, `/v1/models?page=2` or a whole URL; or an object with one."""
    if isinstance(value, dict):
        value = value.get("href", value.get("url"))
    return value if isinstance(value, str) and re.match(r"[/?]|https?://", value) else ""


def _token(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int) or value in ("", 0):
        return None
    return str(value)


def _after_entry(url: str, data: dict[str, Any]) -> str | None:
    """`has_more` as OpenAI and Anthropic write it: the next page begins after the last entry of this one."""
    entries = data.get("data")
    last = entries[-1] if isinstance(entries, list) and entries else None
    if not isinstance(last, dict) or not any(data.get(name) is True for name in ("has_more", "hasMore")):
        return None
    token = _token(data.get("last_id", last.get("id")))
    parameter = "after_id" if last.get("type") == "model" and data.get("object") != "list" else "after"
    return None if token is None else _with_query(url, parameter, token)


def _next_number(url: str, places: Collection[dict[str, Any]]) -> str | None:
    """The page after a numbered one."""
    for place in places:
        for name in ("page", "current_page"):
            number = place.get(name)
            if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10_000:
                return _with_query(url, "page", str(number + 1))
    return None


def _with_query(url: str, parameter: str, value: str) -> str | None:
    parts = urlsplit(url)
    query = urlencode([*((k, v) for k, v in parse_qsl(parts.query) if k != parameter), (parameter, value)])
    return urlunsplit(parts._replace(query=query)) if len(query) <= _LONGEST_QUERY else None


def _same_place(url: str, address: str) -> str | None:
    """The address, if it differs from `url` in its query only."""
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, address))
    except ValueError:
        return None
    same = (here.scheme, here.netloc, here.path) == (there.scheme, there.netloc, there.path)
    fine = there.query.isascii() and there.query.isprintable() and " " not in there.query
    if not same or not fine or len(there.query) > _LONGEST_QUERY:
        return None
    return urlunsplit(there._replace(fragment=""))
