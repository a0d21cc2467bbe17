"""When to ask again, and how fast to ask at all. Pure but for the bucket, which is told the time.

Free questions (GETs) are asked at most three times, after 0.3 s and 0.9 s give or take 30 %, or when `Retry-After` says,
up to 30 s. A paid call is asked again only on 502, 503 and 504, at most twice: after anything else it may have been served.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.aisa.verdicts import retryable

if TYPE_CHECKING:
    from provision.aisa.answers import Answer

BACKOFF_S = (0.3, 0.9)
JITTER = 0.3
LONGEST_WAIT_S = 30.0


def parse_retry_after(value: str, now: dt.datetime) -> float | None:
    """Seconds to wait by a Retry-After header, as a number or an HTTP date; 0 for the past, None for nonsense."""
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


def wait_before_retry(answer: Answer, tried: int, *, paid: bool, now: dt.datetime, chance: float) -> float | None:
    """Seconds to wait before asking again, or None to leave it. `tried` counts from 1, `chance` is random in [0, 1)."""
    if tried > len(BACKOFF_S) or not retryable(answer):
        return None
    if paid and answer.status not in {502, 503, 504}:
        return None
    pause = BACKOFF_S[tried - 1] * (1 + JITTER * (2 * chance - 1))
    asked = parse_retry_after(answer.retry_after, now) if answer.retry_after else None
    if asked is None:
        return pause
    return None if asked > LONGEST_WAIT_S else max(asked, pause)


@dataclass(slots=True)
class TokenBucket:
    """At most `rate` requests a second over time and `burst` at once; None as rate means no limit."""

    rate: float | None
    burst: int = 1
    tokens: float = -1.0
    since: float = 0.0

    def take(self, now: float) -> float:
        """Take the next token; returns the seconds to wait until it is there."""
        if self.rate is None:
            return 0.0
        if self.tokens < 0 and self.since == 0.0:
            self.tokens, self.since = float(self.burst), now
        self.tokens = min(float(self.burst), self.tokens + (now - self.since) * self.rate)
        self.since = now
        self.tokens -= 1.0
        return 0.0 if self.tokens >= 0 else -self.tokens / self.rate
