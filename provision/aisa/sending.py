"""Send one request until it has an answer that stays: the loop around the policy in `retry`."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

from provision.aisa.retry import wait_before_retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from provision.aisa.answers import GatewayAnswer


async def send_with_retries(
    send: Callable[[], Awaitable[GatewayAnswer]],
    chance: Callable[[], float],
    *,
    paid: bool = False,
    stop: Callable[[GatewayAnswer], bool] | None = None,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> tuple[GatewayAnswer, int]:
    """The last answer, and the number of attempts. `send` makes one attempt; `stop` says after which answer none follows."""
    tried = 0
    while True:
        answer = await send()
        tried += 1
        if stop is not None and stop(answer):
            return answer, tried
        wait_s = wait_before_retry(answer, tried, paid=paid, now=now(), chance=chance())
        if wait_s is None:
            return answer, tried
        await asyncio.sleep(wait_s)
