"""The retry policy."""

from __future__ import annotations

import datetime as dt

import pytest

from provision.aisa.answers import Failure, GatewayAnswer
from provision.aisa.retry import parse_retry_after, wait_before_retry
from provision.aisa.simulator.refusals import Shape, error_body

NOW = dt.datetime(2026, 11, 22, 12, 0, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0), ("7", 7.0), (" 7 ", 7.0), ("99999999999999999999", 10.0**9),
        ("Sun, 22 Nov 2026 12:00:09 GMT", 9.0), ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2020 12:00:00 GMT", 0.0), ("Thu, 22 Nov 2096 12:00:00 GMT", 2209075200.0),
        ("-3", None), ("soon", None), ("", None), ("1.5", None), ("\u0663", None), ("Sun, 99 Foo 2026", None),
    ],
)  # fmt: skip
def test_retry_after_in_both_forms(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


def wait(
    status: int | None, tried: int, *, paid: bool = False, retry_after: str = "", chance: float = 0.5
) -> float | None:
    answer = GatewayAnswer(status, None if status else Failure.TIMEOUT, retry_after=retry_after)
    return wait_before_retry(answer, tried, paid=paid, now=NOW, chance=chance)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, None])
def test_free_questions_are_asked_three_times(status: int | None) -> None:
    assert wait(status, 1) == pytest.approx(0.3)
    assert wait(status, 2) == pytest.approx(0.9)
    assert wait(status, 3) is None


def test_jitter_is_thirty_percent_either_way() -> None:
    assert wait(500, 1, chance=0.0) == pytest.approx(0.21)
    assert wait(500, 1, chance=1.0) == pytest.approx(0.39)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 402, 403, 404, 422, 501])
def test_other_answers_stand(status: int) -> None:
    assert wait(status, 1) is None


@pytest.mark.parametrize(
    ("status", "again"),
    [(502, True), (503, True), (504, True), (500, False), (429, False), (408, False), (None, False)],
)
def test_paid_calls_are_repeated_only_when_they_were_not_served(status: int | None, again: bool) -> None:
    assert (wait(status, 1, paid=True) is not None) is again
    assert (wait(status, 2, paid=True) is not None) is again
    assert wait(status, 3, paid=True) is None


def test_retry_after_is_honoured_up_to_thirty_seconds() -> None:
    assert wait(429, 1, retry_after="5") == 5.0
    assert wait(429, 1, retry_after="30") == 30.0
    assert wait(429, 1, retry_after="31") is None
    assert wait(503, 1, retry_after="Sun, 22 Nov 2026 12:00:09 GMT") == 9.0
    assert wait(503, 1, retry_after="Thu, 22 Nov 2096 12:00:00 GMT") is None
    assert wait(503, 1, retry_after="Sun, 22 Nov 2020 12:00:00 GMT") == pytest.approx(0.3)
    assert wait(503, 1, retry_after="whenever") == pytest.approx(0.3)


@pytest.mark.parametrize(("code", "status"), [("quota_exceeded", 429), ("model_not_found", 503)])
def test_answers_that_will_not_change_are_not_asked_for_again(code: str, status: int) -> None:
    answer = GatewayAnswer(status, body=error_body(code, Shape.NESTED, "r"))
    assert wait_before_retry(answer, 1, paid=False, now=NOW, chance=0.5) is None
