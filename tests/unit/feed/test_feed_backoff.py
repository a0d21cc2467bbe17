"""Waits after failures: they double, are spread by half, end, and obey what the server asks for."""

from __future__ import annotations

import random

import pytest

from provision.feed.backoff import (
    FIRST_DELAY_S,
    FIRST_PAUSE_S,
    LONGEST_DELAY_S,
    LONGEST_PAUSE_S,
    MAX_ATTEMPTS,
    delay_after_failures,
    pause_before_retry,
)


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def low(low: float, _high: float) -> float:
    return low


def high(_low: float, high: float) -> float:
    return high


def test_pauses_within_a_pull_double_and_end() -> None:
    pauses = [pause_before_retry(tried, None, middle) for tried in range(1, MAX_ATTEMPTS + 1)]
    assert pauses == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, None]


@pytest.mark.parametrize("tried", [1, 2])
def test_pauses_are_spread_by_half(tried: int) -> None:
    base = FIRST_PAUSE_S * 2 ** (tried - 1)
    assert (pause_before_retry(tried, None, low), pause_before_retry(tried, None, high)) == (base / 2, base * 3 / 2)


def test_a_server_that_asks_for_a_pause_gets_it_or_ends_the_pull() -> None:
    assert pause_before_retry(1, LONGEST_PAUSE_S, middle) == LONGEST_PAUSE_S
    assert pause_before_retry(1, 0, middle) == FIRST_PAUSE_S
    assert pause_before_retry(1, LONGEST_PAUSE_S + 0.1, middle) is None


def test_delays_between_pulls_double_up_to_six_hours() -> None:
    delays = [delay_after_failures(failures, None, middle) for failures in range(1, 30)]
    assert delays[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_S
    assert delay_after_failures(10**6, None, middle) == LONGEST_DELAY_S


def test_delays_are_no_shorter_than_retry_after() -> None:
    assert delay_after_failures(1, 7200, low) == 7200
    assert delay_after_failures(1, 7200, high) == 7200 * 1.2
    assert delay_after_failures(1, 1, middle) == FIRST_DELAY_S


def test_a_fleet_does_not_return_all_at_the_same_time() -> None:
    chance = random.Random(7)
    delays = [delay_after_failures(1, None, chance.uniform) for _ in range(1000)]
    assert min(delays) < 0.6 * FIRST_DELAY_S
    assert max(delays) > 1.4 * FIRST_DELAY_S
