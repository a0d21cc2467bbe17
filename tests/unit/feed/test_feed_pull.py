"""One pull without a network: retries with doubling pauses, and what is stored after each kind of failure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from provision.endpoint.fetch import DownloadError
from provision.errors import ProvisionError
from provision.feed.backoff import FIRST_DELAY_S, FIRST_PAUSE_S
from provision.feed.http import FeedResponse, FeedUnreachableError, Validators
from provision.feed.index import Subscription
from provision.feed.pull import PullEnvironment, pull_once, remembered_state
from provision.feed.state import PullState, read_state, write_state

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FEED = Subscription("https://h/feed", "a" * 32)


class Network:
    """Gives these answers, one after the other, and records pauses."""

    def __init__(self, answers: Iterable[FeedResponse | ProvisionError]) -> None:
        self.answers = iter(answers)
        self.slept: list[float] = []
        self.asked = 0

    def get(self, *_: Any) -> FeedResponse:
        self.asked += 1
        answer = next(self.answers)
        if isinstance(answer, ProvisionError):
            raise answer
        return answer

    def pull(self, folder: Path) -> None:
        world = PullEnvironment(self.get, lambda low, high: (low + high) / 2, self.slept.append)
        pull_once(FEED, folder, lambda _: pytest.fail("nothing to install"), signers=(), world=world, now=NOW)


def down(after_s: float | None = None) -> FeedUnreachableError:
    return FeedUnreachableError("down", after_s=after_s)


def test_three_attempts_with_doubling_pauses(tmp_path: Path) -> None:
    network = Network([down(), down(), down()])
    with pytest.raises(FeedUnreachableError):
        network.pull(tmp_path)
    assert (network.asked, network.slept) == (3, [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S])
    state = read_state(tmp_path)
    assert state is not None
    assert (state.failures, state.last_error) == (1, "down")
    assert state.not_before == NOW.timestamp() + FIRST_DELAY_S


def test_a_server_that_asks_for_an_hour_is_left_alone(tmp_path: Path) -> None:
    network = Network([down(after_s=3600)])
    with pytest.raises(FeedUnreachableError):
        network.pull(tmp_path)
    assert (network.asked, network.slept) == (1, [])
    state = read_state(tmp_path)
    assert state is not None
    assert state.not_before >= NOW.timestamp() + 3600


def test_other_errors_are_not_retried(tmp_path: Path) -> None:
    network = Network([DownloadError("gone")])
    with pytest.raises(DownloadError):
        network.pull(tmp_path)
    assert (network.asked, network.slept) == (1, [])


def test_304_without_a_stored_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="304"):
        Network([FeedResponse(None, Validators())]).pull(tmp_path)


def test_another_address_starts_anew_but_keeps_the_home(tmp_path: Path) -> None:
    old = PullState(url="https://h/feed/e/" + "b" * 32, workspace="0f" * 16, version=9, home="/h", failures=3)
    write_state(tmp_path, old)
    assert remembered_state(tmp_path, FEED) == PullState(url=str(FEED), home="/h")
    write_state(tmp_path, same := old.model_copy(update={"url": str(FEED)}))
    assert remembered_state(tmp_path, FEED) == same
