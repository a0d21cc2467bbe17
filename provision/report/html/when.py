"""Times on a page: in words, with the exact time behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_DAY_S = 86400


@dataclass(frozen=True, slots=True)
class When:
    """A time: shown in words such as "3 days ago", with the exact time as a title. `now` is when the page was made."""

    at: datetime
    now: datetime

    @staticmethod
    def read(text: str, now: datetime | None = None) -> When | str:
        """A time of a document in words; as a date without `now`; other text stays as it is."""
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return text
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return When(at, now or at)

    @property
    def words(self) -> str:
        """The distance to now in the largest fitting unit. The time of the page itself is a date: it may be read much later."""
        if self.at == self.now:
            return f"{self.at.astimezone(UTC):%d %B %Y, %H:%M} UTC".lstrip("0")
        seconds = int((self.now - self.at).total_seconds())
        for size, unit in ((_DAY_S, "day"), (3600, "hour"), (60, "minute")):
            if abs(seconds) >= size:
                count = abs(seconds) // size
                span = f"{count} {unit}{'' if count == 1 else 's'}"
                return f"{span} ago" if seconds > 0 else f"in {span}"
        return "just now"

    @property
    def iso(self) -> str:
        """The time in ISO 8601."""
        return self.at.isoformat(timespec="seconds")
