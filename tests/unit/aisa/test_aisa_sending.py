"""One loop for all that ask the gateway again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from provision.aisa import sending
from provision.aisa.answers import GatewayAnswer


@pytest.mark.parametrize(
    ("statuses", "paid", "stop", "sent", "last"),
    [
        ((200,), False, None, 1, 200),
        ((502, 503, 200), False, None, 3, 200),
        ((502, 502, 502, 200), False, None, 3, 502),
        ((401, 200), False, None, 1, 401),
        ((429, 200), False, None, 2, 200),
        ((429, 200), True, None, 1, 429),
        ((502, 200), True, None, 2, 200),
        ((502, 200), False, lambda answer: answer.status == 502, 1, 502),
    ],
)
def test_an_attempt_follows_only_where_the_policy_and_the_caller_allow_it(
    statuses: tuple[int, ...],
    paid: bool,
    stop: Callable[[GatewayAnswer], bool] | None,
    sent: int,
    last: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    async def send() -> GatewayAnswer:
        return GatewayAnswer(next(answers))

    answers = iter(statuses)
    monkeypatch.setattr("provision.aisa.sending.asyncio.sleep", wait)
    answer, tried = asyncio.run(sending.send_with_retries(send, lambda: 0.5, paid=paid, stop=stop))
    assert (answer.status, tried) == (last, sent)
    assert waits == [0.3, 0.9][: sent - 1]
