"""Waiting after failures: it doubles, is spread, ends, and is not obeyed when the clock was turned back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from provision.feed.backoff import FIRST_DELAY_S, LONGEST_DELAY_S
from provision.feed.index import BadAddressError, address_of, endpoint_id, parse_subscription, part_of
from provision.feed.state import PullState

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_waits_double_up_to_six_hours() -> None:
    state, waits = PullState(url="https://f/e/a"), []
    for _ in range(10):
        state = state.failed("down", NOW, middle, None)
        waits.append(state.not_before - NOW.timestamp())
    assert waits[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert waits[-1] == LONGEST_DELAY_S
    assert state.succeeded(NOW).wait(NOW) is None


def test_waits_are_spread() -> None:
    state = PullState(url="https://f/e/a")
    early = state.failed("down", NOW, lambda low, _: low, None)
    late = state.failed("down", NOW, lambda _, high: high, None)
    assert late.not_before - early.not_before == FIRST_DELAY_S


def test_a_server_is_left_alone_as_long_as_it_asks() -> None:
    state = PullState(url="https://f/e/a").failed("busy", NOW, lambda low, _: low, 7200)
    assert state.wait(NOW) == timedelta(hours=2)


def test_a_wait_from_a_wrong_clock_is_not_obeyed() -> None:
    state = PullState(url="https://f/e/a").failed("down", NOW + timedelta(days=400), middle, None)
    assert state.wait(NOW) is None


def test_addresses() -> None:
    one, other = address_of(b"1" * 32, "ada"), address_of(b"2" * 32, "ada")
    assert len(one) == 32
    assert one != other
    assert endpoint_id(one).startswith(part_of(one))
    assert parse_subscription(f" https://h/feed/e/{one}/\n").base == "https://h/feed"


@pytest.mark.parametrize(
    "url",
    ["", "https://h/feed", "ftp://h/e/" + "a" * 32, "https://u:p@h/e/" + "a" * 32, "https://h/e/" + "a" * 31 + "1"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(BadAddressError):
        parse_subscription(url)
