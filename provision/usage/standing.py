"""Where each user stands: the spend of the month between two bounds, against the budget of the profile and the key's own cap.

The gateway may give the price of each day; then the spend is exact. Otherwise it gives what a key has used since it was made,
and readings of earlier runs bound what of that belongs to the month. `over` is said only if even the lower bound is over, `ok`
only if even the upper bound is not. Pure; money in micro-dollars.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from provision.usage.readings import COUNT_RESET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from provision.aisa.results import ValidationResult
    from provision.aisa.spend import KeySpend, UsageRow

_NEAR_PERCENT = 80


class UsageStanding(StrEnum):
    """The state of one user's spending."""

    OVER = "over"
    NEAR = "near"
    UNUSED = "unused"
    OK = "ok"
    NO_BUDGET = "no_budget"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MonthSpend:
    """What was spent since the first of the month: at least `low`, at most `high` (None: unknown)."""

    low: int = 0
    high: int | None = None

    @property
    def exact(self) -> int | None:
        """The spend, if the bounds are equal."""
        return self.low if self.low == self.high else None


@dataclass(frozen=True, slots=True)
class UserUsage:
    """One user. `requests` are those since the first day that was asked for; None if the gateway does not say them."""

    user: str
    profile: str
    fingerprint: str
    standing: UsageStanding
    reason: str
    used_micros: int | None = None
    remaining_micros: int | None = None
    month: MonthSpend = MonthSpend()
    budget_micros: int | None = None
    requests: int | None = None
    by_model: tuple[tuple[str, int, int | None], ...] = ()
    """Model, requests, and micro-dollars if the gateway says them."""
    shared_with: int = 0
    """How many other users have the same key."""


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """The sums of a team or a model. A key that several users share counts once."""

    name: str
    users: int
    requests: int
    low_micros: int
    high_micros: int
    """The sum of the upper bounds that are known."""
    unknown: int
    """The number of keys about which the gateway did not say enough."""


def micros_of(dollars: float | None) -> int | None:
    """Return dollars of a profile in micro-dollars, rounded to even."""
    if dollars is None:
        return None
    return int((Decimal(str(dollars)) * 1_000_000).quantize(Decimal(1), ROUND_HALF_EVEN))


def dollars_of(micros: int | None) -> str:
    """Return micro-dollars as they are printed: `$12.34`."""
    if micros is None:
        return "unknown"
    cents = Decimal(micros) / 1_000_000
    if 0 < abs(micros) < 10_000:  # less than a cent
        return f"${cents.normalize():f}"
    return f"${cents.quantize(Decimal('0.01'), ROUND_HALF_EVEN):,f}"


def month_spend(spend: KeySpend, month: str, readings: Mapping[str, tuple[int, int]]) -> MonthSpend:
    """Bound the spend of `month` (`2026-11`). `readings`: the first and the last amount that earlier runs read, by month."""
    bounds = _bounds(spend.used_micros, month, readings)
    own = _own_rows(spend)
    rows = None if own is None else [row for row in own if row.day.startswith(month)]
    if rows is not None and all(row.micros is not None for row in rows):
        total = sum(row.micros or 0 for row in rows)
        if total >= bounds.low:
            return MonthSpend(total, total)
    return bounds


def _own_rows(spend: KeySpend) -> tuple[UsageRow, ...] | None:
    """The usage by day. None also if it says more than the key has used in all: then it is not the usage of this key."""
    if spend.rows is None or spend.used_micros is None:
        return spend.rows
    return spend.rows if sum(row.micros or 0 for row in spend.rows) <= spend.used_micros else None


def _bounds(used: int | None, month: str, readings: Mapping[str, tuple[int, int]]) -> MonthSpend:
    first, last = readings.get(month, (0 if used is None else used, 0))
    before = max((amount for when, (_, amount) in readings.items() if when < month), default=0)
    if used is None or first == COUNT_RESET or used < max(last, before):
        return MonthSpend()
    return MonthSpend(used - first, used - before)


