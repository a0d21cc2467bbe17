"""Limit how many requests are sent per second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """At most `rate` requests per second on average, and `burst` in a row without waiting. A rate of None means no limit."""

    rate: float | None
    burst: int = 1
    tokens: float = -1.0
    since: float = 0.0

    def take(self, now: float) -> float:
        """Take the next token. Returns the seconds to wait before using it. `now` is in seconds of a monotonic clock."""
        if self.rate is None:
            return 0.0
        if self.tokens < 0 and self.since == 0.0:
            self.tokens, self.since = float(self.burst), now
        self.tokens = min(float(self.burst), self.tokens + (now - self.since) * self.rate)
        self.since = now
        self.tokens -= 1.0
        return 0.0 if self.tokens >= 0 else -self.tokens / self.rate
