"""The token bucket."""

from __future__ import annotations

import pytest

from provision.aisa.rate_limit import TokenBucket


def test_a_burst_needs_no_wait_and_the_rest_is_spread() -> None:
    bucket = TokenBucket(rate=10.0, burst=2)
    assert [bucket.take(100.0) for _ in range(4)] == [0.0, 0.0, pytest.approx(0.1), pytest.approx(0.2)]
    assert bucket.take(110.0) == 0.0


def test_idle_time_saves_up_no_more_than_one_burst() -> None:
    bucket = TokenBucket(rate=1.0, burst=2)
    bucket.take(0.5)
    assert [bucket.take(1000.0) for _ in range(3)] == [0.0, 0.0, pytest.approx(1.0)]


def test_no_rate_is_no_limit() -> None:
    assert [TokenBucket(None).take(1.0) for _ in range(3)] == [0.0, 0.0, 0.0]
