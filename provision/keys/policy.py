"""The policy for the age of keys, checked with the vault's public data, without opening it. Pure.

A profile may set `key_max_age_days`; then an older key is an error. Without it AIsa's advice applies (rotate at least every
90 days), as a warning. An expired demo key is an error in every stage until it is retired: it was shown in public and can
still spend from the wallet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import Severity
from provision.keys.vault.ledger import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from provision.fleet.desired import DesiredState
    from provision.keys.vault.ledger import KeyVersion, Ledger

ADVISED_DAYS = 90
PENDING_DAYS = 14
"""A key that is pending for longer belongs to an abandoned rotation."""


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """A finding about a key. `rule` is a stable id, `cure` what to do, which `rotate.key_advice` adds."""

    rule: str
    severity: Severity
    key: KeyVersion
    message: str
    cure: str = ""


def check_key_ages(
    ledger: Ledger, states: Iterable[DesiredState], now: datetime, *, complete: bool = True
) -> Iterator[KeyFinding]:
    """Yield all findings about keys that are not retired, by user and version. `complete`: `states` is the whole inventory."""
    limits = {state.user: state.profile.key_max_age_days for state in states}
    today = now.date()
    for key in ledger:
        if key.stage is Stage.RETIRED:
            continue
        if key.user not in limits:
            if complete:
                message = f"{_named(key)} is not retired, but {key.user} is not in the inventory"
                yield KeyFinding("key-without-user", Severity.WARNING, key, message)
        elif key.expired(today):
            yield KeyFinding("demo-key-over", Severity.ERROR, key, _over(key, today))
        else:
            yield from _aged(key, limits[key.user], now)


def days_left(key: KeyVersion, limit_days: int | None, now: datetime) -> int:
    """Whole days until a current key is overdue or its demo ends. Negative if that has passed."""
    left = (limit_days or ADVISED_DAYS) - key.age_days(now)
    return min(left, (key.demo_until - now.date()).days) if key.demo_until else left


def _aged(key: KeyVersion, limit: int | None, now: datetime) -> Iterator[KeyFinding]:
    age, most = key.age_days(now), limit or ADVISED_DAYS
    rule = f"its profile allows {limit}" if limit else f"AIsa advises at most {ADVISED_DAYS}"
    if key.stage is Stage.PENDING:
        if age > PENDING_DAYS:
            message = f"{_named(key)} has been pending for {age} days"
            yield KeyFinding("key-pending", Severity.WARNING, key, message)
    elif age > most:
        severity = Severity.ERROR if limit else Severity.WARNING
        if key.stage is Stage.CURRENT:
            yield KeyFinding("key-overdue", severity, key, f"{_named(key)} is {age} days old; {rule}")
        else:
            message = f"{_named(key)} was replaced, is {age} days old and not yet proved dead"
            yield KeyFinding("key-not-retired", Severity.WARNING, key, message)


def _over(key: KeyVersion, today: date) -> str:
    days = (today - key.demo_until).days if key.demo_until else 0
    return f"{_named(key)} is a demo key that expired on {key.demo_until}, {days} day{'s' if days != 1 else ''} ago"


def _named(key: KeyVersion) -> str:
    label = f", label {key.label}" if key.label else ""
    return f"the {key.stage} key of {key.user} (version {key.version}{label})"
