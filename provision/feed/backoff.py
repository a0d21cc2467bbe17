"""The retry policy for requests to the feed: within one pull, and between scheduled pulls. The only place with its numbers. Pure.

Every wait doubles after each failure and is spread by plus or minus half, so that a fleet does not return all at the same
time. `uniform` is `random.uniform` or a stand-in: it gets the two ends of a range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Uniform = Callable[[float, float], float]

MAX_ATTEMPTS = 3
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0
"""A server that asks for more within one pull ends the pull; the next one comes on the timer."""
FIRST_DELAY_S, LONGEST_DELAY_S = 300.0, 6 * 3600.0


def pause_before_retry(tried: int, requested_s: float | None, uniform: Uniform) -> float | None:
    """Seconds before the next attempt of one pull, None for no retry. `tried` counts from 1; `requested_s` is Retry-After."""
    if tried >= MAX_ATTEMPTS or (requested_s or 0) > LONGEST_PAUSE_S:
        return None
    return max(requested_s or 0, _spread(FIRST_PAUSE_S, tried, uniform))


def delay_after_failures(failures: int, requested_s: float | None, uniform: Uniform) -> float:
    """Seconds that scheduled pulls wait after so many failed pulls: 5 minutes to 6 hours, no less than Retry-After."""
    return max(_spread(FIRST_DELAY_S, failures, uniform), (requested_s or 0) * uniform(1.0, 1.2))


def _spread(first_s: float, failures: int, uniform: Uniform) -> float:
    doubled = first_s * 2.0 ** min(failures - 1, 16)
    return min(doubled, LONGEST_DELAY_S) * uniform(0.5, 1.5)