def user_usage(
    result: ValidationResult,
    budget: int | None,
    since: date,
    month: str,
    readings: Mapping[str, tuple[int, int]],
    *,
    shared_with: int = 0,
) -> UserUsage:
    """Say where one user stands."""
    spend = result.spend
    if spend is None:
        reason = f"not read: {result.verdict}"
        return UserUsage(
            result.user, result.profile, result.key_fingerprint, UsageStanding.UNKNOWN, reason,
            budget_micros=budget, shared_with=shared_with,
        )  # fmt: skip
    spent = month_spend(spend, month, readings)
    own = _own_rows(spend)
    rows = None if own is None else [row for row in own if row.day >= since.isoformat()]
    requests = None if rows is None else sum(row.requests for row in rows)
    fresh = not any(first == COUNT_RESET or last for first, last in readings.values())
    standing, reason = _standing(spend, spent, budget, fresh=fresh)
    models: dict[str, list[tuple[int, int | None]]] = defaultdict(list)
    for row in rows or ():
        if row.model:
            models[row.model].append((row.requests, row.micros))
    by_model = tuple((m, sum(r for r, _ in each), _sum(c for _, c in each)) for m, each in sorted(models.items()))
    return UserUsage(
        result.user, result.profile, result.key_fingerprint, standing, reason, spend.used_micros, spend.remaining_micros,
        spent, budget, requests, by_model, shared_with,
    )  # fmt: skip


def _sum(amounts: Iterable[int | None]) -> int | None:
    known = list(amounts)
    return None if None in known else sum(amount or 0 for amount in known)


def _standing(spend: KeySpend, spent: MonthSpend, budget: int | None, *, fresh: bool) -> tuple[UsageStanding, str]:
    """`fresh`: no earlier run read an amount of this key."""
    cap, left = spend.cap_micros, spend.remaining_micros
    if left is not None and left <= 0:
        return UsageStanding.OVER, "the key's own cap is used up"
    if budget is not None and spent.low > budget:
        return UsageStanding.OVER, f"over the budget of {dollars_of(budget)} a month"
    if budget is not None and spent.high is None:
        return UsageStanding.UNKNOWN, "the gateway does not say what this key has used"
    if budget is not None and spent.high is not None and spent.high > budget:
        between = f"between {dollars_of(spent.low)} and {dollars_of(spent.high)}"
        return UsageStanding.UNKNOWN, f"spent {between} this month; exact from the next month on"
    if cap and left is not None and (cap - left) * 100 >= _NEAR_PERCENT * cap:
        return UsageStanding.NEAR, f"{dollars_of(left)} left of the key's cap of {dollars_of(cap)}"
    if budget is not None and spent.low * 100 >= _NEAR_PERCENT * budget and spent.low:
        return UsageStanding.NEAR, f"near the budget of {dollars_of(budget)} a month"
    if spend.used_micros == 0 and not spend.rows and fresh:
        return UsageStanding.UNUSED, "this key was never used"
    if budget is not None:
        return UsageStanding.OK, f"within the budget of {dollars_of(budget)} a month"
    if cap is not None:
        return UsageStanding.OK, f"within the key's cap of {dollars_of(cap)}"
    known = spend.used_micros is not None or spend.rows is not None
    return (
        (UsageStanding.NO_BUDGET, "no budget and no cap")
        if known
        else (UsageStanding.UNKNOWN, "the gateway says nothing")
    )


def totals_by_team(users: Iterable[UserUsage]) -> list[UsageTotal]:
    """The sums by team profile. A key that users of several teams share is in the row `(shared)`."""
    keys: dict[str, list[UserUsage]] = defaultdict(list)
    for user in users:
        keys[user.fingerprint or f"user {user.user}"].append(user)
    teams: dict[str, list[list[UserUsage]]] = defaultdict(list)
    for owners in keys.values():
        names = {owner.profile for owner in owners}
        teams[names.pop() if len(names) == 1 else "(shared)"].append(owners)
    return [_total(name, teams[name]) for name in sorted(teams)]


def _total(name: str, keys: list[list[UserUsage]]) -> UsageTotal:
    first = [owners[0] for owners in keys]
    return UsageTotal(
        name,
        users=sum(map(len, keys)),
        requests=sum(u.requests or 0 for u in first),
        low_micros=sum(u.month.low for u in first),
        high_micros=sum(u.month.high or 0 for u in first),
        unknown=sum(u.month.high is None for u in first),
    )


def totals_by_model(users: Iterable[UserUsage]) -> list[tuple[str, int, int | None]]:
    """Requests and micro-dollars by model, each key once, for keys whose gateway names models."""
    seen: set[str] = set()
    models: dict[str, list[tuple[int, int | None]]] = defaultdict(list)
    for user in users:
        if user.fingerprint not in seen:
            seen.add(user.fingerprint)
            for model, requests, micros in user.by_model:
                models[model].append((requests, micros))
    return [(m, sum(r for r, _ in each), _sum(c for _, c in each)) for m, each in sorted(models.items())]
