"""Limits of the simulated gateway, and what its records show."""

from __future__ import annotations

import pytest

from provision.aisa.simulator.state import KeyRecord, RecordedRequest, Reply, Window, key_wait_s, retry_after


def test_a_window_counts_only_what_it_allows() -> None:
    window = Window(2, 10.0)
    assert [window.wait_s(now) for now in (0.0, 4.0)] == [0.0, 0.0]
    assert window.wait_s(5.0) == 5.0
    assert window.wait_s(10.0) == 0.0, "the refused request at 5.0 was not counted"
    assert window.wait_s(11.0) == 3.0


def test_a_keys_own_limits() -> None:
    record = KeyRecord(per_minute=1, at_once=2)
    assert (key_wait_s(record, 0.0), key_wait_s(record, 20.0)) == (0.0, 40.0)
    record.open = 2
    assert key_wait_s(record, 100.0) == pytest.approx(0.1)
    assert key_wait_s(KeyRecord(), 0.0) == 0.0


def test_retry_after_is_never_early() -> None:
    assert retry_after("seconds", 1.2) == (("Retry-After", "2"),)
    assert retry_after("seconds", 0.0) == (("Retry-After", "1"),)
    assert retry_after("date", 1.0)[0][1].endswith("GMT")
    assert retry_after("none", 1.0) == ()


def test_a_recorded_request_does_not_show_its_key() -> None:
    request = RecordedRequest(
        "GET", "/v1/models", "", {"authorization": "Bearer CANARY"}, b"", "CANARY", "authorization", None, 200, 0.0
    )
    assert "CANARY" not in repr(request)
    assert request.key == "CANARY"


def test_a_page_is_no_json() -> None:
    assert Reply.proxy_page().status == 403
    assert Reply.page().content_type.startswith("text/html")
