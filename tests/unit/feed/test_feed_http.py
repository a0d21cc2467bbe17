"""GETs of the feed: which addresses are safe, which answers are worth a retry, and what is kept of headers."""

from __future__ import annotations

import httpx
import pytest

from provision.endpoint.fetch import DownloadError
from provision.feed import http
from provision.feed.http import FeedUnreachableError, Validators, require_safe


@pytest.mark.parametrize("url", ["https://h/x", "http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]/x"])
def test_safe_addresses(url: str) -> None:
    require_safe(url)


@pytest.mark.parametrize("url", ["http://h/x", "ftp://h/x", "https://u:secret@h/x", "http://127.0.0.1.evil/x", "/x"])
def test_unsafe_addresses(url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        require_safe(url)
    assert "secret" not in str(caught.value)


def answer(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, request=httpx.Request("GET", "https://h/feed/e/" + "a" * 32))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_server_is_worth_a_retry(status: int) -> None:
    with pytest.raises(FeedUnreachableError) as caught:
        http._require_ok(answer(status, **{"Retry-After": "7"}))
    assert caught.value.after_s == 7


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 204])
def test_other_answers_need_a_person(status: int) -> None:
    with pytest.raises(DownloadError) as caught:
        http._require_ok(answer(status, Location="https://elsewhere/"))
    assert caught.value.hint
    assert "a" * 32 not in str(caught.value)


def test_ok_is_ok() -> None:
    http._require_ok(answer(200))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", None), ("soon", None), ("0", 0), ("30", 30), ("999999999", 86_400), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after_is_bounded(header: str, seconds: float | None) -> None:
    assert http._retry_after(answer(503, **{"Retry-After": header})) == seconds


def test_validators_become_conditional_headers() -> None:
    assert Validators('"5f"', None).headers() == {"If-None-Match": '"5f"'}
    assert Validators(None, "Wed").headers() == {"If-Modified-Since": "Wed"}
    assert Validators().headers() == {}


@pytest.mark.parametrize(("value", "kept"), [('"5f"', True), ("", False), ("x" * 257, False), ("a\r\nX: y", False)])
def test_only_harmless_validators_are_sent_back(value: str, kept: bool) -> None:
    assert http._sane(value) == (value if kept else None)
