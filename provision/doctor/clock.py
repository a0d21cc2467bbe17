"""This machine's clock, compared with the newest moment that something signed or recorded names, and with a server's."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from provision.doctor.health import HealthFinding, failed, fine, skipped, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SLACK = timedelta(minutes=5)
_FIX = "set this machine's clock: expiry cannot be checked with a wrong one"


def clock_findings(now: datetime, known: Mapping[str, datetime]) -> Iterator[HealthFinding]:
    """Yield whether the clock is behind one of these moments, named by where they stand. Being ahead shows only `--online`."""
    if not known:
        yield skipped("clock.behind", "nothing with a date to compare with; `provision doctor --online` asks a server")
        return
    where, newest = max(known.items(), key=lambda item: item[1])
    if now < newest - _SLACK:
        yield failed(
            "clock.behind", f"the clock says {now:%Y-%m-%d %H:%M} UTC, {where} is of {newest:%Y-%m-%d %H:%M}", _FIX
        )
    else:
        yield fine("clock.behind", f"the clock is not behind {where}")


def server_clock_finding(now: datetime, date: str | None) -> Iterator[HealthFinding]:
    """Yield whether the clock agrees with the `Date` of a server's answer."""
    try:
        there = parsedate_to_datetime(date or "")
        away = abs(now - there)
    except (ValueError, TypeError):
        yield skipped("clock.server", "the server named no date")
        return
    if away > _SLACK:
        minutes = int(away.total_seconds() // 60)
        tier = failed if away > timedelta(hours=1) else warning
        yield tier("clock.server", f"the clock is {minutes:,} minutes away from the server's", _FIX)
    else:
        yield fine("clock.server", "the clock agrees with the server's")
