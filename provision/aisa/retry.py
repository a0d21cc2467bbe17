"""The retry policy for requests to the gateway. The only place with its numbers. Pure.

Free requests (GET) are sent at most three times. The waits are 0.3 s and 0.9 s, plus or minus 30 %, or what `Retry-After` says,
up to 30 s. A paid call is repeated only after 502, 503 and 504: after any other answer it may have been served and charged.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from typing import TYPE_CHECKING

from provision.aisa import error_codes
from provision.aisa.answers import Failure, refusal

if TYPE_CHECKING:
    from provision.aisa.answers import GatewayAnswer

BACKOFF_S = (0.3, 0.9)
MAX_ATTEMPTS = len(BACKOFF_S) + 1
JITTER = 0.3
LONGEST_WAIT_S = 30.0
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
PAID_RETRIED_STATUSES = frozenset({502, 503, 504})
_RETRIED_FAILURES = frozenset({Failure.TIMEOUT, Failure.RESET, Failure.CONNECT, Failure.DNS})
_PERMANENT_CODES = error_codes.BUDGET | error_codes.UNFUNDED | error_codes.MODEL | error_codes.PERMISSION


def is_retryable(answer: GatewayAnswer) -> bool:
    """Whether the same free request may get another answer soon."""
    if answer.status is None:
        return answer.failure in _RETRIED_FAILURES
    if answer.status not in RETRIED_STATUSES:
        return False
    return refusal(answer.data()).code not in _PERMANENT_CODES


def parse_retry_after(value: str, now: dt.datetime) -> float | None:
    """Seconds to wait, from a Retry-After header with a number or an HTTP date. 0 for a past date, None if invalid."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), 10**9))
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    try:
        return max(0.0, (when - now).total_seconds())
    except OverflowError:
        return None


def wait_before_retry(
    answer: GatewayAnswer, tried: int, *, paid: bool, now: dt.datetime, chance: float
) -> float | None:
    """Seconds to wait before the next attempt, or None for no retry. `tried` counts from 1, `chance` is random in [0, 1)."""
    if tried >= MAX_ATTEMPTS or not is_retryable(answer):
        return None
    if paid and answer.status not in PAID_RETRIED_STATUSES:
        return None
    pause = BACKOFF_S[tried - 1] * (1 + JITTER * (2 * chance - 1))
    requested = parse_retry_after(answer.retry_after, now) if answer.retry_after else None
    if requested is None:
        return pause
    return None if requested > LONGEST_WAIT_S else max(requested, pause)
