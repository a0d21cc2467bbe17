"""Lists of models in pages: every usual notation is followed, at the same address only, and never without an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from provision.aisa.answers import GatewayAnswer, Probe
from provision.aisa.catalogue import builtin
from provision.aisa.client import Request
from provision.aisa.pages import MAX_PAGES, next_page, read_on
from provision.aisa.verdicts import ProbedRoute, Verdict, diagnose_answer
from provision.fleet.desired import ApiMode

URL = "https://gw.corp/v1/models"
PAGES = [["gpt-5.4", "a"], ["b", "c"], ["d", "gpt-5.2"]]


class Gateway:
    """Three pages. `write` makes the body (or the body and a Link header) of a page from its number and its models."""

    def __init__(self, write: Callable[[int, list[str]], Any], parameter: str) -> None:
        self.write, self.parameter = write, parameter
        self.urls: list[str] = []

    async def send(self, request: Request) -> GatewayAnswer:
        self.urls.append(request.url)
        value = parse_qs(urlsplit(request.url).query).get(self.parameter, [""])[0]
        starts = {"": 0, "1": 0, "2": 1, "3": 2, "p2": 1, "p3": 2, "a": 1, "c": 2}
        number = starts[value]
        written = self.write(number, PAGES[number])
        body, link = written if isinstance(written, tuple) else (written, "")
        return GatewayAnswer(200, body=json.dumps(body).encode(), link=link)


def data(models: list[str]) -> list[dict[str, str]]:
    return [{"id": model} for model in models]


def last(number: int) -> bool:
    return number == len(PAGES) - 1


NOTATIONS: dict[str, tuple[Callable[[int, list[str]], Any], str]] = {
    "openai": (
        lambda n, m: {"object": "list", "data": data(m), "has_more": not last(n), "last_id": m[-1]},
        "after",
    ),
    "openai without last_id": (lambda n, m: {"object": "list", "data": data(m), "has_more": not last(n)}, "after"),
    "anthropic": (
        lambda n, m: {
            "data": [{"type": "model", "id": each} for each in m],
            "has_more": not last(n),
            "first_id": m[0],
            "last_id": m[-1],
        },
        "after_id",
    ),
    "relative next": (
        lambda n, m: {"data": data(m), "next": None if last(n) else f"/v1/models?page={n + 2}"},
        "page",
    ),
    "query only": (lambda n, m: {"data": data(m), "next_url": "" if last(n) else f"?page={n + 2}"}, "page"),
    "whole next": (lambda n, m: {"data": data(m), "next": None if last(n) else f"{URL}?page={n + 2}"}, "page"),
    "hal": (
        lambda n, m: {"data": data(m), "_links": {} if last(n) else {"next": {"href": f"{URL}?page={n + 2}"}}},
        "page",
    ),
    "google": (lambda n, m: {"data": data(m), "nextPageToken": "" if last(n) else f"p{n + 2}"}, "pageToken"),
    "cursor in meta": (
        lambda n, m: {"data": data(m), "meta": {"next_cursor": None if last(n) else f"p{n + 2}"}},
        "cursor",
    ),
    "next number": (lambda n, m: {"data": data(m), "next_page": None if last(n) else n + 2}, "page"),
    "numbered": (lambda n, m: {"data": data(m), "page": n + 1, "total_pages": 3}, "page"),
    "numbered with a total": (lambda n, m: {"data": data(m), "pagination": {"page": n + 1, "total": 6}}, "page"),
    "link header": (
        lambda n, m: ({"data": data(m)}, "" if last(n) else f'<{URL}?page={n + 2}>; rel="next", <{URL}>; rel="first"'),
        "page",
    ),
}


def read(gateway: Gateway, *wanted: str) -> GatewayAnswer:
    async def all_pages() -> GatewayAnswer:
        request = Request("GET", URL)
        return await read_on(gateway.send, request, await gateway.send(request), set(wanted) if wanted else None)

    return asyncio.run(all_pages())


@pytest.mark.parametrize("name", NOTATIONS)
def test_every_notation_is_read_to_its_end(name: str) -> None:
    gateway = Gateway(*NOTATIONS[name])
    live = read(gateway).listing()
    assert live is not None
    assert (set(live.models), live.partial) == ({each for page in PAGES for each in page}, False)
    assert len(gateway.urls) == 3


@pytest.mark.parametrize("name", NOTATIONS)
def test_a_first_page_alone_is_partial_and_reading_stops_at_what_is_wanted(name: str) -> None:
    gateway = Gateway(*NOTATIONS[name])
    live = read(gateway, "gpt-5.4").listing()
    assert live is not None
    assert (len(live.models), live.partial, len(gateway.urls)) == (2, True, 1)
    read(gateway, "gpt-5.4", "c")
    assert len(gateway.urls) == 3, "one page more"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/v1/models?page=2",
        "http://gw.corp/v1/models?page=2",
        "https://gw.corp:444/v1/models?page=2",
        "https://u:p@gw.corp/v1/models?page=2",
        "//evil.example/v1/models",
        "/v1/keys?page=2",
        "https://gw.corp/v1/models?a=\x00",
        "https://[::1/v1/models",
        "?" + "x" * 3_000,
    ],
)
@pytest.mark.parametrize("place", ["body", "header"])
def test_no_key_goes_elsewhere_for_a_page(address: str, place: str) -> None:
    body = {"data": data(["a"]), "next": address if place == "body" else None}
    link = f"<{address}>; rel=next" if place == "header" else ""
    assert next_page(URL, GatewayAnswer(200, body=json.dumps(body).encode(), link=link)) is None


ENDLESS: dict[str, Callable[[int, list[str]], Any]] = {
    "the same page": lambda n, m: {"data": data(["a"]), "has_more": True},
    "the same address": lambda n, m: {"data": data(["a"]), "next": URL},
    "no way on": lambda n, m: {"data": [{"id": "a"}, 7], "has_more": True},
    "a word": lambda n, m: {"data": data(["a"]), "next": "soon"},
    "a total": lambda n, m: {"data": data(["a"]), "total": 90},
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_list_without_a_way_on_stays_partial_and_proves_no_absence(name: str) -> None:
    gateway = Gateway(ENDLESS[name], "page")
    answer = read(gateway, "gpt-5.2")
    live = answer.listing()
    assert live is not None
    assert live.partial
    assert len(gateway.urls) <= 2
    route = ProbedRoute("gpt-5.2", ApiMode.CHAT_COMPLETIONS, "https://gw.corp/v1", builtin())
    assert diagnose_answer(Probe.MODELS, answer, route).verdict is Verdict.UNKNOWN


@pytest.mark.hostile
def test_the_number_and_the_size_of_pages_are_bounded() -> None:
    asked: list[str] = []

    async def endless(request: Request) -> GatewayAnswer:
        asked.append(request.url)
        body = {"data": data([f"m{len(asked)}", *padding]), "next_page": len(asked) + 1}
        return GatewayAnswer(200, body=json.dumps(body).encode())

    async def first() -> GatewayAnswer:
        request = Request("GET", URL)
        return await read_on(endless, request, await endless(request), None)

    padding: list[str] = []
    live = asyncio.run(first()).listing()
    assert live is not None
    assert (len(asked), len(live.models), live.partial) == (MAX_PAGES, MAX_PAGES, True)
    asked.clear()
    padding = [f"long-{n:0120}" for n in range(9_000)]
    assert sum(map(len, asyncio.run(first()).pages)) <= 4 << 20
    assert len(asked) < MAX_PAGES


@pytest.mark.parametrize("then", [GatewayAnswer(500), GatewayAnswer(200, body=b"<html>"), GatewayAnswer(401)])
def test_a_page_that_fails_leaves_the_list_partial(then: GatewayAnswer) -> None:
    async def main() -> GatewayAnswer:
        async def send(_request: Request) -> GatewayAnswer:
            return then

        first = GatewayAnswer(200, body=json.dumps({"data": data(["a"]), "next": "?page=2"}).encode())
        return await read_on(send, Request("GET", URL), first, {"b"})

    live = asyncio.run(main()).listing()
    assert live is not None
    assert (list(live.models), live.partial) == (["a"], True)
